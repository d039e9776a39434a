//! Shows the effect of a change of manifests before it is merged. `scripts/preview` builds and runs this program.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use target_allocator::cluster::Objects;
use target_allocator::external::Externals;
use target_allocator::preview::{Format, render};
use target_allocator::settings::Settings;
use target_allocator::snapshot::{Recipe, Snapshot};
use target_allocator_core::preview::{compare, jobs_without_pods};
use target_allocator_core::targets::Views;

const USAGE: &str = "\
Shows the jobs, targets, labels and shares that a change adds, removes and moves.

  scripts/preview [OPTIONS] OLD NEW

OLD and NEW are folders or files of manifests, or CLUSTER values (kubeconfig, eks:NAME).

  --config FILE       targetallocator.yaml of OLD and NEW
  --new-config FILE   targetallocator.yaml of NEW, if it differs
  --format FORMAT     text (the default), markdown for a pull request, or json
  --lost              fail only if targets or jobs are removed, or an object is left out

Exit code: 0 if nothing changes, 1 if something changes, 2 if the comparison fails.
";

/// The arguments of the command line.
struct Arguments {
    old: String,
    new: String,
    config: Option<String>,
    new_config: Option<String>,
    format: Format,
    only_lost: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match arguments(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => return fail(&format!("{error}\n\n{USAGE}")),
    };
    match preview(&arguments).await {
        Ok((text, fails)) => match std::io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::from(u8::from(fails)),
            Err(error) => fail(&format!("preview: {error}\n")),
        },
        Err(error) => fail(&format!("preview: {error:#}\n")),
    }
}

fn fail(text: &str) -> ExitCode {
    // Standard error is the last resort: an error of writing to it cannot be reported.
    let _ = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(2)
}

fn arguments(given: impl Iterator<Item = String>) -> Result<Arguments> {
    let (mut states, mut config, mut new_config) = (Vec::new(), None, None);
    let (mut format, mut only_lost) = (Format::Text, false);
    let mut given = given;
    while let Some(argument) = given.next() {
        let mut value = || given.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--config" => config = Some(value()?),
            "--new-config" => new_config = Some(value()?),
            "--format" => {
                format = match value()?.as_str() {
                    "text" => Format::Text,
                    "markdown" => Format::Markdown,
                    "json" => Format::Json,
                    other => bail!("--format must be text, markdown or json: {other:?}"),
                }
            }
            "--lost" => only_lost = true,
            option if option.starts_with("--") => bail!("unknown option: {option}"),
            _ => states.push(argument),
        }
    }
    let [old, new] = <[String; 2]>::try_from(states)
        .map_err(|states| anyhow::anyhow!("exactly two arguments are needed, OLD and NEW: {states:?}"))?;
    Ok(Arguments { old, new, new_config: new_config.or_else(|| config.clone()), config, format, only_lost })
}

/// The text of the preview, and whether the exit code is 1.
async fn preview(arguments: &Arguments) -> Result<(String, bool)> {
    let old = snapshot(&arguments.old, arguments.config.as_deref()).await?;
    let new = snapshot(&arguments.new, arguments.new_config.as_deref()).await?;
    if let Some(jobs) = jobs_without_pods(old.world(), new.world()) {
        bail!(
            "neither OLD nor NEW has pods or endpoint slices, so the targets of {jobs} jobs are not known: add them to \
             the folders (kubectl get pods,services,endpointslices -A -o yaml), or compare with a cluster"
        );
    }
    let preview = compare(old.world(), new.world());
    let fails = if arguments.only_lost { preview.loses() } else { !preview.is_empty() };
    Ok((render(&preview, arguments.format)?, fails))
}

async fn snapshot(state: &str, config: Option<&str>) -> Result<Snapshot> {
    let is_cluster =
        ["manifests", "kubeconfig", "eks"].iter().any(|kind| state == *kind || state.starts_with(&format!("{kind}:")));
    let cluster = if is_cluster { state.to_owned() } else { format!("manifests:{state}") };
    let environment = |name: &str| std::env::var(name).ok();
    let lookup = |name: &str| match name {
        "CLUSTER" => Some(cluster.clone()),
        "ALLOCATOR_CONFIG_FILE" => config.map(str::to_owned),
        _ if name.to_ascii_uppercase().ends_with("_PROXY") => environment(name),
        _ => None,
    };
    let settings = Settings::load_with(&lookup, &environment)?;
    let [source] = &settings.clusters[..] else { bail!("the value of CLUSTER must have one cluster: {state}") };
    let config = Arc::new(settings.config);
    let proxies = settings.place.proxies.clone();
    let externals = Arc::new(Externals::new(&config, settings.place));
    let Settings { target_labels, secrets, secret_rotation, freshness, .. } = settings;
    let recipe = Recipe { config, externals, target_labels, secrets, secret_rotation, keep: freshness.max_stale };
    let objects = Objects::open(&source.source, &proxies).await?;
    recipe.take(&objects, Views::default(), None).await.with_context(|| format!("cannot read {state}"))
}
