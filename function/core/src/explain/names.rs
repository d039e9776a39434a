//! Names that questions can be about, and the names that a wrong one resembles.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::Serialize;

use super::World;
use super::question::{MonitorKind, Question};
use crate::objects::{Collection, Object};
use crate::shard::Members;
use crate::similar::{self, Wanted};

/// Maximum number of candidates in an explanation.
pub(super) const MOST: usize = 8;

/// An object that the question can be about. `by` and `name` are parameters of `/explain`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[allow(missing_docs, reason = "named as in the URL")]
pub struct Candidate {
    pub by: &'static str,
    pub name: String,
}

impl Candidate {
    fn of(question: &Question) -> Self {
        let (by, name) = question.parameter();
        Self { by, name }
    }

    /// The object in words: `Pod shop/web-0`.
    #[must_use]
    pub fn words(&self) -> String {
        match self.by {
            "monitor" => self.name.clone(),
            "pod" => format!("Pod {}", self.name),
            "service" => format!("Service {}", self.name),
            by => format!("{by} {}", self.name),
        }
    }
}

/// Some candidates in a sentence: `ServiceMonitor/shop/web or Service shop/web`.
pub(super) fn words(candidates: &[Candidate]) -> String {
    candidates.iter().map(Candidate::words).collect::<Vec<_>>().join(" or ")
}

/// The hint at the end of a sentence. Empty without candidates.
pub(super) fn did_you_mean(candidates: &[Candidate]) -> String {
    similar::did_you_mean(candidates.first().map(Candidate::words))
}

/// An object with a name.
struct Named<'a> {
    namespace: &'a str,
    name: &'a str,
    question: Box<dyn Fn() -> Question + 'a>,
}

/// Visits all monitors, services, pods and collectors, in this order.
fn visit<'a>(world: World<'a>, visit: &mut impl FnMut(Named<'a>)) {
    fn monitors<'a, T: Object>(kind: MonitorKind, objects: &'a Collection<T>, visit: &mut impl FnMut(Named<'a>)) {
        each(objects, visit, move |namespace, name| Question::Monitor { kind, namespace, name });
    }
    fn each<'a, T: Object>(
        objects: &'a Collection<T>,
        visit: &mut impl FnMut(Named<'a>),
        question: impl Fn(String, String) -> Question + Copy + 'a,
    ) {
        for object in objects.iter() {
            let (namespace, name) = (object.metadata().namespace.as_str(), object.metadata().name.as_str());
            let question = Box::new(move || question(namespace.to_owned(), name.to_owned()));
            visit(Named { namespace, name, question });
        }
    }
    let cluster = world.cluster;
    monitors(MonitorKind::ServiceMonitor, &cluster.service_monitors, visit);
    monitors(MonitorKind::PodMonitor, &cluster.pod_monitors, visit);
    monitors(MonitorKind::Probe, &cluster.probes, visit);
    monitors(MonitorKind::ScrapeConfig, &cluster.scrape_configs, visit);
    each(&cluster.services, visit, |namespace, name| Question::Service { namespace, name });
    for collector in world.allocation.members().map(Members::collectors).unwrap_or_default() {
        let name = collector.name.as_str();
        visit(Named { namespace: "", name, question: Box::new(move || Question::Collector { id: name.to_owned() }) });
    }
    each(&cluster.pods, visit, |namespace, name| Question::Pod { namespace, name });
}

/// The objects with exactly this name: `NAME`, `NAMESPACE/NAME`, `KIND/NAMESPACE/NAME`, or the name of a job of a
/// monitor.
pub(super) fn named(world: World<'_>, text: &str) -> Vec<Question> {
    let parts: Vec<_> = text.split('/').collect();
    let mut found = Vec::new();
    visit(world, &mut |object: Named<'_>| {
        let is_named = match parts[..] {
            [name] => name == object.name,
            [namespace, name] => name == object.name && namespace == object.namespace,
            [kind, namespace, name] => {
                name == object.name && namespace == object.namespace && is_kind(kind, &(object.question)())
            }
            _ => false,
        };
        if is_named {
            found.push((object.question)());
        }
    });
    let monitor = world.plan().job(text).and_then(|job| job.monitor.as_ref());
    found.extend(monitor.and_then(|monitor| Question::parse("monitor", &monitor.to_string()).ok()));
    found
}

fn is_kind(kind: &str, question: &Question) -> bool {
    let own = match question {
        Question::Monitor { kind, .. } => kind.as_str(),
        question => question.parameter().0,
    };
    own.eq_ignore_ascii_case(kind)
}

/// The objects whose names are nearest to one that does not exist. `by` limits them to one kind of question.
pub(super) fn nearest(world: World<'_>, by: Option<&str>, namespace: &str, name: &str) -> Vec<Candidate> {
    let wanted = Wanted::new(name);
    let prefix = format!("{name}-");
    let mut found: BTreeSet<(Rank, Candidate)> = BTreeSet::new();
    visit(world, &mut |object: Named<'_>| {
        let distance = if object.name == name {
            Some(0)
        } else if object.name.starts_with(&prefix) {
            // The pods of a workload have its name and a suffix.
            Some(1)
        } else {
            wanted.distance(object.name).map(|distance| distance + 1)
        };
        let Some(distance) = distance else { return };
        let question = (object.question)();
        if by.is_some_and(|by| by != question.parameter().0) {
            return;
        }
        let elsewhere = !namespace.is_empty() && object.namespace != namespace;
        found.insert((Rank { distance, elsewhere }, Candidate::of(&question)));
        if found.len() > MOST {
            found.pop_last();
        }
    });
    found.into_iter().map(|(_, candidate)| candidate).collect()
}

/// How near a name is. A smaller rank is nearer.
#[derive(Debug, PartialEq, Eq)]
struct Rank {
    distance: usize,
    elsewhere: bool,
}

impl Rank {
    /// Another namespace weighs as much as two letters. The name itself in another namespace is nearest.
    fn weight(&self) -> usize {
        if self.distance == 0 { 0 } else { self.distance + 2 * usize::from(self.elsewhere) }
    }
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        self.weight()
            .cmp(&other.weight())
            .then(self.elsewhere.cmp(&other.elsewhere))
            .then(self.distance.cmp(&other.distance))
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The candidates for some questions, each once.
pub(super) fn candidates(questions: &[Question]) -> Vec<Candidate> {
    questions.iter().map(Candidate::of).collect()
}
