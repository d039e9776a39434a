//! The inputs that all targets of a job share: rules, settings and served labels.
//!
//! Input: a scrape config with compiled rules. Output: the labels that Prometheus sets before relabelling, and the
//! labels that discovery must make.

use std::borrow::Cow;

use super::{RESOURCE_LABELS, RuleFilter, ServedLabels, Views, location};
use crate::labels::{ADDRESS, LabelSet};
use crate::relabel::{Rules, Verdict};
use crate::scrape_config::ScrapeConfig;

/// Labels that Prometheus sets before relabelling, in addition to parameters. A target of the merged view must have all
/// of them, because a collector would set a missing one from the job.
pub(super) const SETTINGS: [&str; 5] =
    ["__metrics_path__", "__scheme__", "__scrape_interval__", "__scrape_timeout__", "job"];
/// Labels that change how Prometheus scrapes a target (`scrape/target.go`), in addition to [`SETTINGS`]. Rules can set
/// them.
const OPTIONS: [&str; 3] =
    ["__always_scrape_classic_histograms__", "__convert_classic_histograms_to_nhcb__", "__scrape_native_histograms__"];
const PARAM_PREFIX: &str = "__param_";

/// The result of the rules for a target.
pub(super) enum Applied<'l> {
    /// The rules keep the target. Contains the relabelled labels.
    Labels(LabelSet<'l>),
    /// The rules drop the target, or no view needs the relabelled labels.
    Nothing,
    /// The rules write too much to the target.
    TooLarge,
}

impl<'l> Applied<'l> {
    pub(super) fn new(verdict: Verdict, labels: LabelSet<'l>) -> Self {
        match verdict {
            Verdict::Kept => Self::Labels(labels),
            Verdict::Dropped => Self::Nothing,
            Verdict::TooLarge => Self::TooLarge,
        }
    }

    pub(super) fn labels(self) -> Option<LabelSet<'l>> {
        match self {
            Self::Labels(labels) => Some(labels),
            Self::Nothing | Self::TooLarge => None,
        }
    }
}

/// The inputs that all targets of a job share.
#[derive(Debug)]
pub(super) struct Inputs<'a> {
    pub(super) job_name: &'a str,
    pub(super) rules: &'a Rules,
    pub(super) filter: RuleFilter,
    pub(super) views: Views,
    served: ServedLabels,
    /// The labels that the scrape layer of Prometheus sets before relabelling, unless discovery has set them.
    pub(super) seeds: LabelSet<'a>,
    /// Labels that the allocator reads but does not serve.
    pub(super) hidden: Vec<&'static str>,
}

impl<'a> Inputs<'a> {
    pub(super) fn new(
        scrape_config: &'a ScrapeConfig,
        rules: &'a Rules,
        filter: RuleFilter,
        served: ServedLabels,
        views: Views,
    ) -> Self {
        let (job_name, seeds) = (scrape_config.job_name.as_str(), seeds(scrape_config));
        let mut inputs = Self { job_name, rules, filter, views, served, seeds, hidden: Vec::new() };
        inputs.hidden = location::LABELS.into_iter().filter(|name| !inputs.serves(name)).collect();
        inputs
    }

    /// Whether discovery must make the label with this name.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.serves(name) || location::LABELS.contains(&name)
    }

    fn serves(&self, name: &str) -> bool {
        let serves_all = self.views.plain && self.served == ServedLabels::All;
        serves_all || RESOURCE_LABELS.contains(&name) || self.rules.may_read(name)
    }

    /// Whether a view needs the relabelled labels.
    pub(super) fn relabels(&self) -> bool {
        self.filter == RuleFilter::On || self.views.merged
    }

    /// Applies all rules. Calls `watch` after each rule with the position of the rule, its verdict and the labels.
    pub(super) fn relabel<'l>(
        &'l self,
        labels: &'l LabelSet<'_>,
        watch: impl FnMut(usize, Verdict, &LabelSet<'l>),
    ) -> Applied<'l> {
        let mut relabelled = self.seeds.overlaid(labels);
        Applied::new(self.rules.apply_watched(&mut relabelled, watch), relabelled)
    }

    /// The parameters of the job. A collector uses them for targets that do not name parameters.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.seeds.iter().filter(|(name, _)| name.starts_with(PARAM_PREFIX))
    }
}

/// Whether a collector reads the label even if it applies no rules.
pub(super) fn is_read_after_relabelling(name: &str) -> bool {
    !name.starts_with("__")
        || name == ADDRESS
        || SETTINGS.contains(&name)
        || OPTIONS.contains(&name)
        || name.starts_with(PARAM_PREFIX)
}

/// Whether a target of the merged view can have these labels. If a setting is missing, a collector would set it again.
///
/// `labelmap` makes a label without a name if its replacement names a group that does not exist. Prometheus keeps such
/// a target and refuses each of its samples. But Prometheus refuses a whole HTTP SD list with such a label.
pub(super) fn is_expressible(relabelled: &LabelSet<'_>) -> bool {
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
