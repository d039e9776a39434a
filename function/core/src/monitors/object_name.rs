//! Valid names of Secrets and ConfigMaps.
//!
//! A monitor can contain any text as a name. An invalid name must not become part of the path of a request to the API
//! server.

/// The maximum length of the name of a Secret or a ConfigMap in Kubernetes.
const LONGEST_NAME: usize = 253;

/// The number of characters of a refused name that a message shows.
const SHOWN: usize = 60;

/// A name that no Secret or ConfigMap can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "use at most {LONGEST_NAME} lower case letters, digits, - and ., each part between dots beginning and ending with \
     a letter or digit: {shown:?}"
)]
pub struct InvalidName {
    /// The beginning of the name.
    shown: String,
}

/// Checks the name of an object. Kubernetes requires a DNS subdomain (RFC 1123) in lower case.
///
/// # Errors
/// [`InvalidName`] if Kubernetes does not accept the name.
pub fn check_name(name: &str) -> Result<(), InvalidName> {
    if name.len() <= LONGEST_NAME && name.split('.').all(is_label) {
        return Ok(());
    }
    Err(InvalidName { shown: beginning(name) })
}

/// The beginning of a text from a tenant, short enough for a message.
pub(super) fn beginning(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown
}

fn is_label(part: &str) -> bool {
    let is_inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    bytes.first().is_some_and(is_inner)
        && bytes.last().is_some_and(is_inner)
        && bytes.iter().all(|byte| is_inner(byte) || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_in_kubernetes() {
        let longest = format!("{}.{}", "a".repeat(200), "b".repeat(52));
        let longer = format!("{longest}b");
        let accepted = ["a", "0", "web-1", "a.b", "1.2-3.x", "kube-root-ca.crt", &longest];
        let refused = [
            "", "%", "a/b", ".", "..", "a..b", ".a", "a.", "-a", "a-", "a.-b", "%2e%2e", "A", "a_b", "a b", "ä", "a\n",
            "a?x", "a#x", "*", &longer,
        ];
        for name in accepted {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in refused {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_message_shows_the_beginning_of_a_long_name() {
        let message = check_name(&"ä".repeat(100_000)).unwrap_err().to_string();
        assert!(message.ends_with(&format!("{}...\"", "ä".repeat(SHOWN))) && message.len() < 400, "{message}");
    }
}
