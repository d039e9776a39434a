//! The `Authorization` header of an HTTP client, other than Basic.
//!
//! Follows `Authorization` in `config/http_config.go` of prometheus/common.

use serde::{Deserialize, Serialize};

use super::error::{HttpClientError, at_most_one};
use crate::scrape_config::fields::{Fields, Node, ParseError};
use crate::scrape_config::is_default;
use crate::scrape_config::secret::Secret;

/// An `Authorization` header other than Basic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "named as in Prometheus")]
pub struct Authorization {
    #[serde(skip_serializing_if = "is_default")]
    pub r#type: String,
    #[serde(skip_serializing_if = "is_default")]
    pub credentials: Secret,
    #[serde(skip_serializing_if = "is_default")]
    pub credentials_file: String,
    #[serde(skip_serializing_if = "is_default")]
    pub credentials_ref: String,
}

impl Authorization {
    /// Reads the settings of a scrape config.
    pub(super) fn read(node: &Node<'_>) -> Result<Self, ParseError> {
        let mut fields = node.fields()?;
        let mut auth = Authorization::default();
        let Authorization { r#type, credentials, credentials_file, credentials_ref } = &mut auth;
        fields.string("type", r#type)?;
        fields.secret("credentials", credentials)?;
        fields.string("credentials_file", credentials_file)?;
        fields.string("credentials_ref", credentials_ref)?;
        fields.finish()?;
        Ok(auth)
    }

    /// Rejects settings that Prometheus rejects.
    pub(super) fn validate(&mut self) -> Result<(), HttpClientError> {
        let Self { r#type, credentials, credentials_file, credentials_ref } = self;
        at_most_one(
            [credentials.expose(), credentials_file, credentials_ref].map(|text| !text.is_empty()),
            "authorization.credentials, credentials_file and credentials_ref",
        )?;
        *r#type = match r#type.trim() {
            "" => "Bearer".to_owned(),
            basic if basic.eq_ignore_ascii_case("basic") => return Err(HttpClientError::AuthorizationIsBasic),
            other => other.to_owned(),
        };
        Ok(())
    }
}

/// The deprecated form of an authorization: `bearer_token` and `bearer_token_file`.
pub(super) fn bearer_token(fields: &mut Fields<'_>) -> Result<Option<Authorization>, ParseError> {
    let mut bearer = Authorization::default();
    fields.secret("bearer_token", &mut bearer.credentials)?;
    fields.string("bearer_token_file", &mut bearer.credentials_file)?;
    match (bearer.credentials.expose().is_empty(), bearer.credentials_file.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Err(fields.refused(HttpClientError::MoreThanOne("bearer_token and bearer_token_file"))),
        _ => Ok(Some(bearer)),
    }
}
