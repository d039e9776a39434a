//! The XML of EC2's answers, as far as it is read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Why a text is not an answer of EC2.
#[derive(Debug, thiserror::Error)]
#[error("not an answer of ec2: {0}")]
pub struct Ec2Error(#[from] quick_xml::DeError);

/// A list as EC2 writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(bound = "T: DeserializeOwned", default)]
pub(super) struct Items<T> {
    pub item: Vec<T>,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self { item: Vec::new() }
    }
}

/// A page of instances.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Page {
    #[serde(rename = "reservationSet")]
    pub(super) reservations: Items<Reservation>,
    #[serde(rename = "nextToken")]
    next_token: Option<String>,
}

impl Page {
    /// Reads an answer to [`super::instances_query`].
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(xml: &str) -> Result<Self, Ec2Error> {
        Ok(quick_xml::de::from_str(xml)?)
    }

    /// What to ask for the next page with.
    #[must_use]
    pub fn next_token(&self) -> Option<&str> {
        self.next_token.as_deref().filter(|token| !token.is_empty())
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Reservation {
    pub owner_id: Option<String>,
    #[serde(rename = "instancesSet")]
    pub instances: Items<Instance>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Instance {
    pub instance_id: String,
    pub image_id: String,
    #[serde(rename = "instanceState")]
    pub state: State,
    pub instance_type: String,
    pub placement: Placement,
    pub private_ip_address: Option<String>,
    pub private_dns_name: Option<String>,
    #[serde(rename = "ipAddress")]
    pub public_ip_address: Option<String>,
    #[serde(rename = "dnsName")]
    pub public_dns_name: String,
    pub platform: String,
    #[serde(rename = "instanceLifecycle")]
    pub lifecycle: String,
    pub architecture: String,
    pub vpc_id: Option<String>,
    pub subnet_id: String,
    #[serde(rename = "networkInterfaceSet")]
    pub interfaces: Items<Interface>,
    #[serde(rename = "tagSet")]
    pub tags: Items<Tag>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct State {
    pub name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Placement {
    pub availability_zone: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Interface {
    pub subnet_id: Option<String>,
    pub attachment: Attachment,
    #[serde(rename = "ipv6AddressesSet")]
    pub ipv6_addresses: Items<Ipv6Address>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Attachment {
    pub device_index: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Ipv6Address {
    #[serde(rename = "ipv6Address")]
    pub address: String,
    #[serde(rename = "isPrimaryIpv6")]
    pub is_primary: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Tag {
    pub key: Option<String>,
    pub value: Option<String>,
}

/// Reads an answer to [`super::zones_query`]: the zones' identifiers by their names.
///
/// # Errors
/// When it is none.
pub fn zones(xml: &str) -> Result<BTreeMap<String, String>, Ec2Error> {
    #[derive(Deserialize)]
    #[serde(default)]
    #[derive(Default)]
    struct Answer {
        #[serde(rename = "availabilityZoneInfo")]
        zones: Items<Zone>,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Zone {
        zone_name: Option<String>,
        zone_id: Option<String>,
    }
    let answer: Answer = quick_xml::de::from_str(xml)?;
    Ok(answer.zones.item.into_iter().filter_map(|zone| Some((zone.zone_name?, zone.zone_id?))).collect())
}

/// The code and the message of a failure; `None` if the text is none of EC2.
#[must_use]
pub fn failure(xml: &str) -> Option<(String, String)> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "Errors")]
        errors: Errors,
    }
    #[derive(Deserialize)]
    struct Errors {
        #[serde(rename = "Error")]
        error: Vec<Failure>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Failure {
        code: String,
        #[serde(default)]
        message: String,
    }
    let answer: Answer = quick_xml::de::from_str(xml).ok()?;
    answer.errors.error.into_iter().next().map(|failure| (failure.code, failure.message))
}
