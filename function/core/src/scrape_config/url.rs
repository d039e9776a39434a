//! URLs as Go parses and prints them: `url.Parse`, `URL.String` and `URL.Redacted`.
//!
//! Prometheus parses and prints every proxy URL and API server URL. Some texts are rejected (`HTTP://a b` has no valid
//! host), others are rewritten (`http://a/b c` becomes `http://a/b%20c`). The `url` crate follows WHATWG and differs in
//! both. This module contains only what a configuration needs, without resolving and query parsing.

use std::net::Ipv6Addr;
use std::str::FromStr;

/// The replacement for a masked password.
const HIDDEN_PASSWORD: &[u8] = b"xxxxx";

/// A URL, split into parts as in Go. Decoded parts are bytes, because an escape can encode any byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoUrl {
    scheme: String,
    opaque: String,
    user: Option<User>,
    host: Vec<u8>,
    path: Escaped,
    query: String,
    force_query: bool,
    omit_host: bool,
    fragment: Escaped,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    name: Vec<u8>,
    password: Option<Vec<u8>>,
}

/// A decoded part, and its original text if the default escaping would differ from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Escaped {
    decoded: Vec<u8>,
    raw: Option<String>,
}

/// The reason why Go cannot parse a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the message says it")]
pub enum UrlError {
    #[error("url holds a control character")]
    ControlCharacter,
    #[error("url has no scheme before its first colon")]
    MissingScheme,
    #[error("first path segment of a url without a scheme cannot contain a colon")]
    ColonInFirstSegment,
    #[error("url has an invalid escape: {0:?}")]
    InvalidEscape(String),
    #[error("url has an invalid character in its host: {0:?}")]
    InvalidHostCharacter(char),
    #[error("url has an invalid port: {0:?}")]
    InvalidPort(String),
    #[error("url has an invalid address in brackets")]
    InvalidAddress,
    #[error("url has an invalid user or password")]
    InvalidUser,
}

/// The part of a URL in which a character occurs. It decides which characters must be escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Host,
    Zone,
    User,
    Fragment,
}

impl Part {
    const fn allows(self, byte: u8) -> bool {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b'$'
            | b'&'
            | b'+'
            | b'='
            | b','
            | b';' => true,
            b':' => !matches!(self, Self::User),
            b'/' | b'@' => matches!(self, Self::Fragment | Self::Path),
            b'?' => matches!(self, Self::Fragment),
            b'!' | b'(' | b')' | b'*' => matches!(self, Self::Fragment | Self::Zone | Self::Host),
            b'"' | b'\'' | b'<' | b'>' | b'[' | b']' => matches!(self, Self::Zone | Self::Host),
            _ => false,
        }
    }
}

impl FromStr for GoUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        let mut url = parse_without_fragment(text)?;
        url.fragment = Escaped::parse(fragment, Part::Fragment)?;
        Ok(url)
    }
}

impl GoUrl {
    /// The scheme in lower case. Empty if there is none.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether the URL has a host.
    #[must_use]
    pub const fn has_host(&self) -> bool {
        !self.host.is_empty()
    }

    /// Whether the URL has a password, even an empty one.
    #[must_use]
    pub const fn has_password(&self) -> bool {
        matches!(self.user, Some(User { password: Some(_), .. }))
    }

    /// Replaces the password with `xxxxx`.
    #[must_use]
    pub fn redacted(mut self) -> Self {
        if let Some(User { password: Some(password), .. }) = &mut self.user {
            HIDDEN_PASSWORD.clone_into(password);
        }
        self
    }
}

/// Prints the URL as Go does.
impl std::fmt::Display for GoUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        if !self.scheme.is_empty() {
            text.push_str(&self.scheme);
            text.push(':');
        }
        if self.opaque.is_empty() {
            self.write_authority(&mut text);
            let path = self.path.to_text(Part::Path);
            if !path.is_empty() && !path.starts_with('/') && self.has_host() {
                text.push('/');
            }
            if text.is_empty() && path.split('/').next().is_some_and(|segment| segment.contains(':')) {
                text.push_str("./");
            }
            text.push_str(&path);
        } else {
            text.push_str(&self.opaque);
        }
        if self.force_query || !self.query.is_empty() {
            text.push('?');
            text.push_str(&self.query);
        }
        if !self.fragment.decoded.is_empty() {
            text.push('#');
            text.push_str(&self.fragment.to_text(Part::Fragment));
        }
        f.write_str(&text)
    }
}

impl GoUrl {
    fn write_authority(&self, text: &mut String) {
        let nothing = !self.has_host() && self.user.is_none();
        if nothing && (self.scheme.is_empty() || self.omit_host) {
            return;
        }
        if !nothing || !self.path.decoded.is_empty() {
            text.push_str("//");
        }
        if let Some(User { name, password }) = &self.user {
            escape(name, Part::User, text);
            if let Some(password) = password {
                text.push(':');
                escape(password, Part::User, text);
            }
            text.push('@');
        }
        escape(&self.host, Part::Host, text);
    }
}

