//! Secret texts that are masked by default.
//!
//! A [`Secret`] is written as `<secret>`, and the password of a [`SecretUrl`] as `xxxxx`, in JSON and in debug output.
//! Only [`WithSecrets`] writes the real texts: for answers to authorised callers, and for texts that never leave the
//! function.

use std::cell::Cell;
use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use super::url::GoUrl;

/// The text that Prometheus writes in place of a secret.
const MASK: &str = "<secret>";

thread_local! {
    /// Whether secrets are written without a mask on this thread. Serde passes no context to the fields of a value, and
    /// a value is serialised on one thread.
    static REVEALED: Cell<bool> = const { Cell::new(false) };
}

/// Serialises a value without masking its secrets.
#[derive(Debug, Clone, Copy)]
pub struct WithSecrets<'a, T>(pub &'a T);

impl<T: Serialize> Serialize for WithSecrets<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Restores the mask, even if serialising panics.
        struct Restore(bool);
        impl Drop for Restore {
            fn drop(&mut self) {
                REVEALED.set(self.0);
            }
        }
        let _restore = Restore(REVEALED.replace(true));
        self.0.serialize(serializer)
    }
}

/// A password, a token or a key.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Secret {
    /// The mask. As in Prometheus, an empty secret stays empty.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "" } else { MASK })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if REVEALED.get() { self.0.serialize(serializer) } else { serializer.collect_str(self) }
    }
}

/// A URL whose password is a secret. The text may be an invalid URL.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The URL with its password.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the text is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parsed URL, if it has a password. `None` for an invalid URL.
    fn parsed_with_password(&self) -> Option<GoUrl> {
        self.0.parse::<GoUrl>().ok().filter(GoUrl::has_password)
    }
}

impl<T: Into<String>> From<T> for SecretUrl {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for SecretUrl {
    /// Writes the URL without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parsed_with_password() {
            Some(url) => write!(f, "{}", url.redacted()),
            None => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl Serialize for SecretUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if REVEALED.get() { self.0.serialize(serializer) } else { serializer.collect_str(self) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::scrape_config::ScrapeConfig;
    use crate::scrape_config::discovery::{Ec2Sd, HttpSd, KubernetesSd, Role};
    use crate::scrape_config::http_client::{
        Authorization, BasicAuth, HttpClientConfig, HttpHeader, OAuth2, ProxyConfig, TlsConfig,
    };

    fn client() -> HttpClientConfig {
        let tls = TlsConfig { key: "hunter2".into(), ..TlsConfig::default() };
        let proxy = ProxyConfig {
            proxy_url: Some("http://u:hunter2@proxy".into()),
            proxy_connect_header: BTreeMap::from([("X".to_owned(), vec!["hunter2".into()])]),
            ..ProxyConfig::default()
        };
        HttpClientConfig {
            basic_auth: Some(BasicAuth { password: "hunter2".into(), ..BasicAuth::default() }),
            authorization: Some(Authorization { credentials: "hunter2".into(), ..Authorization::default() }),
            oauth2: Some(OAuth2 {
                client_secret: "hunter2".into(),
                client_certificate_key: "hunter2".into(),
                tls_config: tls.clone(),
                proxy: proxy.clone(),
                ..OAuth2::default()
            }),
            tls_config: tls,
            proxy,
            http_headers: BTreeMap::from([(
                "X".to_owned(),
                HttpHeader { secrets: vec!["hunter2".into()], ..HttpHeader::default() },
            )]),
            ..HttpClientConfig::default()
        }
    }

    /// A scrape config with a secret in each field that can contain one.
    fn config() -> ScrapeConfig {
        let mut config = ScrapeConfig::new("job");
        config.http_client = client();
        let server = "http://u:hunter2@server";
        config.service_discovery.kubernetes =
            vec![KubernetesSd { http_client: client(), api_server: server.into(), ..KubernetesSd::new(Role::Pod) }];
        config.service_discovery.http = vec![HttpSd { http_client: client(), ..HttpSd::new(server) }];
        config.service_discovery.ec2 =
            vec![Ec2Sd { http_client: client(), secret_key: "hunter2".into(), ..Ec2Sd::default() }];
        config
    }

    #[test]
    fn secrets_are_written_only_where_they_are_revealed() {
        let config = config();
        let places = 4 * 11 + 3;
        for (what, masked) in [("json", serde_json::to_string(&config).unwrap()), ("debug", format!("{config:?}"))] {
            assert!(!masked.contains("hunter2"), "{what}: {masked}");
            let masks = masked.matches(MASK).count() + masked.matches("xxxxx").count();
            assert_eq!(masks, places, "{what}: {masked}");
        }
        let revealed = serde_json::to_string(&WithSecrets(&config)).unwrap();
        assert_eq!(revealed.matches("hunter2").count(), places);
        assert!(!serde_json::to_string(&config).unwrap().contains("hunter2"), "masked again");
    }

    #[test]
    fn an_absent_secret_stays_absent() {
        let mut config = ScrapeConfig::new("job");
        config.http_client.basic_auth = Some(BasicAuth::default());
        let (masked, revealed) = (serde_json::to_string(&config), serde_json::to_string(&WithSecrets(&config)));
        assert_eq!(masked.unwrap(), revealed.unwrap());
    }
}
