//! Finds what a name stands for: `web`, `shop/web`, an address, or the name of a job.

use super::names::{MOST, candidates, did_you_mean, named, nearest, words};
use super::{Explanation, Question, Stage, World, target};

/// The question about the one object with this name. `None` if several objects have it, or none: the explanation then
/// has the candidates.
pub(super) fn resolve(world: World<'_>, text: &str, explanation: &mut Explanation) -> Option<Question> {
    let mut found = named(world, text);
    found.dedup();
    if found.len() == 1 {
        return found.pop();
    }
    if found.is_empty() {
        if target::exists(world, text) {
            return Some(Question::Target { address: text.to_owned() });
        }
        let (namespace, name) = text.rsplit_once('/').unwrap_or(("", text));
        let namespace = namespace.rsplit('/').next().unwrap_or_default();
        explanation.candidates = nearest(world, None, namespace, name);
        let hint = did_you_mean(&explanation.candidates);
        explanation.summary = format!("no monitor, service, pod, collector, job or target has the name {text}{hint}");
        explanation.stopped(Stage::Cluster, explanation.summary.clone());
        return None;
    }
    let count = found.len();
    found.truncate(MOST);
    explanation.candidates = candidates(&found);
    let more = if count > found.len() { format!(" or {} others", count - found.len()) } else { String::new() };
    explanation.summary = format!("{text} can be {}{more}", words(&explanation.candidates));
    explanation.note(Stage::Cluster, format!("{count} objects have this name: choose one"));
    None
}