impl Escaped {
    fn parse(text: &str, part: Part) -> Result<Self, UrlError> {
        let decoded = unescape(text, part)?;
        let mut default = String::new();
        escape(&decoded, part, &mut default);
        let raw = (default != text).then(|| text.to_owned());
        Ok(Self { decoded, raw })
    }

    fn to_text(&self, part: Part) -> String {
        if let Some(raw) = &self.raw
            && raw.bytes().all(|byte| may_stay_raw(byte, part))
        {
            return raw.clone();
        }
        if part == Part::Path && self.decoded == b"*" {
            return "*".to_owned();
        }
        let mut text = String::new();
        escape(&self.decoded, part, &mut text);
        text
    }
}

const fn may_stay_raw(byte: u8, part: Part) -> bool {
    matches!(byte, b'!' | b'\'' | b'(' | b')' | b'*' | b'[' | b']' | b'%') || part.allows(byte)
}

fn parse_without_fragment(text: &str) -> Result<GoUrl, UrlError> {
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(UrlError::ControlCharacter);
    }
    let mut url = GoUrl::default();
    if text == "*" {
        url.path.decoded = b"*".to_vec();
        return Ok(url);
    }
    let (scheme, mut rest) = split_scheme(text)?;
    url.scheme = scheme.to_ascii_lowercase();
    if rest.ends_with('?') && rest.matches('?').count() == 1 {
        url.force_query = true;
        rest = &rest[..rest.len() - 1];
    } else if let Some((before, query)) = rest.split_once('?') {
        query.clone_into(&mut url.query);
        rest = before;
    }
    if !rest.starts_with('/') {
        if !scheme.is_empty() {
            rest.clone_into(&mut url.opaque);
            return Ok(url);
        }
        if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
            return Err(UrlError::ColonInFirstSegment);
        }
    }
    if rest.starts_with("//") && (!scheme.is_empty() || !rest.starts_with("///")) {
        let (authority, path) = rest[2..].split_at(rest[2..].find('/').unwrap_or(rest.len() - 2));
        parse_authority(&mut url, authority)?;
        rest = path;
    } else if !scheme.is_empty() && rest.starts_with('/') {
        url.omit_host = true;
    }
    url.path = Escaped::parse(rest, Part::Path)?;
    Ok(url)
}

/// Splits a text into the scheme and the rest after its colon. Without a scheme, the rest is the whole text.
fn split_scheme(text: &str) -> Result<(&str, &str), UrlError> {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err(UrlError::MissingScheme),
            b':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

fn parse_authority(url: &mut GoUrl, authority: &str) -> Result<(), UrlError> {
    let Some((user, host)) = authority.rsplit_once('@') else {
        url.host = parse_host(&url.scheme, authority)?;
        return Ok(());
    };
    url.host = parse_host(&url.scheme, host)?;
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
    if !user.bytes().all(valid) {
        return Err(UrlError::InvalidUser);
    }
    let (name, password) = match user.split_once(':') {
        Some((name, password)) => (name, Some(unescape(password, Part::User)?)),
        None => (user, None),
    };
    url.user = Some(User { name: unescape(name, Part::User)?, password });
    Ok(())
}

fn parse_host(scheme: &str, host: &str) -> Result<Vec<u8>, UrlError> {
    match host.rfind('[') {
        Some(0) => parse_bracketed_host(host),
        Some(_) => Err(UrlError::InvalidAddress),
        None => {
            if let Some(first) = host.find(':') {
                // URLs of databases can list several hosts with ports, URLs of http cannot.
                let lenient = scheme != "http" && scheme != "https";
                let colon = if lenient { host.rfind(':').unwrap_or(first) } else { first };
                check_port(&host[colon..])?;
            }
            unescape(host, Part::Host)
        }
    }
}

fn parse_bracketed_host(host: &str) -> Result<Vec<u8>, UrlError> {
    let close = host.rfind(']').ok_or(UrlError::InvalidAddress)?;
    let port = &host[close + 1..];
    check_port(port)?;
    let address = &host[1..close];
    let mut decoded = match address.find("%25") {
        Some(zone) => {
            let mut decoded = unescape(&address[..zone], Part::Host)?;
            decoded.extend(unescape(&address[zone..], Part::Zone)?);
            decoded
        }
        None => unescape(address, Part::Host)?,
    };
    let ip = match decoded.iter().position(|byte| *byte == b'%') {
        Some(zone) if zone + 1 == decoded.len() => return Err(UrlError::InvalidAddress),
        Some(zone) => &decoded[..zone],
        None => &decoded[..],
    };
    let ip = std::str::from_utf8(ip).map_err(|_| UrlError::InvalidAddress)?;
    Ipv6Addr::from_str(ip).map_err(|_| UrlError::InvalidAddress)?;
    decoded.insert(0, b'[');
    decoded.push(b']');
    decoded.extend_from_slice(port.as_bytes());
    Ok(decoded)
}

fn check_port(port: &str) -> Result<(), UrlError> {
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok(()),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(()),
        _ => Err(UrlError::InvalidPort(port.to_owned())),
    }
}

