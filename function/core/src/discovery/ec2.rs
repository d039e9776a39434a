//! `ec2_sd_configs`: the instances of an AWS account in a region.
//!
//! Input: an SD config, and responses of the EC2 API as XML. Output: the parameters of requests, and a target group.
//! Follows `discovery/aws/ec2.go` of Prometheus.

mod answer;

use std::collections::{BTreeMap, BTreeSet};

pub use answer::{Ec2Error, Page, failure, zones};

use super::source_config::{SourceConfig, TenantRule};
use super::source_group::{SourceGroup, host_port};
use crate::duration::Duration;
use crate::labels::{ADDRESS, sanitized};
use crate::scrape_config::discovery::Ec2Sd;
use crate::scrape_config::http_client::{HttpClientConfig, TlsConfig};
use answer::{Instance, Reservation};

/// The version of the EC2 API.
const VERSION: &str = "2016-11-15";

/// Number of instances in a page. This is the maximum that EC2 accepts.
const MOST_IN_PAGE: &str = "1000";

const OVERHEARD: &str = "an object cannot choose a proxy or TLS for what is signed with the function's credentials, \
    give it keys or leave those out";

impl SourceConfig for Ec2Sd {
    const FIELD: &'static str = "ec2_sd_configs";
    type Request = Box<Self>;

    fn requests(&self) -> Vec<Box<Self>> {
        vec![Box::new(self.clone())]
    }

    fn describe(request: &Box<Self>) -> String {
        let region = request.region.as_str();
        if region.is_empty() { "the function's region" } else { region }.to_owned()
    }

    fn refresh_interval(&self) -> Duration {
        self.refresh_interval
    }

    fn client(&self) -> Option<&HttpClientConfig> {
        Some(&self.http_client)
    }

    /// If a config has no keys, the function signs the requests with its own credentials. A proxy or a server of the
    /// tenant could then read the signed requests.
    fn tenant_rule(&self) -> TenantRule {
        let own_keys = !self.access_key.is_empty() && !self.secret_key.expose().is_empty();
        let HttpClientConfig { tls_config, proxy, .. } = &self.http_client;
        let own_proxy = proxy.proxy_url.as_ref().is_some_and(|url| !url.is_empty());
        if !own_keys && (own_proxy || *tls_config != TlsConfig::default()) {
            return TenantRule::NotRequested(OVERHEARD);
        }
        TenantRule::Served
    }
}

/// The host of EC2 in a region. `None` if the text is not the name of a region. The text must not lead to another host,
/// because the function signs requests with its own credentials.
#[must_use]
pub fn host(region: &str) -> Option<String> {
    if region.is_empty() || !region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return None;
    }
    let suffix = match region.split('-').next() {
        Some("cn") => "amazonaws.com.cn",
        Some("eusc") => "amazonaws.eu",
        _ => "amazonaws.com",
    };
    Some(format!("ec2.{region}.{suffix}"))
}

/// The parameters of a request for a page of instances.
#[must_use]
pub fn instances_query(config: &Ec2Sd, next_token: Option<&str>) -> Vec<(String, String)> {
    let mut query = action("DescribeInstances");
    query.push(("MaxResults".to_owned(), MOST_IN_PAGE.to_owned()));
    for (at, filter) in (1..).zip(&config.filters) {
        query.push((format!("Filter.{at}.Name"), filter.name.clone()));
        let values = (1..).zip(&filter.values);
        query.extend(values.map(|(nth, value)| (format!("Filter.{at}.Value.{nth}"), value.clone())));
    }
    query.extend(next_token.map(|token| ("NextToken".to_owned(), token.to_owned())));
    query
}

/// The parameters of a request for the availability zones of the region.
#[must_use]
pub fn zones_query() -> Vec<(String, String)> {
    action("DescribeAvailabilityZones")
}

