//! From label sets to targets: relabelled, told apart, rendered.

use std::borrow::Cow;
use std::ops::Range;

use foldhash::{HashMap, HashMapExt};
use xxhash_rust::xxh64::xxh64;

use super::{
    GroupTargets, Places, READ_HERE, RESOURCE_LABELS, ServedLabels, Target, Text, TooLarge, Views, ZONE, address_hash,
    is_of_each, node_of, render, slice,
};
use crate::discovery::{Group, Query};
use crate::labels::{ADDRESS, LabelSet, Layers, META_PREFIX};
use crate::relabel::{Outcome, Rest, Rules};
use crate::scrape_config::ScrapeConfig;

/// What is set before the rules run, besides parameters. A target of the merged
/// view must have all of them, or a collector would set them from the job.
const SETTINGS: [&str; 5] = ["__metrics_path__", "__scheme__", "__scrape_interval__", "__scrape_timeout__", "job"];
const PARAM_PREFIX: &str = "__param_";

/// What rules can set to change how Prometheus scrapes a target (`scrape/target.go`), beside [`SETTINGS`].
const OPTIONS: [&str; 3] =
    ["__always_scrape_classic_histograms__", "__convert_classic_histograms_to_nhcb__", "__scrape_native_histograms__"];

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

/// What a target of a group was made of: its part of the group, and the hash of its labels.
#[derive(Debug, Clone, Copy)]
struct Origin {
    part: usize,
    made_of: u64,
}

/// What the rules make alike of the targets of a part.
#[derive(Debug)]
struct Settled<'l> {
    labels: LabelSet<'l>,
    rest: Rest,
}

/// What the rules make of a target.
enum Relabelled<'l> {
    Labels(LabelSet<'l>),
    /// They drop it, or nobody asks.
    Nothing,
    /// They write too much to it.
    TooLarge,
}

impl<'l> Relabelled<'l> {
    fn new(outcome: Outcome, labels: LabelSet<'l>) -> Self {
        match outcome {
            Outcome::Kept => Self::Labels(labels),
            Outcome::Dropped => Self::Nothing,
            Outcome::TooLarge => Self::TooLarge,
        }
    }
}

/// The targets of a group as it was, by what they were made of.
struct Known<'b> {
    group: &'b GroupTargets,
    positions: HashMap<u64, usize>,
}

impl<'b> Known<'b> {
    fn new(group: &'b GroupTargets) -> Self {
        let positions = group.targets.iter().zip(0..).map(|(target, position)| (target.made_of, position));
        Self { group, positions: positions.collect() }
    }

    fn target(&self, made_of: u64) -> Option<(&'b GroupTargets, &'b Target)> {
        let position = self.positions.get(&made_of)?;
        Some((self.group, self.group.targets.get(*position)?))
    }
}

/// Targets of a group in the making.
#[derive(Debug)]
struct Made {
    targets: Vec<Target>,
    text: String,
    /// As in [`GroupTargets`].
    served: usize,
    inexpressible: usize,
    too_large: usize,
    /// How the plain texts of the targets of a part end, once there is one.
    ends: Vec<Option<Range<u32>>>,
    /// What targets have alike, by its hash.
    alike: HashMap<u64, Range<u32>>,
    /// Used again from target to target.
    scratch: Vec<u8>,
}

impl Made {
    /// Nothing yet, in so many parts.
    fn new(parts: usize) -> Self {
        Self {
            targets: Vec::new(),
            text: String::new(),
            served: 0,
            inexpressible: 0,
            too_large: 0,
            ends: vec![None; parts],
            alike: HashMap::new(),
            scratch: Vec::new(),
        }
    }

