//! Where the targets of a scrape config come from.
//!
//! Each kind of service discovery has a file with its type, its defaults, how it is read and what is refused.
//! A scrape config holds one list for each kind, as in a Prometheus config. Follows `discovery/` of Prometheus.

mod consul;
mod dns;
mod ec2;
mod file;
mod http;
mod kind;
mod kubernetes;
mod static_targets;

use serde::Serialize;

use super::fields::{Fields, Node, ParseError, Problem, Refusal};
pub use consul::ConsulSd;
pub use dns::DnsSd;
pub use ec2::{Ec2Filter, Ec2Sd};
pub use file::FileSd;
pub use http::HttpSd;
pub use kind::SdConfig;
pub use kubernetes::{AttachMetadata, KubernetesSd, Namespaces, Role, Selector};
pub use static_targets::StaticSd;
pub(super) use static_targets::target_group;

/// Makes [`ServiceDiscovery`] of one row for each kind: its field, its type, its name in a scrape config.
macro_rules! kinds {
    ($($field:ident: $kind:ty = $name:literal),+ $(,)?) => {
        /// The SD configs of a scrape config.
        #[derive(Debug, Clone, Default, PartialEq, Serialize)]
        #[allow(missing_docs, reason = "named as in Prometheus")]
        pub struct ServiceDiscovery {
            $(#[serde(skip_serializing_if = "Vec::is_empty", rename = $name)] pub $field: Vec<$kind>,)+
        }

        impl ServiceDiscovery {
            /// Reads all kinds that are served.
            pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, ParseError> {
                Ok(Self { $($field: kind::each(fields, $name, <$kind>::read)?,)+ })
            }

            /// Normalises URLs and refuses what Prometheus refuses.
            ///
            /// # Errors
            /// The first rule that an SD config breaks.
            pub fn validate(&mut self) -> Result<(), Refusal> {
                $(self.$field.iter_mut().try_for_each(<$kind>::validate)?;)+
                Ok(())
            }
        }
    };
}

kinds! {
    kubernetes: KubernetesSd = "kubernetes_sd_configs",
    r#static: StaticSd = "static_configs",
    http: HttpSd = "http_sd_configs",
    dns: DnsSd = "dns_sd_configs",
    ec2: Ec2Sd = "ec2_sd_configs",
    file: FileSd = "file_sd_configs",
    consul: ConsulSd = "consul_sd_configs",
}

/// The kinds that Prometheus 3.14 knows and that are not served here, without `_sd_configs`.
pub const NOT_SERVED: [&str; 30] = [
    "aws",
    "azure",
    "digitalocean",
    "docker",
    "dockerswarm",
    "ecs",
    "elasticache",
    "eureka",
    "gce",
    "hetzner",
    "ionos",
    "kuma",
    "lightsail",
    "linode",
    "marathon",
    "msk",
    "nerve",
    "nomad",
    "oci",
    "openstack",
    "outscale",
    "ovhcloud",
    "puppetdb",
    "rds",
    "scaleway",
    "serverset",
    "stackit",
    "triton",
    "uyuni",
    "vultr",
];

/// What follows the name of a kind in the name of its field.
const SUFFIX: &str = "_sd_configs";

/// Refuses a job that uses a kind which Prometheus knows and which is not served here.
pub(super) fn refuse_others<'a>(job: &Node<'a>, fields: &mut Fields<'a>) -> Result<(), ParseError> {
    for (name, node) in job.entries()? {
        let kind = name.strip_suffix(SUFFIX).and_then(|kind| NOT_SERVED.iter().find(|known| **known == kind));
        let Some(kind) = kind else { continue };
        fields.allow(name);
        if !node.list()?.is_empty() {
            return Err(node.error(Problem::NotServed { kind }));
        }
    }
    Ok(())
}
