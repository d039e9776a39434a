//! Host and port in one text, as Go's `net` package reads and writes them.

/// `host:port`; a host that holds a colon stands in brackets (`net.JoinHostPort`).
#[must_use]
pub fn join_host_port(host: &str, port: &str) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// The host, without brackets, and the port; `None` if the text has no port (`net.SplitHostPort`).
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

#[cfg(test)]
mod tests {
    use super::*;

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
