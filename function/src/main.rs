//! Starts the Lambda function: the runtime, the log, and the service that handles events.

use std::num::NonZero;

use lambda_http::Error;
use lambda_http::lambda_runtime::{self, service_fn};
use target_allocator::http::Service;
use target_allocator::metrics::Meter;
use target_allocator::settings::{ResponseMode, Settings};

/// Memory for which Lambda gives one whole processor, in MB, by its documentation.
const PER_PROCESSOR: usize = 1769;

fn main() -> Result<(), Error> {
    let lookup = |name: &str| std::env::var(name).ok();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(memory) = lookup("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").and_then(|memory| memory.parse().ok()) {
        runtime.worker_threads(workers(memory));
    }
    runtime.enable_all().build()?.block_on(run())
}

/// Number of worker threads for a function with this memory in MB.
///
/// Lambda reports at least two processors, even if the function gets a fraction of one. With two threads on a fraction
/// of a processor, waking each other took a fifth of the time of a refresh.
fn workers(memory: usize) -> usize {
    let shown = std::thread::available_parallelism().map_or(1, NonZero::get);
    (memory / PER_PROCESSOR).clamp(1, shown)
}

async fn run() -> Result<(), Error> {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        // The span of the Lambda runtime contains the request ID.
        .with_current_span(true)
        .without_time()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .init();
    let lookup = |name: &str| std::env::var(name).ok();
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
