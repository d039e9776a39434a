//! User and password of an HTTP client.
//!
//! Follows `BasicAuth` in `config/http_config.go` of prometheus/common.

use serde::{Deserialize, Serialize};

use super::error::{HttpClientError, at_most_one};
use crate::scrape_config::fields::{Node, ParseError};
use crate::scrape_config::is_default;
use crate::scrape_config::secret::Secret;

/// User and password.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct BasicAuth {
    #[serde(skip_serializing_if = "is_default")]
    pub username: String,
    #[serde(skip_serializing_if = "is_default")]
    pub username_file: String,
    #[serde(skip_serializing_if = "is_default")]
    pub username_ref: String,
    #[serde(skip_serializing_if = "is_default")]
    pub password: Secret,
    #[serde(skip_serializing_if = "is_default")]
    pub password_file: String,
    #[serde(skip_serializing_if = "is_default")]
    pub password_ref: String,
}

impl BasicAuth {
    /// Reads the settings of a scrape config.
    pub(super) fn read(node: &Node<'_>) -> Result<Self, ParseError> {
        let mut fields = node.fields()?;
        let mut auth = BasicAuth::default();
        let BasicAuth { username, username_file, username_ref, password, password_file, password_ref } = &mut auth;
        fields.string("username", username)?;
        fields.string("username_file", username_file)?;
        fields.string("username_ref", username_ref)?;
        fields.secret("password", password)?;
        fields.string("password_file", password_file)?;
        fields.string("password_ref", password_ref)?;
        fields.finish()?;
        Ok(auth)
    }

    /// Rejects settings that Prometheus rejects.
    pub(super) fn validate(&self) -> Result<(), HttpClientError> {
        let Self { username, username_file, username_ref, password, password_file, password_ref } = self;
        at_most_one(
            [username, username_file, username_ref].map(|text| !text.is_empty()),
            "basic_auth.username, username_file and username_ref",
        )?;
        at_most_one(
            [password.expose(), password_file, password_ref].map(|text| !text.is_empty()),
            "basic_auth.password, password_file and password_ref",
        )
    }
}
