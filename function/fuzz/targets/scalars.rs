//! Durations, sizes, URLs, quantities and selectors: what is read is printed so that it reads the same.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use target_allocator_core::duration::Duration;
use target_allocator_core::objects::monitoring::quantity::Quantity;
use target_allocator_core::scrape_config::url::GoUrl;
use target_allocator_core::selector::{FieldSelector, Selector};
use target_allocator_core::size::Size;

fn reads_back<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(value: &T) {
    let printed = value.to_string();
    assert_eq!(printed.parse::<T>().as_ref().ok(), Some(value), "{printed:?}");
}

fuzz_target!(|text: &str| {
    let (prometheus, go) = (text.parse::<Duration>(), Duration::parse_go(text));
    for duration in prometheus.iter().chain(&go) {
        reads_back(duration);
    }
    if let (Ok(prometheus), Ok(go)) = (prometheus, go) {
        assert_eq!(prometheus, go, "{text:?}");
    }
    if let Ok(size) = text.parse::<Size>() {
        // Go prints a sign before each part of a negative size, and reads one only.
        if size.as_bytes() >= 0 {
            reads_back(&size);
        }
    }
    if let Ok(url) = text.parse::<GoUrl>() {
        let printed = url.to_string();
        // An escaped slash may print as one that begins a host: `x:/%2F` and a character that is escaped. Go does so, too.
        if !text.contains('%') {
            assert_eq!(printed.parse::<GoUrl>().map(|again| again.to_string()).as_ref(), Ok(&printed), "{text:?}");
        }
        assert!(!url.has_password() || url.redacted().to_string().contains("xxxxx"), "{text:?}");
    }
    if let Ok(quantity) = serde_json::from_value::<Quantity>(Value::from(text)) {
        assert!(quantity.as_f64().is_finite(), "{text:?}");
    }
    let _ = text.parse::<Selector>();
    let _ = text.parse::<FieldSelector>();
});
