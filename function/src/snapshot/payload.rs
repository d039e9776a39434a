//! An answer that is the same for everybody: its bytes, compressed once, and its tag.

use std::io::Write;
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use xxhash_rust::xxh3::xxh3_128;

/// Bytes of an answer.
#[derive(Debug)]
pub struct Payload {
    plain: Bytes,
    gzip: OnceLock<Bytes>,
    tag: String,
}

impl Payload {
    /// An answer of these bytes.
    #[must_use]
    pub fn new(plain: impl Into<Bytes>) -> Self {
        let plain = plain.into();
        let tag = format!("\"{:032x}\"", xxh3_128(&plain));
        Self { plain, gzip: OnceLock::new(), tag }
    }

    /// As they are.
    #[must_use]
    pub const fn plain(&self) -> &Bytes {
        &self.plain
    }

    /// Compressed, on the first call.
    #[must_use]
    pub fn gzip(&self) -> &Bytes {
        self.gzip.get_or_init(|| {
            let mut encoder = GzEncoder::new(Vec::with_capacity(self.plain.len() / 8), Compression::fast());
            // Writing to memory cannot fail.
            let _ = encoder.write_all(&self.plain);
            encoder.finish().unwrap_or_default().into()
        })
    }

    /// The entity tag, in quotes.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }
}