fn unescape(text: &str, part: Part) -> Result<Vec<u8>, UrlError> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'%' {
            let byte = bytes[at];
            if matches!(part, Part::Host | Part::Zone) && byte.is_ascii() && !part.allows(byte) {
                return Err(UrlError::InvalidHostCharacter(char::from(byte)));
            }
            decoded.push(byte);
            at += 1;
            continue;
        }
        let escape = &bytes[at..bytes.len().min(at + 3)];
        let invalid = || UrlError::InvalidEscape(String::from_utf8_lossy(escape).into_owned());
        let [_, high, low] = escape else { return Err(invalid()) };
        let (high, low) = (hex(*high).ok_or_else(invalid)?, hex(*low).ok_or_else(invalid)?);
        let byte = high << 4 | low;
        let allowed = match part {
            // In a host, only non-ASCII bytes and the percent sign of a zone may be escaped.
            Part::Host => high >= 8 || escape == b"%25",
            Part::Zone => escape == b"%25" || byte == b' ' || Part::Host.allows(byte),
            Part::Path | Part::User | Part::Fragment => true,
        };
        if !allowed {
            return Err(invalid());
        }
        decoded.push(byte);
        at += 3;
    }
    Ok(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn escape(bytes: &[u8], part: Part, text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        if part.allows(*byte) {
            text.push(char::from(*byte));
        } else {
            text.push('%');
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_parsed_and_printed_as_in_go() {
        let cases: &[(&str, Result<&str, ()>)] = &[
            ("", Ok("")),
            ("http://proxy", Ok("http://proxy")),
            ("HTTP://Proxy:80", Ok("http://Proxy:80")),
            ("http://u:p@ss@h", Ok("http://u:p%40ss@h")),
            ("http://u:@h/", Ok("http://u:@h/")),
            ("http://@h", Ok("http://@h")),
            ("http://a b/", Err(())),
            ("http://a/b c", Ok("http://a/b%20c")),
            ("http://a/b%2fc", Ok("http://a/b%2fc")),
            ("http://a/b%2fc d", Ok("http://a/b/c%20d")),
            ("http://a/%zz", Err(())),
            ("http://a/%4", Err(())),
            ("http://a:b", Err(())),
            ("http://a:1:2", Err(())),
            ("db://a:1,b:2", Ok("db://a:1,b:2")),
            ("http://[::1]:80/x", Ok("http://[::1]:80/x")),
            ("http://[fe80::1%25en0]/", Ok("http://[fe80::1%25en0]/")),
            ("http://[fe80::1%25]/", Err(())),
            ("http://[1.2.3.4]/", Err(())),
            ("http://[::1", Err(())),
            ("http://x[::1]", Err(())),
            ("http://\u{e9}/\u{e9}?\u{e9}#\u{e9}", Ok("http://%C3%A9/%C3%A9?\u{e9}#%C3%A9")),
            ("mailto:a@b", Ok("mailto:a@b")),
            ("proxy:8080", Ok("proxy:8080")),
            ("1.2.3.4:8080", Err(())),
            ("a b:c", Err(())),
            (":80", Err(())),
            ("//host/x", Ok("//host/x")),
            ("///x", Ok("///x")),
            ("http:///x", Ok("http:///x")),
            ("http:/x", Ok("http:/x")),
            ("http://", Ok("http:")),
            ("http://h?", Ok("http://h?")),
            ("http://h?a?", Ok("http://h?a?")),
            ("http://h#", Ok("http://h")),
            ("http://h#a b", Ok("http://h#a%20b")),
            ("http://h/\n", Err(())),
            ("*", Ok("*")),
            ("${PROXY}", Ok("$%7BPROXY%7D")),
        ];
        for (text, expected) in cases {
            let got = text.parse::<GoUrl>().map(|url| url.to_string()).map_err(|_| ());
            assert_eq!(got.as_deref(), expected.as_deref(), "{text:?}");
        }
    }

    #[test]
    fn only_the_password_is_masked() {
        for (text, expected) in [
            ("http://u:secret@h/p", "http://u:xxxxx@h/p"),
            ("http://u:@h/p", "http://u:xxxxx@h/p"),
            ("http://u@h/p", "http://u@h/p"),
            ("http://h/p", "http://h/p"),
        ] {
            assert_eq!(text.parse::<GoUrl>().unwrap().redacted().to_string(), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_printed_url_parses_to_itself(text in "(http|db)?(://)?[a-z%@:/?#\\[\\] é0-9]{0,12}") {
            if let Ok(url) = text.parse::<GoUrl>() {
                let printed = url.to_string();
                proptest::prop_assert_eq!(printed.parse::<GoUrl>().map(|url| url.to_string()), Ok(printed));
            }
        }
    }
}
