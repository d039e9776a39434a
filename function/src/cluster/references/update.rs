//! What is known of the referenced objects, and how one refresh changes that.
//!
//! Input: what was known before, lists of versions, and what the API server says of single objects. Output: the
//! objects, the reasons why others cannot be read, and a report. Nothing here talks to the API server.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use target_allocator_core::allocation::ReadScope;
use target_allocator_core::objects::{Collection, ConfigMap, ReferencedObject, Secret};
use target_allocator_core::report::{ObjectRef, Outcome, Report};

use super::{Found, Read, Value, Versions};
use crate::cluster::Reading;
use crate::cluster::known_references::{Known, References, Scope, State, resource};
use crate::moment::Moment;

/// How many known objects are read again in each refresh, at least.
///
/// Up to this number a changed Secret is noticed with the next refresh. Of more, each refresh reads a part: reading
/// 1,600 Secrets every 15 s is 100 requests a second for each environment.
const MOST_AGAIN: usize = 100;

/// Within how many refreshes every known object is read again.
const ROUND: usize = 4;

/// A list of versions is read for this number of objects or more.
const WORTH_LISTING: usize = 50;

/// The most bytes of a list of versions for each object that is looked for. Decoding a list of that size takes as
/// long as reading the object.
const WORTH_BYTES: usize = 30 << 10;

/// When a list that was refused, or not worth it, is tried again.
const TRY_LIST_AGAIN: Duration = Duration::from_secs(600);

/// The most bytes of all referenced objects, as JSON. Past it the largest are let go.
const MOST_KEPT: usize = 64 << 20;

/// One refresh.
pub struct Update {
    references: BTreeSet<ReferencedObject>,
    known: BTreeMap<ReferencedObject, Known>,
    secrets: Collection<Secret>,
    config_maps: Collection<ConfigMap>,
    /// Objects that a list shows to be as they were, and others that changed.
    confirmed: BTreeSet<ReferencedObject>,
    changed: BTreeSet<ReferencedObject>,
    tried: BTreeSet<Scope>,
    avoided: BTreeMap<Scope, Moment>,
    refresh: u64,
    /// Whether only some namespaces are read, so that no list is one of the whole cluster.
    is_narrow: bool,
    keep: Duration,
    most_kept: usize,
    kept: usize,
    bytes: usize,
}

impl Update {
    /// Begins with what `reading` knows of these objects.
    pub fn new(references: &BTreeSet<ReferencedObject>, reading: &Reading) -> Self {
        let References { known, avoided, refreshes } = reading.references.clone();
        let mut update = Self {
            references: references.clone(),
            known: known.into_iter().filter(|(reference, _)| references.contains(reference)).collect(),
            secrets: Collection::default(),
            config_maps: Collection::default(),
            confirmed: BTreeSet::new(),
            changed: BTreeSet::new(),
            tried: BTreeSet::new(),
            avoided: avoided.into_iter().filter(|(_, since)| since.elapsed() < TRY_LIST_AGAIN).collect(),
            refresh: refreshes + 1,
            is_narrow: reading.scope != ReadScope::Cluster,
            keep: reading.keep,
            most_kept: MOST_KEPT,
            kept: 0,
            bytes: 0,
        };
        update.take_over(reading);
        update
    }

    fn take_over(&mut self, reading: &Reading) {
        for (reference, known) in &self.known {
            let State::Found { bytes, .. } = known.state else { continue };
            self.kept += bytes;
            let (namespace, name) = (reference.namespace(), reference.name());
            match reference {
                ReferencedObject::Secret { .. } => {
                    if let Some(secret) = reading.cluster.secrets.get(namespace, name) {
                        self.secrets.insert(Arc::clone(secret));
                    }
                }
                ReferencedObject::ConfigMap { .. } => {
                    if let Some(config_map) = reading.cluster.config_maps.get(namespace, name) {
                        self.config_maps.insert(Arc::clone(config_map));
                    }
                }
            }
        }
    }

