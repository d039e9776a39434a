//! The Lambda function.

use lambda_http::Error;
use lambda_http::lambda_runtime::{self, service_fn};
use target_allocator::http::Service;
use target_allocator::metrics::Meter;
use target_allocator::settings::{ResponseMode, Settings};

#[tokio::main]
async fn main() -> Result<(), Error> {
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
