//! The position of a target in a job.

use std::sync::Arc;

use crate::targets::{GroupTargets, Target};

/// A target by its group and its position in the group.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) group: Arc<GroupTargets>,
    pub(super) position: u32,
}

impl Place {
    /// The target with its group.
    pub(super) fn target(&self) -> (&GroupTargets, &Target) {
        (&self.group, &self.group.targets[self.position as usize])
    }
}