    /// The next list of versions that is worth reading: of all namespaces, or else of one with many of the objects.
    pub fn next_list(&mut self) -> Option<Scope> {
        let mut numbers: BTreeMap<Scope, usize> = BTreeMap::new();
        let open = |reference: &&ReferencedObject| !self.is_settled(reference) && !self.is_compared(reference);
        for reference in self.known.keys().filter(open) {
            let resource = resource(reference);
            let whole = (!self.is_narrow).then_some(None);
            for namespace in whole.into_iter().chain([Some(reference.namespace().to_owned())]) {
                *numbers.entry(Scope { resource, namespace }).or_default() += 1;
            }
        }
        // All namespaces come first: nothing orders before it.
        let mut worth = numbers.into_iter().filter(|(_, number)| *number >= WORTH_LISTING).map(|(scope, _)| scope);
        let next = worth.find(|scope| !self.avoided.contains_key(scope) && !self.tried.contains(scope))?;
        self.tried.insert(next.clone());
        Some(next)
    }

    /// Whether a list told enough of it.
    fn is_settled(&self, reference: &ReferencedObject) -> bool {
        self.confirmed.contains(reference) || self.changed.contains(reference)
    }

    fn is_compared(&self, reference: &ReferencedObject) -> bool {
        let namespaces = [None, Some(reference.namespace().to_owned())];
        namespaces.into_iter().any(|namespace| {
            let scope = Scope { resource: resource(reference), namespace };
            self.tried.contains(&scope) && !self.avoided.contains_key(&scope)
        })
    }

    /// Does not read this list for a while.
    pub fn avoid(&mut self, scope: Scope) {
        self.avoided.insert(scope, Moment::now());
    }

    /// Compares versions with those that are known. A list only confirms objects: one that it does not show as
    /// it was is read by its name, so a wrong list loses nothing.
    pub fn compare(&mut self, scope: &Scope, versions: &Versions, bytes: usize) {
        self.bytes += bytes;
        let mut number = 0;
        for (reference, known) in self.known.iter_mut().filter(|(reference, _)| scope.contains(reference)) {
            number += 1;
            let key = (reference.namespace().to_owned(), reference.name().to_owned());
            match (&known.state, versions.get(&key)) {
                (State::Found { version, .. }, Some(now)) if version == now && !now.is_empty() => {
                    (known.read, known.asked) = (Moment::now(), self.refresh);
                    known.doubt = None;
                    self.confirmed.insert(reference.clone());
                }
                (State::Found { .. }, _) | (State::Absent, Some(_)) => {
                    self.changed.insert(reference.clone());
                }
                (State::Absent, None) | (State::Unreadable(_), _) => {}
            }
        }
        if bytes > number * WORTH_BYTES {
            self.avoid(scope.clone());
        }
    }

    /// The objects to read by their names: new ones, changed ones, and of the others those that were not asked
    /// for longest.
    pub fn due(&self) -> Vec<ReferencedObject> {
        let is_new = |reference: &&ReferencedObject| !self.known.contains_key(reference);
        let mut due: Vec<_> = self.references.iter().filter(is_new).chain(&self.changed).cloned().collect();
        let mut again: Vec<_> = self.known.iter().filter(|(reference, _)| !self.is_settled(reference)).collect();
        again.sort_by_key(|(_, known)| known.asked);
        let number = MOST_AGAIN.max(self.references.len().div_ceil(ROUND));
        due.extend(again.into_iter().take(number).map(|(reference, _)| reference.clone()));
        due
    }

    /// Takes what the API server says of an object.
    pub fn take(&mut self, reference: ReferencedObject, read: Read, bytes: usize) {
        self.bytes += bytes;
        match read {
            Read::Found(Found { object, version, bytes }) => {
                match object {
                    Value::Secret(secret) => self.secrets.update(secret),
                    Value::ConfigMap(config_map) => self.config_maps.update(config_map),
                }
                self.set(reference, State::Found { version, bytes });
                self.let_go_of_the_largest();
            }
            Read::Absent => self.set(reference, State::Absent),
            Read::Unusable(reason) => self.set(reference, State::Unreadable(reason.into())),
            Read::Forbidden(message) => self.forbid(reference, &message),
        }
    }