fn action(name: &str) -> Vec<(String, String)> {
    [("Action", name), ("Version", VERSION)].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The target group of all instances with an address. `zones` contains the IDs of the zones, if they are known.
#[must_use]
pub fn group(region: &str, port: i64, zones: &BTreeMap<String, String>, pages: &[Page]) -> SourceGroup {
    let reservations = pages.iter().flat_map(|page| &page.reservations.item);
    let targets = reservations.flat_map(|reservation| {
        let instances = reservation.instances.item.iter();
        instances.filter_map(move |instance| target(reservation, instance, region, port, zones))
    });
    SourceGroup { source: region.to_owned(), labels: BTreeMap::new(), targets: targets.collect() }
}

fn target(
    reservation: &Reservation,
    instance: &Instance,
    region: &str,
    port: i64,
    zones: &BTreeMap<String, String>,
) -> Option<BTreeMap<String, String>> {
    let ipv6 = Ipv6::of(instance);
    let address = instance.private_ip_address.as_ref().or(ipv6.first())?;
    let mut labels = BTreeMap::from([(ADDRESS.to_owned(), host_port(address, port))]);
    let mut add = |name: &str, value: &str| labels.insert(format!("__meta_ec2_{name}"), value.to_owned());
    add("instance_id", &instance.instance_id);
    add("region", region);
    add("ami", &instance.image_id);
    let zone = &instance.placement.availability_zone;
    add("availability_zone", zone);
    add("availability_zone_id", zones.get(zone).map_or("", String::as_str));
    add("instance_state", &instance.state.name);
    add("instance_type", &instance.instance_type);
    let optional = [
        ("owner_id", &reservation.owner_id),
        ("private_ip", &instance.private_ip_address),
        ("private_dns_name", &instance.private_dns_name),
        ("public_ip", &instance.public_ip_address),
        ("vpc_id", &instance.vpc_id),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            add(name, value);
        }
    }
    if instance.public_ip_address.is_some() {
        add("public_dns_name", &instance.public_dns_name);
    }
    let words = [
        ("platform", &instance.platform),
        ("instance_lifecycle", &instance.lifecycle),
        ("architecture", &instance.architecture),
    ];
    for (name, value) in words.into_iter().filter(|(_, value)| !value.is_empty()) {
        add(name, value);
    }
    if let Some(address) = ipv6.first() {
        add("default_ipv6_address", address);
    }
    for (name, addresses) in [("primary_ipv6_addresses", &ipv6.primary), ("ipv6_addresses", &ipv6.all)] {
        if !addresses.is_empty() {
            add(name, &list(addresses));
        }
    }
    if instance.vpc_id.is_some() {
        add("primary_subnet_id", &instance.subnet_id);
        let mut seen = BTreeSet::new();
        let subnets = instance.interfaces.item.iter().filter_map(|interface| interface.subnet_id.as_ref());
        let subnets: Vec<_> = subnets.filter(|subnet| seen.insert(*subnet)).cloned().collect();
        add("subnet_id", &list(&subnets));
    }
    for tag in &instance.tags.item {
        if let (Some(key), Some(value)) = (&tag.key, &tag.value) {
            add(&format!("tag_{}", sanitized(key)), value);
        }
    }
    Some(labels)
}

/// Joins the parts with commas. The list begins and ends with a comma, so that a rule can match each part with the same
/// pattern.
fn list(parts: &[String]) -> String {
    format!(",{},", parts.join(","))
}

/// The IPv6 addresses of an instance.
#[derive(Default)]
struct Ipv6 {
    /// The addresses by the index of the interface. An interface without an address has an empty text.
    primary: Vec<String>,
    all: Vec<String>,
}

impl Ipv6 {
    /// Maximum index of an interface. No instance has more interfaces.
    const MOST_INTERFACES: usize = 256;

    fn of(instance: &Instance) -> Self {
        let mut found = Self::default();
        if instance.vpc_id.is_none() {
            return found;
        }
        let Self { primary, all } = &mut found;
        for interface in instance.interfaces.item.iter().filter(|interface| interface.subnet_id.is_some()) {
            let place = interface.attachment.device_index;
            for address in &interface.ipv6_addresses.item {
                all.push(address.address.clone());
                if address.is_primary && place < Self::MOST_INTERFACES {
                    primary.resize(primary.len().max(place + 1), String::new());
                    primary[place].clone_from(&address.address);
                }
            }
        }
        found
    }

    /// The first primary address. If there is no primary address, the first address.
    fn first(&self) -> Option<&String> {
        self.primary.iter().chain(&self.all).find(|address| !address.is_empty())
    }
}

#[cfg(test)]
mod tests;
