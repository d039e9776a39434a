//! The interface of a role: the labels of an object's group, of its parts, and of its targets.

use super::bounded::{PartTarget, TooMany};
use super::index::Prepared;
use super::passed_over::PassedOver;
use super::view::View;
use crate::labels::LabelSet;
use crate::selector::Selectable;

/// An object that service discovery turns into a group of targets. Each role implements it in a file of its own.
pub(super) trait RoleObject: Selectable + Sized {
    /// The labels of all targets of the object.
    fn labels<'a>(view: View<'a, '_>, object: &'a Prepared<Self>) -> Result<LabelSet<'a>, PassedOver>;

    /// The labels that the targets of each part share, without the labels of the group. Most objects have one part.
    fn parts<'a>(_: View<'a, '_>, _: &'a Prepared<Self>) -> Vec<LabelSet<'a>> {
        vec![LabelSet::new()]
    }

    /// The targets of the parts at these positions, in the order of discovery.
    fn targets<'a>(
        view: View<'a, '_>,
        object: &'a Prepared<Self>,
        parts: &[usize],
    ) -> Result<Vec<PartTarget<'a>>, TooMany>;
}