    /// Hash of labels of a target that come after those of that hash.
    fn hash<'l>(&mut self, seed: u64, labels: impl Iterator<Item = (&'l str, &'l str)>) -> u64 {
        join(labels, &mut self.scratch);
        xxh64(&self.scratch, seed)
    }

    /// Adds a target of another group as it is.
    fn take_over(&mut self, part: usize, group: &GroupTargets, target: &Target) {
        let Text { own, alike, end } = group.plain(target);
        let end = if end.is_empty() { 0..0 } else { self.end(part, |text| text.push_str(end)) };
        let alike = self.alike(|text| text.push_str(alike));
        let own = self.write(|text| text.push_str(own));
        let merged = self.write(|text| text.push_str(group.merged(target).own));
        self.push(Target { own, alike, end, merged, ..target.clone() });
    }

    fn push(&mut self, target: Target) {
        let texts = [&target.own, &target.alike, &target.end, &target.merged];
        self.served += texts.map(ExactSizeIterator::len).iter().sum::<usize>();
        self.targets.push(target);
    }

    /// Where the end of the plain texts of a part's targets is, which the first of them writes.
    fn end(&mut self, part: usize, write: impl FnOnce(&mut String)) -> Range<u32> {
        if let Some(Some(end)) = self.ends.get(part) {
            return end.clone();
        }
        let end = self.write(write);
        if let Some(known) = self.ends.get_mut(part) {
            *known = Some(end.clone());
        }
        end
    }

    /// Where what is written is, which others may have too: it is held once.
    fn alike(&mut self, write: impl FnOnce(&mut String)) -> Range<u32> {
        let range = self.write(write);
        if range.is_empty() {
            return range;
        }
        let alike = slice(&self.text, &range);
        let hash = xxh64(alike.as_bytes(), 0);
        let known = self.alike.get(&hash).filter(|known| slice(&self.text, known) == alike);
        if let Some(known) = known.cloned() {
            self.text.truncate(range.start as usize);
            return known;
        }
        self.alike.insert(hash, range.clone());
        range
    }

    /// Where what is written to the text is.
    fn write(&mut self, write: impl FnOnce(&mut String)) -> Range<u32> {
        let start = position(self.text.len());
        write(&mut self.text);
        start..position(self.text.len())
    }

    fn within(&self, most: usize) -> Result<(), TooLarge> {
        let size = self.served + size_of_val(&self.targets[..]);
        if size > most { Err(TooLarge::Job(most)) } else { Ok(()) }
    }

    fn finish(self) -> GroupTargets {
        let Self { targets, text, served, inexpressible, too_large, .. } = self;
        GroupTargets { targets: targets.into(), text: text.into(), served, inexpressible, too_large }
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
        let mut made = Made::new(1);
        for own in own {
            let labels = shared.merged(&own);
            let relabelled = self.relabelled(&labels);
            let origin = Origin { part: 0, made_of: 0 };
            self.add(origin, Layers { under: shared, over: &own }, relabelled, places, &mut made)?;
        }
        Ok(made.finish())
    }

    /// The same of a group of discovery: what the rules make alike of all targets of a part is made once.
    /// Targets of `before`, made by the same maker of the same object, are taken over where their labels are the same.
    ///
    /// # Errors
    /// If they are more than can be held.
    pub fn make_group(
        &self,
        query: &Query,
        group: &Group<'_, '_>,
        before: Option<&GroupTargets>,
        places: &mut Places,
    ) -> Result<GroupTargets, TooLarge> {
        // Which of its targets cannot be merged is not known of a group.
        let known = before.filter(|before| before.is_expressible()).map(Known::new);
        let labels: Vec<LabelSet<'_>> = group.parts().iter().map(|part| group.labels().merged(part)).collect();
        let settled: Vec<Option<Settled<'_>>> = labels.iter().map(|labels| self.settled(query, labels)).collect();
        let mut made = Made::new(labels.len());
        let hashes: Vec<u64> = labels.iter().map(|labels| made.hash(0, labels.iter())).collect();
        for (part, own) in group.targets_of_parts(|part| !self.filter || settled[part].is_some())? {
            let made_of = made.hash(hashes[part], own.iter());
            if let Some((group, target)) = known.as_ref().and_then(|known| known.target(made_of)) {
                made.take_over(part, group, target);
                made.within(self.most)?;
                continue;
            }
            let settled = settled[part].as_ref();
            let relabelled = settled.map_or(Relabelled::Nothing, |settled| self.finished(settled, &own));
            let labels = Layers { under: &labels[part], over: &own };
            self.add(Origin { part, made_of }, labels, relabelled, places, &mut made)?;
        }
        Ok(made.finish())
    }

    /// Adds a target, unless the rules have dropped it.
    fn add(
        &self,
        origin: Origin,
        labels: Layers<'_, '_>,
        relabelled: Relabelled<'_>,
        places: &mut Places,
        made: &mut Made,
    ) -> Result<(), TooLarge> {
        if matches!(relabelled, Relabelled::TooLarge) {
            // A collector may still make something of it: the group is not expressible.
            made.too_large += 1;
        }
        let scratch = &mut made.scratch;
        let identity = match &relabelled {
            _ if !self.filter => identity(labels.iter(), self.job_name, scratch),
            Relabelled::Labels(relabelled) => identity(relabelled.iter(), self.job_name, scratch),
            Relabelled::Nothing | Relabelled::TooLarge => return Ok(()),
        };
        let [own, alike, end] =
            if self.views.plain { self.render_plain(origin.part, labels, made) } else { [0..0, 0..0, 0..0] };
        let merged = match &relabelled {
            Relabelled::Labels(relabelled) if self.views.merged && !is_expressible(relabelled) => {
                made.inexpressible += 1;
                0..0
            }
            Relabelled::Labels(relabelled) if self.views.merged => {
                made.write(|text| self.render_merged(labels, relabelled, text))
            }
            _ => 0..0,
        };
        made.push(Target {
            identity,
            address: address_hash(labels.get(ADDRESS)),
            node: places.intern(node_of(labels)),
            zone: places.intern(labels.get(ZONE)),
            made_of: origin.made_of,
            own,
            alike,
            end,
            merged,
        });
        made.within(self.most)
    }

    /// The pieces of the labels as discovered, those that all targets of the part have at the end.
    fn render_plain(&self, part: usize, labels: Layers<'_, '_>, made: &mut Made) -> [Range<u32>; 3] {
        let served = |(name, _): &(&str, &str)| !self.hidden.contains(name);
        if !labels.over.contains(ADDRESS) || labels.overlap() {
            return [made.write(|text| render::target(labels.iter().filter(served), text)), 0..0, 0..0];
        }
        let (under, over) = (labels.under.iter().filter(served), labels.over.iter().filter(served));
        let end = made.end(part, |text| render::end(under, text));
        let alike = made.alike(|text| render::more(over.clone().filter(|(name, _)| !is_of_each(name)), text));
        let own = made.write(|text| render::beginning(over.filter(|(name, _)| is_of_each(name)), text));
        [own, alike, end]
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

    /// The labels after the rules that were left.
    fn finished<'l>(&'l self, settled: &'l Settled<'_>, own: &'l LabelSet<'_>) -> Relabelled<'l> {
        let mut relabelled = settled.labels.overlaid(own);
        Relabelled::new(self.rules.apply_rest(&settled.rest, &mut relabelled), relabelled)
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
        let identified = match self.filter.then(|| self.relabelled_watched(labels, watch)) {
            Some(Relabelled::Labels(relabelled)) => relabelled,
            Some(Relabelled::Nothing | Relabelled::TooLarge) => return None,
            None => labels.iter().collect(),
        };
        let identity = identity(identified.iter(), self.job_name, &mut Vec::new());
        Some((identified, identity))
    }

    /// The labels after the rules.
    fn relabelled<'l>(&'l self, labels: &'l LabelSet<'_>) -> Relabelled<'l> {
        if !self.relabels() {
            return Relabelled::Nothing;
        }
        self.relabelled_watched(labels, |_, _, _| {})
    }

    fn relabelled_watched<'l>(
        &'l self,
        labels: &'l LabelSet<'_>,
        watch: impl FnMut(usize, Outcome, &LabelSet<'l>),
    ) -> Relabelled<'l> {
        let mut relabelled = self.seeds.overlaid(labels);
        Relabelled::new(self.rules.apply_watched(&mut relabelled, watch), relabelled)
    }

    /// What a collector needs to scrape the target and to name its series, and what
    /// it makes resource attributes of. A target without an address is dropped.
    fn render_merged(&self, labels: Layers<'_, '_>, relabelled: &LabelSet<'_>, out: &mut String) {
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

/// Names and values, each followed by 0xff, in place of what is in `text`.
fn join<'l>(labels: impl Iterator<Item = (&'l str, &'l str)>, text: &mut Vec<u8>) {
    text.clear();
    for part in labels.flat_map(|(name, value)| [name, value]) {
        text.extend_from_slice(part.as_bytes());
        text.push(0xff);
    }
}

/// xxhash64 over names and values, each followed by 0xff, and the job's name.
fn identity<'l>(labels: impl Iterator<Item = (&'l str, &'l str)>, job_name: &str, text: &mut Vec<u8>) -> u64 {
    // A label without a value is no label once relabelling is done.
    join(labels.filter(|(name, value)| !name.starts_with(META_PREFIX) && !value.is_empty()), text);
    text.extend_from_slice(job_name.as_bytes());
    xxh64(text, 0)
}

/// Whether a label means something to a collector that applies no rules.
fn lasts(name: &str) -> bool {
    !name.starts_with("__")
        || name == ADDRESS
        || SETTINGS.contains(&name)
        || OPTIONS.contains(&name)
        || name.starts_with(PARAM_PREFIX)
}

/// Whether a target of the merged view can have these labels. A collector would set a missing setting
/// again. A label without a name is what `labelmap` makes of a group that does not exist: Prometheus itself
/// keeps the target and refuses each of its samples, but it refuses a whole list that has such a label.
fn is_expressible(relabelled: &LabelSet<'_>) -> bool {
    SETTINGS.iter().all(|name| relabelled.contains(name)) && !relabelled.contains("")
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
