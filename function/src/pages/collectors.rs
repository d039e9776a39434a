//! The pages of all collectors and of one collector.

use askama::Template;
use target_allocator_core::explain::{Explanation, Question, explain};
use target_allocator_core::shard::Members;

use super::{BAR, Bar, Frame, MOST_BARS, NotShown, Page, Shown, bars, href};

/// A row of the table of collectors.
pub(super) struct CollectorLine {
    pub name: String,
    pub node: String,
    pub targets: usize,
    pub jobs: usize,
    pub link: String,
}

/// The targets and jobs of each collector, with a link to its page.
pub(super) fn shares(root: &str, shown: &Shown<'_>) -> Vec<CollectorLine> {
    let allocation = &shown.snapshot.allocation;
    let collectors = allocation.members().map(Members::collectors).unwrap_or_default();
    let mut shares: Vec<_> = collectors
        .iter()
        .map(|collector| CollectorLine {
            name: collector.name.clone(),
            node: collector.node.clone(),
            targets: 0,
            jobs: 0,
            link: href(root, "debug/collector", &[("collector_id", &collector.name)]),
        })
        .collect();
    for share in &mut shares {
        for (name, _) in allocation.jobs() {
            let targets = allocation.share(name, &share.name).count();
            share.targets += targets;
            share.jobs += usize::from(targets > 0);
        }
    }
    shares
}

#[derive(Template)]
#[template(path = "collectors.html")]
struct Collectors {
    frame: Frame,
    shares: Vec<CollectorLine>,
    bars: Vec<Bar>,
    height: usize,
}

pub(super) fn collectors(shown: &Shown<'_>) -> Result<String, NotShown> {
    let shares = shares(Page::Collectors.root(), shown);
    let values = shares.iter().take(MOST_BARS);
    let bars = bars(values.map(|share| (share.name.clone(), share.targets)));
    let frame = shown.frame(Page::Collectors, "Collectors");
    Ok(Collectors { frame, shares, height: bars.len() * BAR, bars }.render()?)
}

#[derive(Template)]
#[template(path = "collector.html")]
struct Collector {
    frame: Frame,
    id: String,
    explanation: Explanation,
    jobs: Vec<JobOfCollector>,
    targets: String,
}

struct JobOfCollector {
    name: String,
    link: String,
    targets: usize,
    list: String,
}

pub(super) fn collector(shown: &Shown<'_>) -> Result<String, NotShown> {
    let root = Page::Collector.root();
    let id = shown.required("collector_id")?;
    let exists = shown.snapshot.allocation.members().is_some_and(|members| members.index_of(id).is_some());
    let explanation = explain(shown.snapshot.world(), &Question::Collector { id: id.to_owned() });
    let jobs = explanation.share.iter().map(|share| JobOfCollector {
        name: share.job.clone(),
        link: href(root, "debug/job", &[("job_id", &share.job)]),
        targets: share.targets,
        list: href(root, "debug/targets", &[("job_id", &share.job), ("collector_id", id)]),
    });
    let page = Collector {
        frame: shown.frame(Page::Collector, format!("Collector {id}")),
        id: id.to_owned(),
        jobs: jobs.collect(),
        targets: href(root, "debug/targets", &[("collector_id", id)]),
        explanation,
    };
    let page = page.render()?;
    if exists { Ok(page) } else { Err(NotShown::Explained(page)) }
}
