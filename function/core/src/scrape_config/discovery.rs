//! The service discovery of a scrape config.
//!
//! Each kind of service discovery has its own file with its type, its defaults, its parser and its checks. As in a
//! Prometheus config, a scrape config has one list for each kind. Follows `discovery/` of Prometheus.

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

/// Generates [`ServiceDiscovery`] from one row for each kind: its field, its type, and its name in a scrape config.
macro_rules! kinds {
    ($($field:ident: $kind:ty = $name:literal),+ $(,)?) => {
        /// The SD configs of a scrape config.
        #[derive(Debug, Clone, Default, PartialEq, Serialize)]
        #[allow(missing_docs, reason = "named as in Prometheus")]
        pub struct ServiceDiscovery {
            $(#[serde(skip_serializing_if = "Vec::is_empty", rename = $name)] pub $field: Vec<$kind>,)+
        }

        impl ServiceDiscovery {
            /// Reads all supported kinds.
            pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, ParseError> {
                Ok(Self { $($field: kind::each(fields, $name, <$kind>::read)?,)+ })
            }

            /// Normalises URLs, and rejects configs that Prometheus rejects.
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

/// The suffix of the field of a kind.
const SUFFIX: &str = "_sd_configs";

/// Rejects a job with a kind that Prometheus supports and this project does not.
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
