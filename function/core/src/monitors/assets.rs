//! Values of the secrets and config maps that monitors refer to.
//!
//! Input: a reference and the namespace of the monitor. Output: the value, or an error that names the missing object or
//! key. No message contains a value.

use std::borrow::Cow;
use std::cell::Cell;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

use super::finding::Finding;
use super::object_name::{InvalidName, beginning, check_name};
use crate::objects::monitoring::{KeySelector, Reference, SecretOrConfigMap};
use crate::objects::{Cluster, ReferencedObject, Secret};

/// The reason why a reference has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the message says it")]
pub enum AssetError {
    #[error("names no {0}, set name and key")]
    Unnamed(&'static str),
    #[error("names a {kind} whose name is not valid, {source}")]
    InvalidName { kind: &'static str, source: InvalidName },
    #[error("{kind} {namespace}/{name} cannot be read: {reason}")]
    Unreadable { kind: &'static str, namespace: String, name: String, reason: String },
    #[error("{kind} {namespace}/{name} does not exist, create it")]
    Absent { kind: &'static str, namespace: String, name: String },
    #[error("{kind} {namespace}/{name} has no key {key:?}")]
    NoKey { kind: &'static str, namespace: String, name: String, key: String },
    #[error("secret {namespace}/{name} has a value that is not base64 in the key {key:?}, use stringData for text")]
    NotBase64 { namespace: String, name: String, key: String },
    #[error(
        "the values that the object takes of secrets and configmaps have more than {0} bytes together, refer to fewer \
         or raise OBJECT_LIMIT_BYTES"
    )]
    TooMuch(usize),
}

impl From<AssetError> for Finding {
    fn from(error: AssetError) -> Self {
        Self::refused(error)
    }
}

const SECRET: &str = "secret";
const CONFIG_MAP: &str = "configmap";

/// Go accepts non-zero trailing bits after the last byte. The strict engine of the crate rejects them.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// How many bytes of values one object may still take. An object can refer to one large secret in thousands of places,
/// and each place holds a copy.
#[derive(Debug)]
pub struct Budget {
    most: usize,
    left: Cell<usize>,
}

impl Budget {
    /// A budget of `most` bytes.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { most, left: Cell::new(most) }
    }

    fn take(&self, bytes: usize) -> Result<(), AssetError> {
        let left = self.left.get().checked_sub(bytes).ok_or(AssetError::TooMuch(self.most))?;
        self.left.set(left);
        Ok(())
    }
}

/// The secrets and config maps of one namespace, for one object.
#[derive(Debug, Clone, Copy)]
pub struct Assets<'a> {
    cluster: &'a Cluster,
    namespace: &'a str,
    budget: &'a Budget,
}

impl<'a> Assets<'a> {
    /// The Secrets and ConfigMaps that a monitor of `namespace` can refer to.
    #[must_use]
    pub const fn new(cluster: &'a Cluster, namespace: &'a str, budget: &'a Budget) -> Self {
        Self { cluster, namespace, budget }
    }

    /// The value of a secret.
    ///
    /// # Errors
    /// [`AssetError`] if the secret has no value for the key, even if the reference is optional. The operator ignores
    /// `optional`.
    pub fn secret(&self, selector: &KeySelector) -> Result<String, AssetError> {
        let KeySelector { name, key, optional: _ } = selector;
        check(SECRET, name)?;
        let secret = self.cluster.secrets.get(self.namespace, name).ok_or_else(|| self.no_secret(name))?;
        let Secret { metadata: _, data, string_data } = &**secret;
        if let Some(text) = string_data.get(key) {
            self.budget.take(text.len())?;
            return Ok(text.clone());
        }
        let encoded = data.get(key).ok_or_else(|| self.no_key(SECRET, selector))?;
        self.budget.take(encoded.len() / 4 * 3)?;
        let encoded: Vec<u8> = encoded.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        let bytes = BASE64.decode(encoded).map_err(|_| AssetError::NotBase64 {
            namespace: self.namespace.to_owned(),
            name: name.clone(),
            key: key.clone(),
        })?;
        // As in the operator, invalid UTF-8 is replaced, not rejected.
        Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// The value of a key of a secret or a config map. Empty if the selector names neither.
    ///
    /// # Errors
    /// [`AssetError`] if the named object has no value for the key.
    pub fn either(&self, selector: &SecretOrConfigMap) -> Result<Cow<'a, str>, AssetError> {
        match selector.reference() {
            None => Ok(Cow::Borrowed("")),
            Some(Reference::Secret(selector)) => self.secret(selector).map(Cow::Owned),
            Some(Reference::ConfigMap(selector)) => self.config_map(selector).map(Cow::Borrowed),
        }
    }

    fn config_map(&self, selector: &KeySelector) -> Result<&'a str, AssetError> {
        let KeySelector { name, key, optional: _ } = selector;
        check(CONFIG_MAP, name)?;
        let config_map = self.cluster.config_maps.get(self.namespace, name).ok_or_else(|| self.no_config_map(name))?;
        let value = config_map.data.get(key).ok_or_else(|| self.no_key(CONFIG_MAP, selector))?;
        self.budget.take(value.len())?;
        Ok(value)
    }

    fn no_secret(&self, name: &str) -> AssetError {
        self.without(SECRET, ReferencedObject::Secret { namespace: self.namespace.to_owned(), name: name.to_owned() })
    }

