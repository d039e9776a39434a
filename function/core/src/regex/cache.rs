//! Parses and compiles each regular expression once, although many rules use it.
//!
//! Input: patterns in Go's syntax. Output: shared matchers. The jobs of monitors have nearly equal rules, because the
//! operator generates most of them. Without a cache, each plan would parse and compile each of these rules again.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use foldhash::HashMap;

use super::{GoRegex, Purpose, RegexError};

/// Regular expressions that Go accepts, with the matchers of those that are in use.
///
/// A cache lives as long as one plan. It holds only texts. A matcher is freed together with the last rule that uses it,
/// so a refused job does not take memory for its matchers until the end of the plan.
#[derive(Debug, Default)]
pub struct RegexCache {
    accepted: RefCell<HashMap<Box<str>, Matchers>>,
}

/// The matchers of one pattern that rules use at the moment.
#[derive(Debug, Default)]
struct Matchers {
    without_groups: Weak<GoRegex>,
    with_groups: Weak<GoRegex>,
}

impl Matchers {
    const fn for_purpose(&mut self, purpose: Purpose) -> &mut Weak<GoRegex> {
        match purpose {
            Purpose::Match => &mut self.without_groups,
            Purpose::Groups => &mut self.with_groups,
        }
    }
}

impl RegexCache {
    /// Checks whether Go accepts `pattern`, as [`GoRegex::check`].
    ///
    /// # Errors
    /// [`RegexError`] if Go refuses the pattern, or the pattern nests too deeply.
    pub fn check(&self, pattern: &str) -> Result<(), RegexError> {
        if self.accepted.borrow().contains_key(pattern) {
            return Ok(());
        }
        GoRegex::check(pattern)?;
        self.accepted.borrow_mut().insert(pattern.into(), Matchers::default());
        Ok(())
    }

    /// Compiles `pattern`, as [`GoRegex::new`].
    ///
    /// # Errors
    /// [`RegexError`] if Go refuses the pattern, or the pattern is too large.
    pub fn compile(&self, pattern: &str, purpose: Purpose) -> Result<Arc<GoRegex>, RegexError> {
        let mut accepted = self.accepted.borrow_mut();
        let compiled = accepted.get_mut(pattern).and_then(|matchers| matchers.for_purpose(purpose).upgrade());
        if let Some(regex) = compiled {
            return Ok(regex);
        }
        let regex = Arc::new(GoRegex::new(pattern, purpose)?);
        *accepted.entry(pattern.into()).or_default().for_purpose(purpose) = Arc::downgrade(&regex);
        Ok(regex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_compiled_once_for_each_purpose() {
        let cache = RegexCache::default();
        cache.check("a(.*)").unwrap();
        let [first, second] = [0; 2].map(|_| cache.compile("a(.*)", Purpose::Groups).unwrap());
        assert!(Arc::ptr_eq(&first, &second));
        let without_groups = cache.compile("a(.*)", Purpose::Match).unwrap();
        assert!(!Arc::ptr_eq(&first, &without_groups));
        assert!(without_groups.is_match("ab"));
    }

    #[test]
    fn a_matcher_is_freed_with_its_last_rule() {
        let cache = RegexCache::default();
        let matcher = Arc::downgrade(&cache.compile("a+", Purpose::Match).unwrap());
        assert!(matcher.upgrade().is_none());
        assert!(cache.compile("a+", Purpose::Match).unwrap().is_match("aa"));
    }

    #[test]
    fn a_refused_pattern_stays_refused() {
        let cache = RegexCache::default();
        for _ in 0..2 {
            assert_eq!(cache.check("("), Err(RegexError::MissingParenthesis));
            assert_eq!(cache.compile("(", Purpose::Match).err(), Some(RegexError::MissingParenthesis));
        }
    }
}