    /// An object that was read before keeps its value for a while: a role may be edited by mistake, and a webhook
    /// that decides on access may fail. DIFFERENCE(forbidden-secret): the operator keeps the value until a restart.
    fn forbid(&mut self, reference: ReferencedObject, message: &str) {
        let example = if self.is_narrow { "examples/rbac-namespaced.yaml" } else { "examples/rbac.yaml" };
        let reason: Arc<str> = format!(
            "the function may not read it, grant get on {} in the namespace {} ({example}): {message}",
            resource(&reference),
            reference.namespace(),
        )
        .into();
        match self.known.get_mut(&reference) {
            Some(known) if matches!(known.state, State::Found { .. }) && known.read.elapsed() < self.keep => {
                (known.asked, known.doubt) = (self.refresh, Some(reason));
            }
            _ => self.set(reference, State::Unreadable(reason)),
        }
    }

    fn set(&mut self, reference: ReferencedObject, state: State) {
        if let State::Found { bytes, .. } = state {
            self.kept += bytes;
        } else {
            let (namespace, name) = (reference.namespace(), reference.name());
            match reference {
                ReferencedObject::Secret { .. } => _ = self.secrets.remove(namespace, name),
                ReferencedObject::ConfigMap { .. } => _ = self.config_maps.remove(namespace, name),
            }
        }
        let known = Known { state, read: Moment::now(), asked: self.refresh, doubt: None };
        if let Some(Known { state: State::Found { bytes, .. }, .. }) = self.known.insert(reference, known) {
            self.kept -= bytes;
        }
    }

    /// The smallest objects stay, in whatever order all of them arrive.
    fn let_go_of_the_largest(&mut self) {
        while self.kept > self.most_kept {
            let found = self.known.iter().filter_map(|(reference, known)| match known.state {
                State::Found { bytes, .. } => Some((bytes, Reverse(reference))),
                _ => None,
            });
            let Some((_, Reverse(largest))) = found.max() else { return };
            let largest = largest.clone();
            let reason = format!(
                "is among the largest of all secrets and configmaps that monitors name, together they have more than \
                 {} MiB, make it smaller",
                self.most_kept >> 20
            );
            self.set(largest, State::Unreadable(reason.into()));
        }
    }

    /// Ends the refresh.
    pub fn finish(mut self, reading: &mut Reading) {
        self.end_doubts();
        self.secrets.share_with(&reading.cluster.secrets);
        self.config_maps.share_with(&reading.cluster.config_maps);
        reading.assets = self.report();
        reading.bytes += self.bytes;
        let unreadable = self.known.iter().filter_map(|(reference, known)| match &known.state {
            State::Unreadable(reason) => Some((reference.clone(), Arc::clone(reason))),
            State::Found { .. } | State::Absent => None,
        });
        reading.cluster.unreadable = unreadable.collect();
        (reading.cluster.secrets, reading.cluster.config_maps) = (self.secrets, self.config_maps);
        reading.references = References { known: self.known, avoided: self.avoided, refreshes: self.refresh };
    }

    /// An object that could not be read for too long is not used any more.
    fn end_doubts(&mut self) {
        let ended: Vec<_> = self
            .known
            .iter()
            .filter(|(_, known)| known.read.elapsed() >= self.keep)
            .filter_map(|(reference, known)| Some((reference.clone(), known.doubt.clone()?)))
            .collect();
        for (reference, reason) in ended {
            self.set(reference, State::Unreadable(reason));
        }
    }

    fn report(&self) -> Report {
        let mut report = Report::default();
        for (reference, known) in &self.known {
            let Some(reason) = &known.doubt else { continue };
            let object = ObjectRef::new(reference.kind(), reference.namespace(), reference.name());
            let text = format_args!("its last value is used for {} s at most: {reason}", self.keep.as_secs());
            report.push(object, Outcome::Adjusted, "", text);
        }
        report
    }
}

#[cfg(test)]
mod tests;
