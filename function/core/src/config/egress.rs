//! The addresses that the function may fetch targets from.
//!
//! Input: `http_sd_allow`, a host and its addresses. Output: whether the function may connect. A tenant must not reach
//! addresses that only the function can reach: loopback, the runtime API, and the credentials and metadata of the
//! machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

use crate::address::parse_network;

/// Addresses that are allowed in addition to the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Egress {
    allowed: Vec<Allowed>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Allowed {
    Host(String),
    Network(IpNet),
}

impl Egress {
    /// Parses hosts, addresses and networks such as `10.0.0.0/8`.
    ///
    /// # Errors
    /// The first invalid text.
    pub fn new(texts: &[String]) -> Result<Self, String> {
        let allowed = texts.iter().map(|text| Allowed::parse(text).ok_or_else(|| text.clone()));
        Ok(Self { allowed: allowed.collect::<Result<_, _>>()? })
    }

    /// Whether the function may connect to `address`, which is an address of `host`.
    #[must_use]
    pub fn permits(&self, host: &str, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let named = self.allowed.iter().any(|allowed| match allowed {
            Allowed::Host(name) => name.eq_ignore_ascii_case(host.trim_end_matches('.')),
            Allowed::Network(network) => network.contains(&address),
        });
        named || !is_own(address)
    }
}

impl Allowed {
    fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::Network(address.into()));
        }
        if text.contains('/') {
            return parse_network(text).map(Self::Network);
        }
        let host = text.trim_end_matches('.');
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        (!host.is_empty() && host.chars().all(known)).then(|| Self::Host(host.to_owned()))
    }
}

/// Whether an address reaches another endpoint from the function than from other machines.
fn is_own(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_own_v4(address),
        IpAddr::V6(address) => {
            /// The network of metadata and credentials on Nitro machines (`fd00:ec2::254`, `fd00:ec2::23`).
            const AWS: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32);
            address.is_loopback()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_unicast_link_local()
                || AWS.contains(&address)
                || embedded(address).is_some_and(is_own_v4)
        }
    }
}

fn is_own_v4(address: Ipv4Addr) -> bool {
    address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.octets()[0] == 0
}

/// The IPv4 address inside an IPv6 address that a translator uses: NAT64, 6to4, IPv4-compatible.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let last = u32::from(segments[6]) << 16 | u32::from(segments[7]);
    match segments {
        [0x64, 0xff9b, ..] | [0, 0, 0, 0, 0, 0, ..] => Some(Ipv4Addr::from_bits(last)),
        [0x2002, high, low, ..] => Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_functions_own_addresses_are_refused_unless_they_are_named() {
        let egress = |texts: &[&str]| Egress::new(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let all = ["127.0.0.0/8", "::1", "Sd.Local.", "169.254.10.0/24"];
        let cases = [
            ("10.0.0.1", true, true),
            ("192.168.1.1", true, true),
            ("172.16.0.1", true, true),
            ("8.8.8.8", true, true),
            ("fd12::1", true, true),
            ("2600::1", true, true),
            ("127.0.0.1", false, true),
            ("127.9.9.9", false, true),
            ("::1", false, true),
            ("::ffff:127.0.0.1", false, true),
            ("169.254.10.7", false, true),
            ("169.254.169.254", false, false),
            ("169.254.170.2", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("64:ff9b::a9fe:a9fe", false, false),
            ("64:ff9b::a00:1", true, true),
            ("2002:a9fe:a9fe::1", false, false),
            ("fd00:ec2::254", false, false),
            ("fe80::1", false, false),
            ("0.0.0.0", false, false),
            ("0.1.2.3", false, false),
            ("::", false, false),
            ("224.0.0.1", false, false),
            ("ff02::1", false, false),
            ("255.255.255.255", false, false),
        ];
        for (address, by_default, allowed) in cases {
            let parsed = address.parse().unwrap();
            assert_eq!(Egress::default().permits("sd", parsed), by_default, "{address}");
            assert_eq!(egress(&all).unwrap().permits("sd", parsed), allowed, "{address}");
            assert!(egress(&all).unwrap().permits("SD.local", parsed), "{address} of a host that is named");
        }
        for text in ["", "10.0.0.0/33", "a/8", "http://sd", "10.0.0.0/", "::1/129"] {
            assert_eq!(egress(&[text]), Err(text.to_owned()));
        }
    }
}
