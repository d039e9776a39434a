//! Renders a preview as text, as Markdown for a pull request, or as JSON.
//!
//! Input: the differences of two states. Output: a text with a stable order. Lists longer than [`MOST`] are cut.

use std::fmt::{Display, Write};

use target_allocator_core::explain::LabelChange;
use target_allocator_core::preview::{Preview, TargetName};

/// Maximum number of entries in one list. A comment on a pull request has limited space.
const MOST: usize = 50;

/// The format of a preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For a terminal.
    Text,
    /// For a pull request.
    Markdown,
    /// For programs.
    Json,
}

/// Renders a preview.
///
/// # Errors
/// If the preview cannot be serialised as JSON.
pub fn render(preview: &Preview, format: Format) -> Result<String, serde_json::Error> {
    Ok(match format {
        Format::Json => serde_json::to_string_pretty(preview)? + "\n",
        Format::Text => rendered(preview, Style { heading: "", item: "  ", quote: "" }),
        Format::Markdown => rendered(preview, Style { heading: "### ", item: "- ", quote: "`" }),
    })
}

/// The marks around headings, list items and quoted names.
#[derive(Clone, Copy)]
struct Style {
    heading: &'static str,
    item: &'static str,
    quote: &'static str,
}

impl Style {
    fn quoted(self, text: impl Display) -> String {
        // A back quote would end the quotation early.
        let text = text.to_string();
        let text = if self.quote.is_empty() { text } else { text.replace('`', "'") };
        format!("{0}{text}{0}", self.quote)
    }
}

fn rendered(preview: &Preview, style: Style) -> String {
    let Preview {
        jobs_added,
        jobs_removed,
        jobs_changed,
        targets_added,
        targets_removed,
        targets_changed,
        targets_moved,
        shares,
        skipped,
        no_longer_skipped,
        targets: (before, after),
    } = preview;
    let mut out = format!(
        "{}{before} targets before, {after} after: {} added, {} removed, {} with other labels, {targets_moved} moved\n",
        style.heading,
        targets_added.len(),
        targets_removed.len(),
        targets_changed.len(),
    );
    if preview.is_empty() {
        out.push_str("\nNothing changes.\n");
        return out;
    }
    let target = |target: &TargetName| {
        let labels: Vec<_> = target.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        format!("{} of {}: {}", target.address, target.job, labels.join(", "))
    };
    let quoted = |texts: Vec<String>| texts.into_iter().map(|text| style.quoted(text)).collect();
    section(&mut out, style, "Targets removed", quoted(targets_removed.iter().map(target).collect()));
    section(&mut out, style, "Targets added", quoted(targets_added.iter().map(target).collect()));
    let relabelled = targets_changed.iter().map(|changed| {
        let labels: Vec<_> = changed.labels.iter().map(change).collect();
        format!("{} of {}: {}", changed.address, changed.job, labels.join(", "))
    });
    section(&mut out, style, "Targets with other labels", quoted(relabelled.collect()));
    section(&mut out, style, "Jobs removed", quoted(jobs_removed.clone()));
    section(&mut out, style, "Jobs added", quoted(jobs_added.clone()));
    let jobs = jobs_changed.iter().map(|job| format!("{}: {}", style.quoted(&job.job), job.fields.join(", ")));
    section(&mut out, style, "Jobs with another scrape config", jobs.collect());
    section(&mut out, style, "Left out now", quoted(skipped.iter().map(ToString::to_string).collect()));
    let no_longer = no_longer_skipped.iter().map(ToString::to_string).collect();
    section(&mut out, style, "No longer left out", quoted(no_longer));
    let shares = shares.iter().map(|share| {
        let count = |count: Option<usize>| count.map_or_else(|| "no collector".to_owned(), |count| count.to_string());
        format!("{}: {} → {}", style.quoted(&share.collector), count(share.before), count(share.after))
    });
    section(&mut out, style, "Shares", shares.collect());
    out
}

fn change(change: &LabelChange) -> String {
    let value = |value: &Option<String>| value.as_ref().map_or_else(|| "none".to_owned(), |value| format!("{value:?}"));
    format!("{} {} → {}", change.label, value(&change.before), value(&change.after))
}

fn section(out: &mut String, style: Style, title: &str, entries: Vec<String>) {
    if entries.is_empty() {
        return;
    }
    // Writing to a `String` cannot fail.
    let _ = writeln!(out, "\n{}{title}", style.heading);
    if !style.heading.is_empty() {
        out.push('\n');
    }
    for entry in entries.iter().take(MOST) {
        let _ = writeln!(out, "{}{entry}", style.item);
    }
    if entries.len() > MOST {
        let _ = writeln!(out, "{}and {} more", style.item, entries.len() - MOST);
    }
}
