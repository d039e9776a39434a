//! A list that is read page by page, and what makes it a list of the expected kind.
//!
//! Input: the pieces of each page. Output: the objects, or why the answer is not the list that was asked for.
//! Whether it can be believed that objects are gone is the matter of [`super::trust`].

use target_allocator_core::objects::Collection;

use super::encoding::{Encoding, Listing, Readable, Unreadable};
use super::parts::{Expected, PageMetadata};
use super::reading::Known;
use super::wrong::WrongAnswer;

/// The pages of one list.
///
/// Every page is a `<Kind>List` of the expected `apiVersion` with `items` and `metadata.resourceVersion`. All pages have
/// the same version. Every item is an object with a name, of the expected kind where it states one, and of the expected
/// namespace. An object that breaks no rule and cannot be read is left out alone.
pub struct Pages<T> {
    /// The type and the namespace of the objects.
    expected: Expected,
    /// The page that is being read.
    page: Listing,
    /// The version of the first page.
    version: String,
    /// The continue token that leads to the page that is being read.
    token: String,
    /// The first item that is no object of the expected type.
    wrong: Option<WrongAnswer>,
    objects: Collection<T>,
    known: Known,
}

impl<T: Readable> Pages<T> {
    /// Expects a list of such objects.
    pub fn of(expected: impl Into<Expected>) -> Self {
        Self {
            expected: expected.into(),
            page: Listing::new(Encoding::Json),
            version: String::new(),
            token: String::new(),
            wrong: None,
            objects: Collection::default(),
            known: Known::default(),
        }
    }

    /// Begins a page.
    pub fn begin(&mut self, encoding: Encoding) -> Result<(), Unreadable> {
        if encoding == Encoding::Protobuf && T::MESSAGE.is_none() {
            return Err(WrongAnswer::Encoding.into());
        }
        self.page = Listing::new(encoding);
        Ok(())
    }

    /// Reads the next piece of the page; how many items end in this piece.
    pub fn feed(&mut self, piece: &[u8]) -> Result<usize, Unreadable> {
        let Self { expected, page, wrong, objects, known, .. } = self;
        known.bytes += piece.len();
        let mut items = 0;
        page.feed(piece, |item| {
            items += 1;
            if wrong.is_none() {
                *wrong = known.accept(item, expected, objects).err();
            }
        })?;
        Ok(items)
    }

    /// Ends the page; the token of the next page, or `None` after the last page.
    pub fn end(&mut self) -> Result<Option<String>, Unreadable> {
        let PageMetadata { next, resource_version } = self.page.page()?.of(&self.expected.type_meta.list())?;
        if let Some(wrong) = self.wrong.take() {
            return Err(wrong.into());
        }
        if self.version.is_empty() {
            self.version.clone_from(&resource_version);
        } else if self.version != resource_version {
            let first = self.version.clone();
            return Err(WrongAnswer::Pages { first, then: resource_version }.into());
        }
        if next.is_empty() {
            return Ok(None);
        }
        if next == self.token {
            return Err(WrongAnswer::Circle.into());
        }
        self.token.clone_from(&next);
        Ok(Some(next))
    }

    /// The objects of all pages, once the last page has ended.
    pub fn finish(self) -> (Collection<T>, Known) {
        let Self { version, objects, mut known, .. } = self;
        known.list_bytes = known.bytes;
        known.seen.clone_from(&version);
        known.version = version;
        (objects, known)
    }
}

#[cfg(test)]
mod tests;
