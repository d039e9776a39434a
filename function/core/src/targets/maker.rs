//! From label sets to targets: relabelled, told apart, rendered.

use std::borrow::Cow;

use xxhash_rust::xxh64::xxh64;

use super::{
    GroupTargets, Places, READ_HERE, RESOURCE_LABELS, ServedLabels, Target, TooLarge, Views, ZONE, address_hash,
    node_of, render,
};
use crate::discovery::{Group, Query};
use crate::labels::{ADDRESS, LabelSet, Layers, META_PREFIX};
use crate::relabel::{Outcome, Rest, Rules};
use crate::scrape_config::ScrapeConfig;

/// What is set before the rules run, besides parameters. A target of the merged
/// view must have all of them, or a collector would set them from the job.
const SETTINGS: [&str; 5] = ["__metrics_path__", "__scheme__", "__scrape_interval__", "__scrape_timeout__", "job"];
const PARAM_PREFIX: &str = "__param_";

/// How the targets of a job are made.
#[derive(Debug)]
pub struct Maker<'a> {
    job_name: &'a str,
    rules: &'a Rules,
    filter: bool,
    served: ServedLabels,
    views: Views,
    /// What Prometheus' scrape layer sets before relabelling, unless discovery did.
    seeds: LabelSet<'a>,
    /// Of the labels that are read here, those that are not served.
    hidden: Vec<&'static str>,
    /// How many bytes the targets of a group may take.
    most: usize,
}

/// What the rules make alike of the targets of a part.
#[derive(Debug)]
struct Settled<'l> {
    labels: LabelSet<'l>,
    rest: Rest,
}

/// Targets of a group in the making.
#[derive(Debug)]
struct Made {
    targets: Vec<Target>,
    text: Vec<u8>,
    is_expressible: bool,
    /// Used again from target to target.
    scratch: Vec<u8>,
}

impl Default for Made {
    fn default() -> Self {
        Self { targets: Vec::new(), text: Vec::new(), is_expressible: true, scratch: Vec::new() }
    }
}

impl Made {
    fn finish(self) -> GroupTargets {
        GroupTargets { targets: self.targets.into(), text: self.text.into(), is_expressible: self.is_expressible }
    }
}

impl<'a> Maker<'a> {
    /// Makes targets of the job of `scrape_config`, whose compiled target rules
    /// are `rules`; unless `filter` they decide nothing.
    #[must_use]
    pub fn new(
        scrape_config: &'a ScrapeConfig,
        rules: &'a Rules,
        filter: bool,
        served: ServedLabels,
        views: Views,
    ) -> Self {
        let (job_name, seeds) = (scrape_config.job_name.as_str(), seeds(scrape_config));
        let mut maker = Self { job_name, rules, filter, served, views, seeds, hidden: Vec::new(), most: usize::MAX };
        maker.hidden = READ_HERE.into_iter().filter(|name| !maker.serves(name)).collect();
        maker
    }

