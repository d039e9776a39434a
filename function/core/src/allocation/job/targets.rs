//! The targets of a job: those of the cluster's objects, of static configs and of sources outside of the cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Discovered, Making, Means};
use crate::allocation::plan::{self, PlannedJob};
use crate::discovery::external::{Answer, ExternalGroup};
use crate::discovery::{Group, static_groups};
use crate::labels::META_PREFIX;
use crate::objects::ObjectKey;
use crate::report::{ObjectRef, Outcome, Report};
use crate::scrape_config::discovery::Role;
use crate::targets::{GroupTargets, Locations, Maker, RuleFilter, TooLarge, Views};

impl PlannedJob {
    pub(super) fn maker(&self, views: Views, making: &Making<'_>) -> Maker<'_> {
        Maker::new(&self.scrape_config, &self.rules, RuleFilter::new(making.filter), making.served, views)
            .within(making.most)
    }

    pub(super) fn discover_all(
        &self,
        query: usize,
        means: &Means<'_>,
        places: &mut Locations,
        discovered: &mut Discovered,
    ) -> Result<(), TooLarge> {
        let Means { making, wanted, .. } = means;
        let mut size = 0;
        for group in self.queries[query].groups(making.index, wanted) {
            let key = (query, group.key());
            if let Some(targets) = self.make(&key, &group, means, places)? {
                size += targets.size();
                if size > making.most {
                    return Err(TooLarge::Job(making.most));
                }
                discovered.insert(key, targets);
            }
        }
        Ok(())
    }

    /// The targets of a group, if the rules keep any. Targets that did not change are taken over.
    pub(super) fn make(
        &self,
        key: &(usize, ObjectKey),
        group: &Group<'_, '_>,
        Means { making, maker, before, .. }: &Means<'_>,
        places: &mut Locations,
    ) -> Result<Option<Arc<GroupTargets>>, TooLarge> {
        let query = key.0;
        if making.filter && !self.rules.keep_group(&self.stages[query], group.labels()) {
            return Ok(None);
        }
        let made = maker.make_group(&self.stages[query], group, before.get(key).map(AsRef::as_ref), places)?;
        Ok((!made.targets.is_empty() || made.too_large() > 0).then(|| Arc::new(made)))
    }

    /// The targets of the job's static configs, and those of its sources.
    pub(super) fn named(
        &self,
        maker: &Maker<'_>,
        answers: &[Arc<[ExternalGroup]>],
        places: &mut Locations,
    ) -> Result<Vec<Arc<GroupTargets>>, TooLarge> {
        let mut named = Vec::new();
        for group in static_groups(&self.scrape_config.service_discovery.r#static) {
            named.push(Arc::new(maker.make(&group.labels, group.targets, places)?));
        }
        let mut known = BTreeMap::new();
        for group in answers.iter().flat_map(|groups| groups.iter()) {
            let wants = |name: &str| match known.get(name) {
                Some(wants) => *wants,
                None => *known.entry(name.to_owned()).or_insert(!name.starts_with(META_PREFIX) || maker.wants(name)),
            };
            let group = group.target_group(wants);
            named.push(Arc::new(maker.make(&group.labels, group.targets, places)?));
        }
        Ok(named)
    }

    /// The last answers of the job's sources, or why the targets of the job are not known. Failures are reported.
    pub(super) fn answers(
        &self,
        making: &Making<'_>,
        report: &mut Report,
    ) -> Result<Vec<Arc<[ExternalGroup]>>, String> {
        let discovers_nodes = self.queries.iter().any(|query| query.role() == Role::Node);
        if let Some(reason) = making.unread_nodes.filter(|_| discovers_nodes) {
            report.push(self.object(), Outcome::Unknown, "kubernetes_sd_configs", reason);
            return Err(reason.to_owned());
        }
        if let Some(reason) = self.not_asked {
            report.push(self.object(), Outcome::Unknown, "", reason);
            return Err(reason.to_owned());
        }
        let mut groups = Vec::new();
        let mut unknown = None;
        for source in &self.sources {
            match making.external.answers.get(&source.key) {
                Some(Answer::Known(known)) => groups.push(Arc::clone(known)),
                Some(Answer::Kept(known, reason)) => {
                    groups.push(Arc::clone(known));
                    let reason = format!("the last targets stay, the source does not answer: {reason}");
                    report.push(self.object(), Outcome::Adjusted, source.wanted.to_string(), reason);
                }
                Some(Answer::Unknown(reason)) => {
                    report.push(self.object(), Outcome::Unknown, source.wanted.to_string(), reason);
                    unknown.get_or_insert_with(|| format!("{}: {reason}", source.wanted));
                }
                None => {
                    unknown.get_or_insert_with(|| format!("{}: it was not asked", source.wanted));
                }
            }
        }
        unknown.map_or(Ok(groups), Err)
    }

    /// How reports name what the job comes from.
    pub(in crate::allocation) fn object(&self) -> ObjectRef {
        self.monitor.clone().unwrap_or_else(|| plan::config_object(&self.scrape_config.job_name))
    }
}
