//! The body of an answer: as it is, as Lambda takes it, compressed, each made once, and its tag.

use std::io::Write;
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

/// The body of an answer, of which either text is given and makes the other.
#[derive(Debug)]
pub struct Payload {
    plain: OnceLock<String>,
    quoted: OnceLock<String>,
    gzip: OnceLock<Bytes>,
    tag: String,
    given: usize,
}

impl Payload {
    /// A body of this text.
    #[must_use]
    pub fn new(plain: String) -> Self {
        let (tag, given) = (tag(&plain), plain.len());
        Self { plain: OnceLock::from(plain), quoted: OnceLock::new(), gzip: OnceLock::new(), tag, given }
    }

    /// A body of the text that a JSON string has.
    #[must_use]
    pub fn of_quoted(quoted: String) -> Self {
        let (tag, given) = (tag(&quoted), quoted.len());
        Self { plain: OnceLock::new(), quoted: OnceLock::from(quoted), gzip: OnceLock::new(), tag, given }
    }

    /// As it is, on the first call.
    #[must_use]
    pub fn plain(&self) -> &str {
        self.plain.get_or_init(|| {
            let quoted = self.quoted.get().map(String::as_str);
            // What was quoted here is never refused.
            quoted.and_then(|quoted| serde_json::from_str(quoted).ok()).unwrap_or_default()
        })
    }

    /// As a JSON string, on the first call.
    #[must_use]
    pub fn quoted(&self) -> &str {
        self.quoted.get_or_init(|| Value::from(self.plain()).to_string())
    }

    /// Compressed, on the first call.
    #[must_use]
    pub fn gzip(&self) -> &Bytes {
        self.gzip.get_or_init(|| {
            let mut encoder = GzEncoder::new(Vec::with_capacity(self.given / 8), Compression::fast());
            // Writing to memory cannot fail.
            let _ = encoder.write_all(self.plain().as_bytes());
            encoder.finish().unwrap_or_default().into()
        })
    }

    /// The entity tag, in quotes.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Bytes of the text that was given.
    #[must_use]
    pub const fn given(&self) -> usize {
        self.given
    }
}

fn tag(text: &str) -> String {
    format!("\"{:032x}\"", xxh3_128(text.as_bytes()))
}
