//! Writes credentials as headers.
//!
//! Input: a user and a password, or another secret. Output: a header value that logs do not show.

use ::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;

/// The credentials contain a character that is invalid in a header.
#[derive(Debug, thiserror::Error)]
#[error("the credentials do not fit into a header")]
pub struct CredentialsError;

/// The header value for basic authentication.
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// A header value with a secret. Logs do not show it.
pub fn sensitive(text: &str) -> Result<HeaderValue, CredentialsError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| CredentialsError)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The credentials in a URL. `None` if the URL has no user.
pub fn of_user(url: &Url) -> Result<Option<HeaderValue>, CredentialsError> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    sensitive(&basic(&decode(url.username()), &decode(url.password().unwrap_or_default()))).map(Some)
}
