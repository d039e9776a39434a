//! Starts the Lambda function: the runtime, the log, and the service that handles events.

use std::ffi::{OsStr, OsString};
use std::num::NonZero;
use std::os::unix::process::CommandExt;
use std::process::Command;

use lambda_http::Error;
use lambda_http::lambda_runtime::{self, service_fn};
use target_allocator::http::Service;
use target_allocator::metrics::Meter;
use target_allocator::settings::{MEMORY_SIZE, ResponseMode, Settings};

/// Memory for which Lambda gives one whole processor, in MB, by its documentation.
const PER_PROCESSOR: usize = 1769;

/// The function's memory as it was set, where the program had to start again with another value.
const MEMORY_AS_SET: &str = "TARGET_ALLOCATOR_MEMORY_AS_SET";

fn main() -> Result<(), Error> {
    if let Some(memory) = unreadable_memory() {
        return Err(start_again(&memory).into());
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(memory) = lookup(MEMORY_SIZE).and_then(|memory| memory.parse().ok()) {
        runtime.worker_threads(workers(memory));
    }
    runtime.enable_all().build()?.block_on(run())
}

/// Looks up a variable of the environment.
fn lookup(name: &str) -> Option<String> {
    let as_set = if name == MEMORY_SIZE { std::env::var(MEMORY_AS_SET).ok() } else { None };
    as_set.or_else(|| std::env::var(name).ok())
}

/// The function's memory, if the Lambda runtime cannot read it. The runtime would panic over that.
fn unreadable_memory() -> Option<OsString> {
    let memory = std::env::var_os(MEMORY_SIZE)?;
    let is_readable = memory.to_str().is_some_and(|memory| memory.parse::<i32>().is_ok());
    (!is_readable).then_some(memory)
}

/// Starts the program again with a value that the runtime can read. Then the settings refuse the value
/// that was set, and every answer says what is wrong. A program that just ends would say nothing.
fn start_again(memory: &OsStr) -> std::io::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    let memory = memory.to_string_lossy().into_owned();
    Command::new(program).args(std::env::args_os().skip(1)).env(MEMORY_AS_SET, memory).env(MEMORY_SIZE, "128").exec()
}

/// Number of worker threads for a function with this memory in MB.
///
/// Lambda reports at least two processors, even if the function gets a fraction of one. With two threads on a fraction
/// of a processor, waking each other took a fifth of the time of a refresh.
fn workers(memory: usize) -> usize {
    let shown = std::thread::available_parallelism().map_or(1, NonZero::get);
    (memory / PER_PROCESSOR).clamp(1, shown)
}

/// The level of the log, if `RUST_LOG` does not set a filter. Lambda passes the level of the function's log on.
fn log_level() -> &'static str {
    match lookup("AWS_LAMBDA_LOG_LEVEL").unwrap_or_default().to_ascii_uppercase().as_str() {
        "TRACE" => "trace",
        "DEBUG" => "debug",
        "WARN" => "warn",
        // The log library has no level for failures that end the program.
        "ERROR" | "FATAL" => "error",
        _ => "info",
    }
}

async fn run() -> Result<(), Error> {
    // Lambda filters a line by its level only if the line also has a timestamp. Otherwise it treats the line as `INFO`.
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        // The span of the Lambda runtime contains the request ID.
        .with_current_span(true)
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| log_level().into()))
        .init();
    let mode = ResponseMode::load(lookup).unwrap_or(ResponseMode::Buffer);
    let meter = lookup("AWS_LAMBDA_FUNCTION_NAME").and_then(Meter::new);
    let service = Service::new(Settings::load(lookup)).await.responding(mode).counting(meter);
    let handle = move |event| {
        let service = service.clone();
        async move { service.handle(event).await }
    };
    // Lambda Managed Instances send several events at once. Otherwise, events come one after the other.
    lambda_runtime::run_concurrent(service_fn(handle)).await
}
