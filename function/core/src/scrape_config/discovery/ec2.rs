//! `ec2_sd_configs`: the instances of an AWS account.

use serde::Serialize;

use super::kind::{SdConfig, each, refused, validate_client};
use crate::duration::Duration;
use crate::scrape_config::fields::{Node, ParseError, Refusal};
use crate::scrape_config::http_client::HttpClientConfig;
use crate::scrape_config::is_default;
use crate::scrape_config::secret::Secret;

/// Instances of an AWS account. Follows `discovery/aws/ec2.go`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct Ec2Sd {
    pub endpoint: String,
    pub region: String,
    #[serde(skip_serializing_if = "is_default")]
    pub access_key: String,
    #[serde(skip_serializing_if = "is_default")]
    pub secret_key: Secret,
    #[serde(skip_serializing_if = "is_default")]
    pub profile: String,
    #[serde(skip_serializing_if = "is_default")]
    pub role_arn: String,
    #[serde(skip_serializing_if = "is_default")]
    pub external_id: String,
    #[serde(skip_serializing_if = "is_default")]
    pub refresh_interval: Duration,
    pub port: i64,
    pub filters: Vec<Ec2Filter>,
    #[serde(flatten)]
    pub http_client: HttpClientConfig,
}

impl Default for Ec2Sd {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            region: String::new(),
            access_key: String::new(),
            secret_key: Secret::default(),
            profile: String::new(),
            role_arn: String::new(),
            external_id: String::new(),
            refresh_interval: Duration::from_secs(60),
            port: 80,
            filters: Vec::new(),
            http_client: HttpClientConfig::default(),
        }
    }
}

impl SdConfig for Ec2Sd {
    fn read(node: &Node<'_>) -> Result<Self, ParseError> {
        let mut fields = node.fields()?;
        let mut config = Ec2Sd::default();
        let Ec2Sd {
            endpoint,
            region,
            access_key,
            secret_key,
            profile,
            role_arn,
            external_id,
            refresh_interval,
            port,
            filters,
            http_client: client,
        } = &mut config;
        fields.string("endpoint", endpoint)?;
        fields.string("region", region)?;
        fields.string("access_key", access_key)?;
        fields.secret("secret_key", secret_key)?;
        fields.string("profile", profile)?;
        fields.string("role_arn", role_arn)?;
        fields.string("external_id", external_id)?;
        fields.read("refresh_interval", refresh_interval, Node::duration)?;
        fields.read("port", port, Node::signed)?;
        *filters = each(&mut fields, "filters", ec2_filter)?;
        client.read(&mut fields)?;
        fields.finish()?;
        Ok(config)
    }

    fn validate(&mut self) -> Result<(), Refusal> {
        if let Some(filter) = self.filters.iter().find(|filter| filter.values.is_empty()) {
            return refused(NoFilterValues(filter.name.clone()));
        }
        validate_client(&mut self.http_client, "ec2_sd_configs")
    }
}

/// A filter on instances. An instance matches if it has one of the values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct Ec2Filter {
    pub name: String,
    pub values: Vec<String>,
}

fn ec2_filter(node: &Node<'_>) -> Result<Ec2Filter, ParseError> {
    let mut fields = node.fields()?;
    let mut filter = Ec2Filter::default();
    fields.string("name", &mut filter.name)?;
    fields.read("values", &mut filter.values, Node::strings)?;
    fields.finish()?;
    Ok(filter)
}

#[derive(Debug, thiserror::Error)]
#[error("ec2_sd_configs.filters has a filter without values: {0:?}")]
struct NoFilterValues(String);
