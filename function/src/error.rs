//! Formats errors for logs and responses.

pub use target_allocator_core::error::chain;