    /// Whether discovery must make a label of that name.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.serves(name) || READ_HERE.contains(&name)
    }

    fn serves(&self, name: &str) -> bool {
        self.serves_all() || RESOURCE_LABELS.contains(&name) || self.rules.may_read(name)
    }

    fn serves_all(&self) -> bool {
        self.views.plain && self.served == ServedLabels::All
    }

    /// The same, of which no group may take more bytes than `most`.
    #[must_use]
    pub fn within(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// Makes targets of the label sets that the rules keep: of each of `own` with `shared` below it.
    ///
    /// # Errors
    /// If they are more than can be held.
    pub fn make<'l>(
        &self,
        shared: &LabelSet<'l>,
        own: impl IntoIterator<Item = LabelSet<'l>>,
        places: &mut Places,
    ) -> Result<GroupTargets, TooLarge>
    where
        'a: 'l,
    {
        let mut made = Made::default();
        for own in own {
            let labels = shared.merged(&own);
            let relabelled = self.relabelled(&labels);
            self.add(Layers { under: &LabelSet::new(), over: &labels }, relabelled, places, &mut made)?;
        }
        Ok(made.finish())
    }

    /// The same of a group of discovery: what the rules make alike of all targets of a part is made once.
    ///
    /// # Errors
    /// If they are more than can be held.
    pub fn make_group(
        &self,
        query: &Query,
        group: &Group<'_, '_>,
        places: &mut Places,
    ) -> Result<GroupTargets, TooLarge> {
        let labels: Vec<LabelSet<'_>> = group.parts().iter().map(|part| group.labels().merged(part)).collect();
        let settled: Vec<Option<Settled<'_>>> = labels.iter().map(|labels| self.settled(query, labels)).collect();
        let mut made = Made::default();
        for (part, own) in group.targets_of_parts(|part| !self.filter || settled[part].is_some())? {
            let relabelled = settled[part].as_ref().and_then(|settled| self.finished(settled, &own));
            self.add(Layers { under: &labels[part], over: &own }, relabelled, places, &mut made)?;
        }
        Ok(made.finish())
    }

    /// Adds a target, unless the rules have dropped it.
    fn add(
        &self,
        labels: Layers<'_, '_>,
        relabelled: Option<LabelSet<'_>>,
        places: &mut Places,
        made: &mut Made,
    ) -> Result<(), TooLarge> {
        let Made { targets, text, is_expressible, scratch } = made;
        let identity = match (&relabelled, self.filter) {
            (None, true) => return Ok(()),
            (Some(relabelled), true) => identity(relabelled.iter(), self.job_name, scratch),
            (_, false) => identity(labels.iter(), self.job_name, scratch),
        };
        let start = text.len();
        if self.views.plain {
            render::target(labels.iter().filter(|(name, _)| !self.hidden.contains(name)), text);
        }
        let middle = text.len();
        if let (true, Some(relabelled)) = (self.views.merged, &relabelled) {
            *is_expressible &= SETTINGS.iter().all(|name| relabelled.contains(name));
            self.render_merged(labels, relabelled, text);
        }
        targets.push(Target {
            identity,
            address: address_hash(labels.get(ADDRESS)),
            node: places.intern(node_of(labels)),
            zone: places.intern(labels.get(ZONE)),
            plain: position(start)..position(middle),
            merged: position(middle)..position(text.len()),
        });
        if text.len() + size_of_val(&targets[..]) > self.most { Err(TooLarge::Job(self.most)) } else { Ok(()) }
    }

    /// What the rules make of the labels of a part; `None` if they drop its targets, or if nobody asks.
    fn settled<'l>(&'l self, query: &Query, labels: &'l LabelSet<'_>) -> Option<Settled<'l>> {
        if !self.relabels() {
            return None;
        }
        let mut labels = self.seeds.overlaid(labels);
        let rest = self.rules.settle(&mut labels, |name| query.is_shared_in_parts(name))?;
        Some(Settled { labels, rest })
    }

    /// The labels after the rules that were left; `None` if they drop the target.
    fn finished<'l>(&'l self, settled: &'l Settled<'_>, own: &'l LabelSet<'_>) -> Option<LabelSet<'l>> {
        let mut relabelled = settled.labels.overlaid(own);
        self.rules.apply_rest(&settled.rest, &mut relabelled).then_some(relabelled)
    }

    /// Whether it matters what the rules make of labels.
    const fn relabels(&self) -> bool {
        self.filter || self.views.merged
    }

    /// Relabels what was discovered, telling `watch` of each rule. The labels that identify the
    /// target, and its identity; none if a rule drops it.
    pub fn follow<'l>(
        &'l self,
        labels: &'l LabelSet<'_>,
        watch: impl FnMut(usize, Outcome, &LabelSet<'l>),
    ) -> Option<(LabelSet<'l>, u64)> {
        let identified = if self.filter { self.relabelled_watched(labels, watch)? } else { labels.iter().collect() };
        let identity = identity(identified.iter(), self.job_name, &mut Vec::new());
        Some((identified, identity))
    }

    /// The labels after the rules; `None` if they drop the target, or if nobody asks.
    fn relabelled<'l>(&'l self, labels: &'l LabelSet<'_>) -> Option<LabelSet<'l>> {
        if !self.relabels() {
            return None;
        }
        self.relabelled_watched(labels, |_, _, _| {})
    }

    fn relabelled_watched<'l>(
        &'l self,
        labels: &'l LabelSet<'_>,
        watch: impl FnMut(usize, Outcome, &LabelSet<'l>),
    ) -> Option<LabelSet<'l>> {
        let mut relabelled = self.seeds.overlaid(labels);
        self.rules.apply_watched(&mut relabelled, watch).then_some(relabelled)
    }

    /// What a collector needs to scrape the target and to name its series, and what
    /// it makes resource attributes of. A target without an address is dropped.
    fn render_merged(&self, labels: Layers<'_, '_>, relabelled: &LabelSet<'_>, out: &mut Vec<u8>) {
        if relabelled.get(ADDRESS).is_empty() {
            return;
        }
        let mut lasting: LabelSet<'_> = relabelled.iter().filter(|(name, _)| lasts(name)).collect();
        // A collector takes parameters from the job where a target names none.
        for (name, value) in self.seeds.iter().filter(|(name, _)| name.starts_with(PARAM_PREFIX)) {
            if !lasting.contains(name) {
                lasting.set(name, value);
            }
        }
        for name in RESOURCE_LABELS {
            lasting.set(name, labels.get(name));
        }
        render::target(lasting.iter(), out);
    }
}

/// xxhash64 over names and values, each followed by 0xff, and the job's name.
fn identity<'l>(labels: impl Iterator<Item = (&'l str, &'l str)>, job_name: &str, text: &mut Vec<u8>) -> u64 {
    text.clear();
    for (name, value) in labels {
        // A label without a value is no label once relabelling is done.
        if name.starts_with(META_PREFIX) || value.is_empty() {
            continue;
        }
        for part in [name, value] {
            text.extend_from_slice(part.as_bytes());
            text.push(0xff);
        }
    }
    text.extend_from_slice(job_name.as_bytes());
    xxh64(text, 0)
}

/// Whether a label means something to a collector that applies no rules.
fn lasts(name: &str) -> bool {
    !name.starts_with("__") || name == ADDRESS || SETTINGS.contains(&name) || name.starts_with(PARAM_PREFIX)
}

fn seeds(config: &ScrapeConfig) -> LabelSet<'_> {
    let texts: [Cow<'_, str>; 5] = [
        config.metrics_path.as_str().into(),
        config.scheme.as_str().into(),
        config.scrape_interval.to_string().into(),
        config.scrape_timeout.to_string().into(),
        config.job_name.as_str().into(),
    ];
    let settings = SETTINGS.iter().map(|name| Cow::Borrowed(*name)).zip(texts);
    let params = config.params.iter().filter_map(|(name, values)| {
        Some((Cow::Owned(format!("{PARAM_PREFIX}{name}")), Cow::Borrowed(values.first()?.as_str())))
    });
    settings.chain(params).filter(|(_, value)| !value.is_empty()).collect()
}

/// Texts of one group are far below 4 GB: [`Maker::within`] sees to it.
fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
