//! The Lambda function.

use lambda_http::Error;
use lambda_http::lambda_runtime::{self, service_fn};
use target_allocator::http::Service;
use target_allocator::settings::Settings;

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .without_time()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .init();
    let service = Service::new(Settings::load(|name| std::env::var(name).ok())).await;
    lambda_runtime::run(service_fn(|event| service.handle(event))).await
}
