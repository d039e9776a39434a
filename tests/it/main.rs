//! Runs the built function as Lambda does: events in, answers out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod access;
mod answers;
mod bounds;
mod canaries;
mod certificates;
mod clusters;
mod configs;
mod consul;
mod documents;
mod ec2;
mod eks;
mod events;
mod explain;
mod external;
mod faults;
mod function;
mod golden;
mod hostile;
mod http_client;
mod joining;
mod kubernetes;
mod limits;
mod log;
mod merged;
mod metrics;
mod modules;
mod namespaces;
mod one_object;
mod pipelines;
mod preview;
mod proxies;
mod references;
mod security;
mod sending;
mod settings;
mod shop;
mod sources;
mod ssrf;
mod variables;
