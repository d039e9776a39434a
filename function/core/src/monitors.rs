//! Monitors.
pub mod assets;
mod certificate;
pub mod finding;
pub mod http_client;
