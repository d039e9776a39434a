//! One page of a list, decoded object by object: one that cannot be read is
//! reported and skipped, the rest of the page stands.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use target_allocator_core::objects::{Collection, Metadata, Object};
use target_allocator_core::report::{ObjectRef, Outcome, Report};

/// A page as it came: the items are still text.
#[derive(Deserialize)]
pub struct Page<'a> {
    /// Where the list goes on.
    pub metadata: PageMetadata,
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

/// `metadata` of a list.
#[derive(Deserialize)]
pub struct PageMetadata {
    /// Token of the next page; absent or empty on the last.
    #[serde(rename = "continue", default)]
    pub next: String,
}

impl Page<'_> {
    /// Puts the objects into `collection`.
    pub fn decode_into<T: Object + DeserializeOwned>(&self, collection: &mut Collection<T>, report: &mut Report) {
        for item in &self.items {
            decode(item.get().as_bytes(), collection, report);
        }
    }
}

/// Puts one object into `collection`, or reports it.
pub fn decode<T: Object + DeserializeOwned>(item: &[u8], collection: &mut Collection<T>, report: &mut Report) {
    match serde_json::from_slice::<T>(item) {
        Ok(object) => collection.insert(object),
        Err(error) => report_malformed::<T>(metadata_of(item), &error, report),
    }
}

/// Reports an object that could not be read, by as much of its name as can be.
pub fn report_malformed<T: Object>(metadata: Metadata, error: &serde_json::Error, report: &mut Report) {
    let object = ObjectRef::new(T::KIND, metadata.namespace, metadata.name);
    report.push(object, Outcome::Malformed, "", format_args!("the object cannot be read and is passed over: {error}"));
}

fn metadata_of(item: &[u8]) -> Metadata {
    #[derive(Deserialize, Default)]
    struct Named {
        #[serde(default)]
        metadata: Metadata,
    }
    serde_json::from_slice::<Named>(item).unwrap_or_default().metadata
}

#[cfg(test)]
mod tests {
    use target_allocator_core::objects::Pod;

    use super::*;

    #[test]
    fn a_malformed_object_is_skipped_alone_and_named() {
        let page: Page<'_> = serde_json::from_str(
            r#"{"metadata": {"continue": "next"}, "items": [
                {"metadata": {"namespace": "shop", "name": "web"}},
                {"metadata": {"namespace": "shop", "name": "bad"}, "spec": {"containers": "none"}},
                {"metadata": 7},
                {"metadata": {"namespace": "shop", "name": "null"}, "spec": null, "status": {"podIP": null}}
            ]}"#,
        )
        .unwrap();
        let (mut pods, mut report) = (Collection::<Pod>::default(), Report::default());
        page.decode_into(&mut pods, &mut report);
        let names: Vec<_> = pods.iter().map(|pod| pod.metadata.name.as_str()).collect();
        assert_eq!(names, ["null", "web"]);
        let reported: Vec<_> = report.entries().iter().map(|entry| entry.object.to_string()).collect();
        assert_eq!(reported, ["Pod/shop/bad", "Pod/"]);
        assert_eq!(page.metadata.next, "next");
    }
}
