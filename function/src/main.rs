//! The Lambda function.

use std::num::NonZero;

use lambda_http::Error;
use lambda_http::lambda_runtime::{self, service_fn};
use target_allocator::http::Service;
use target_allocator::metrics::Meter;
use target_allocator::settings::{ResponseMode, Settings};

/// Memory that comes with a whole processor, in MB.
const PER_PROCESSOR: usize = 1769;

fn main() -> Result<(), Error> {
    let lookup = |name: &str| std::env::var(name).ok();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(memory) = lookup("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").and_then(|memory| memory.parse().ok()) {
        runtime.worker_threads(workers(memory));
    }
    runtime.enable_all().build()?.block_on(run())
}

/// Threads for a function of so many MB. Lambda shows it two processors, however little of them it gets: threads
/// that wake each other up for a share of one took a fifth of a refresh.
fn workers(memory: usize) -> usize {
    let shown = std::thread::available_parallelism().map_or(1, NonZero::get);
    (memory / PER_PROCESSOR).clamp(1, shown)
}

async fn run() -> Result<(), Error> {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        // The runtime's own span, which names the request.
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
    // Several at once where Lambda's Managed Instances give them, else one after the other.
    lambda_runtime::run_concurrent(service_fn(handle)).await
}