    fn no_config_map(&self, name: &str) -> AssetError {
        let (namespace, name) = (self.namespace.to_owned(), name.to_owned());
        self.without(CONFIG_MAP, ReferencedObject::ConfigMap { namespace, name })
    }

    /// The error for an object that was not found: the object is unreadable or does not exist.
    fn without(&self, kind: &'static str, object: ReferencedObject) -> AssetError {
        let reason = self.cluster.unreadable.get(&object);
        let (ReferencedObject::Secret { namespace, name } | ReferencedObject::ConfigMap { namespace, name }) = object;
        match reason {
            Some(reason) => AssetError::Unreadable { kind, namespace, name, reason: reason.to_string() },
            None => AssetError::Absent { kind, namespace, name },
        }
    }

    fn no_key(&self, kind: &'static str, selector: &KeySelector) -> AssetError {
        let KeySelector { name, key, optional: _ } = selector;
        AssetError::NoKey { kind, namespace: self.namespace.to_owned(), name: name.clone(), key: beginning(key) }
    }
}

fn check(kind: &'static str, name: &str) -> Result<(), AssetError> {
    if name.is_empty() {
        return Err(AssetError::Unnamed(kind));
    }
    check_name(name).map_err(|source| AssetError::InvalidName { kind, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> Cluster {
        let secret = "{metadata: {namespace: shop, name: auth}, data: {plain: cEBzcw==, wrapped: \"cEBz\\ncw==\", \
                      latin: /w==, bad: '@', both: YQ==}, stringData: {clear: text, both: b}}";
        let config_map = "{metadata: {namespace: shop, name: cm}, data: {a: b}, binaryData: {c: ZA==}}";
        Cluster {
            secrets: [serde_norway::from_str::<Secret>(secret).unwrap()].into_iter().collect(),
            config_maps: [serde_norway::from_str(config_map).unwrap()].into_iter().collect(),
            unreadable: [(
                ReferencedObject::Secret { namespace: "shop".to_owned(), name: "locked".to_owned() },
                "grant get".into(),
            )]
            .into(),
            ..Cluster::default()
        }
    }

    #[test]
    fn a_missing_value_is_an_error_that_names_it() {
        let cluster = cluster();
        let cases = [
            ("shop", "{secret: {name: auth, key: plain}}", Ok("p@ss")),
            ("shop", "{secret: {name: auth, key: wrapped}}", Ok("p@ss")),
            ("shop", "{secret: {name: auth, key: clear}}", Ok("text")),
            ("shop", "{secret: {name: auth, key: both}}", Ok("b")),
            ("shop", "{secret: {name: auth, key: latin}}", Ok("\u{fffd}")),
            ("shop", "{configMap: {name: cm, key: a}}", Ok("b")),
            ("shop", "{configMap: {name: cm, key: a}, secret: {name: auth, key: clear}}", Ok("text")),
            ("shop", "{}", Ok("")),
            ("shop", "{secret: {name: auth, key: gone}}", Err("secret shop/auth has no key \"gone\"")),
            ("shop", "{secret: {name: auth, key: gone, optional: true}}", Err("has no key")),
            ("shop", "{secret: {name: gone, key: a}}", Err("secret shop/gone does not exist")),
            ("web", "{secret: {name: auth, key: plain}}", Err("secret web/auth does not exist")),
            ("shop", "{secret: {name: auth, key: bad}}", Err("is not base64")),
            ("shop", "{secret: {name: locked, key: a}}", Err("secret shop/locked cannot be read: grant get")),
            ("shop", "{configMap: {name: locked, key: a}}", Err("configmap shop/locked does not exist")),
            ("shop", "{secret: {name: '..', key: a}}", Err("names a secret whose name is not valid")),
            ("shop", "{configMap: {name: a/b, key: a}}", Err("names a configmap whose name is not valid")),
            ("shop", "{secret: {key: a}}", Err("names no secret")),
            ("shop", "{configMap: {key: a}}", Err("names no configmap")),
            ("shop", "{configMap: {name: cm, key: c}}", Err("configmap shop/cm has no key \"c\"")),
            ("shop", "{configMap: {name: gone, key: c}}", Err("configmap shop/gone does not exist")),
        ];
        for (namespace, selector, expected) in cases {
            let selector: SecretOrConfigMap = serde_norway::from_str(selector).unwrap();
            let budget = Budget::new(100);
            match (Assets::new(&cluster, namespace, &budget).either(&selector), expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{selector:?}"),
                (Err(got), Err(expected)) => assert!(got.to_string().contains(expected), "{selector:?}: {got}"),
                (got, expected) => panic!("{selector:?}: {got:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn the_values_of_one_object_are_bounded_however_often_it_refers_to_them() {
        let cluster = cluster();
        for (selector, bytes) in [
            ("{secret: {name: auth, key: plain}}", 6),
            ("{secret: {name: auth, key: clear}}", 4),
            ("{configMap: {name: cm, key: a}}", 1),
        ] {
            let selector: SecretOrConfigMap = serde_norway::from_str(selector).unwrap();
            let budget = Budget::new(3 * bytes);
            let assets = Assets::new(&cluster, "shop", &budget);
            for _ in 0..3 {
                assert!(assets.either(&selector).is_ok(), "{selector:?}");
            }
            assert_eq!(assets.either(&selector), Err(AssetError::TooMuch(3 * bytes)), "{selector:?}");
        }
    }
}
