module target-allocator.test/opentelemetry-operator

go 1.26.3

require github.com/open-telemetry/opentelemetry-operator v0.140.0
