//! The targets of a job: from Kubernetes objects, from static configs and from external sources.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{CommonInputs, Discovered, JobInputs, Size};
use crate::allocation::planned_job::PlannedJob;
use crate::discovery::{Group, SourceAnswer, SourceGroup, static_groups};
use crate::labels::META_PREFIX;
use crate::objects::ObjectKey;
use crate::report::{Outcome, Report};
use crate::scrape_config::discovery::Role;
use crate::targets::{GroupTargets, Locations, Maker, RuleFilter, TooLarge, Views};

impl PlannedJob {
    pub(super) fn maker(&self, views: Views, common: &CommonInputs<'_>) -> Maker<'_> {
        Maker::new(&self.scrape_config, &self.rules, RuleFilter::new(common.filter), common.served, views)
            .within(common.most)
    }

    pub(super) fn discover_all(
        &self,
        query: usize,
        inputs: &JobInputs<'_>,
        places: &mut Locations,
        size: &mut Size,
        discovered: &mut Discovered,
    ) -> Result<(), TooLarge> {
        let JobInputs { common, wanted, .. } = inputs;
        for group in self.queries[query].groups(common.index, wanted) {
            let key = (query, group.key());
            if let Some(targets) = self.make(&key, &group, inputs, places)? {
                size.add(&targets)?;
                discovered.insert(key, targets);
            }
        }
        Ok(())
    }

    /// The targets of a group. `None` if the rules drop all of them. Unchanged targets are reused.
    pub(super) fn make(
        &self,
        key: &(usize, ObjectKey),
        group: &Group<'_, '_>,
        JobInputs { common, maker, before, .. }: &JobInputs<'_>,
        places: &mut Locations,
    ) -> Result<Option<Arc<GroupTargets>>, TooLarge> {
        let query = key.0;
        if common.filter && !self.rules.keep_group(&self.stages[query], group.labels()) {
            return Ok(None);
        }
        let made = maker.make_group(&self.stages[query], group, before.get(key).map(AsRef::as_ref), places)?;
        Ok((!made.targets.is_empty() || made.too_large() > 0).then(|| Arc::new(made)))
    }

    /// The targets of the static configs and external sources of a job.
    pub(super) fn named(
        &self,
        maker: &Maker<'_>,
        answers: &[Arc<[SourceGroup]>],
        places: &mut Locations,
        size: &mut Size,
    ) -> Result<Vec<Arc<GroupTargets>>, TooLarge> {
        let mut named = Vec::new();
        for group in static_groups(&self.scrape_config.service_discovery.r#static) {
            let made = maker.make(&group.labels, group.targets, places)?;
            size.add(&made)?;
            named.push(Arc::new(made));
        }
        let mut known = BTreeMap::new();
        for group in answers.iter().flat_map(|groups| groups.iter()) {
            let wants = |name: &str| match known.get(name) {
                Some(wants) => *wants,
                None => *known.entry(name.to_owned()).or_insert(!name.starts_with(META_PREFIX) || maker.wants(name)),
            };
            let group = group.target_group(wants);
            let made = maker.make(&group.labels, group.targets, places)?;
            size.add(&made)?;
            named.push(Arc::new(made));
        }
        Ok(named)
    }

    /// The last answers of the external sources of a job, or the reason why its targets are unknown. Failures are
    /// reported.
    pub(super) fn answers(
        &self,
        common: &CommonInputs<'_>,
        report: &mut Report,
    ) -> Result<Vec<Arc<[SourceGroup]>>, String> {
        let discovers_nodes = self.queries.iter().any(|query| query.role() == Role::Node);
        if let Some(reason) = common.unread_nodes.filter(|_| discovers_nodes) {
            report.push(self.object(), Outcome::Unknown, "kubernetes_sd_configs", reason);
            return Err(reason.to_owned());
        }
        if let Some(reason) = &self.not_requested {
            report.push(self.object(), Outcome::Unknown, "", reason);
            return Err(reason.clone());
        }
        let mut groups = Vec::new();
        let mut unknown = None;
        for source in &self.sources {
            match common.external.answers.get(&source.key) {
                Some(SourceAnswer::Known(known)) => groups.push(Arc::clone(known)),
                Some(SourceAnswer::Kept(known, reason)) => {
                    groups.push(Arc::clone(known));
                    let reason = format!("the last targets stay, the source does not answer: {reason}");
                    report.push(self.object(), Outcome::Adjusted, source.request.to_string(), reason);
                }
                Some(SourceAnswer::Unknown(reason)) => {
                    report.push(self.object(), Outcome::Unknown, source.request.to_string(), reason);
                    unknown.get_or_insert_with(|| format!("{}: {reason}", source.request));
                }
                None => {
                    unknown.get_or_insert_with(|| format!("{}: it was not asked", source.request));
                }
            }
        }
        unknown.map_or(Ok(groups), Err)
    }
}
