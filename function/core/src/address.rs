//! Addresses as Go's `net` package reads and writes them: host and port in one text, and networks.

use ipnet::IpNet;

/// Joins host and port to `host:port`. A host with a colon gets brackets (`net.JoinHostPort`).
#[must_use]
pub fn join_host_port(host: &str, port: &str) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Splits `host:port` into the host without brackets, and the port. `None` if the text has no port
/// (`net.SplitHostPort`).
#[must_use]
pub fn split_host_port(text: &str) -> Option<(&str, &str)> {
    let (before, port) = text.rsplit_once(':')?;
    let host = match before.strip_prefix('[') {
        Some(bracketed) => bracketed.strip_suffix(']').filter(|host| !host.contains(']'))?,
        None if before.contains(':') => return None,
        None => before,
    };
    let brackets = |text: &str| text.contains(['[', ']']);
    (!brackets(host) && !brackets(port)).then_some((host, port))
}

/// Parses a network such as `10.0.0.0/8`. `None` if the text is not a network (`net.ParseCIDR`).
///
/// The parser of `IpNet` is not used, because it accepts octets with a leading zero. Other programs read those as octal
/// numbers, so the network would be ambiguous.
#[must_use]
pub fn parse_network(text: &str) -> Option<IpNet> {
    let (address, prefix) = text.split_once('/')?;
    IpNet::new(address.parse().ok()?, prefix.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_parsed_as_in_go() {
        for text in ["10.0.0.0/8", "10.1.2.3/8", "0.0.0.0/0", "10.0.0.1/32", "fd00::/8", "::1/128"] {
            assert_eq!(parse_network(text).map(|network| network.to_string()).as_deref(), Some(text));
        }
        for text in ["", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "::/129", "010.0.0.0/8", "a/8", "10.0.0.0/8/8"] {
            assert_eq!(parse_network(text), None, "{text}");
        }
    }

    #[test]
    fn a_joined_address_is_split_into_the_same_host_and_port() {
        let cases = [("a.example", "80", "a.example:80"), ("::1", "", "[::1]:"), ("", "x", ":x")];
        for (host, port, joined) in cases {
            assert_eq!(join_host_port(host, port), joined);
            assert_eq!(split_host_port(joined), Some((host, port)));
        }
    }

    #[test]
    fn texts_without_a_port_are_not_split() {
        for text in ["", "a", "::1", "[::1]", "a:b:c", "[a:1", "a]:1", "[a]]:1", "[::1]x:1", "a:1]"] {
            assert_eq!(split_host_port(text), None, "{text}");
        }
    }
}
