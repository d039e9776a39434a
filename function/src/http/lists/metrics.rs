//! The metrics of a snapshot in the text format of Prometheus.
//!
//! Input: the metric families of a snapshot. Output: their text. The crate `prometheus` writes it and escapes the
//! values of labels. Its registry is not used, because the values belong to a snapshot and not to the process.

use prometheus::TextEncoder;
use prometheus::proto::{Gauge, LabelPair, Metric, MetricFamily, MetricType};
use target_allocator_core::metric_families::{self, Family, Observed, Sample};

use super::super::answer::{Answer, Status};
use super::super::request::Request;

/// The metrics.
pub fn metrics(request: &Request<'_>) -> Answer {
    let world = request.snapshot.world();
    let observed = Observed { config: world.config, allocation: world.allocation, age: request.snapshot.age() };
    let families: Vec<MetricFamily> = metric_families::families(observed).map(family).collect();
    match TextEncoder::new().encode_to_string(&families) {
        Ok(text) => Answer::metrics(text),
        Err(error) => Answer::error(Status::Internal, format_args!("the metrics cannot be written: {error}")),
    }
}

fn family(Family { name, help, samples }: Family) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(MetricType::GAUGE);
    family.set_metric(samples.into_iter().map(metric).collect());
    family
}

fn metric(Sample { labels, value }: Sample) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    let mut metric = Metric::from_gauge(gauge);
    metric.set_label(labels.into_iter().map(label).collect());
    metric
}

fn label((name, value): (&str, String)) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value);
    pair
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_labels_are_escaped() {
        let value = "quote \" backslash \\ line\nend, } and \u{e9}".to_owned();
        let samples = vec![
            Sample { labels: vec![("job_name", value), ("other", String::new())], value: 3.0 },
            Sample { labels: Vec::new(), value: 0.25 },
        ];
        let text = TextEncoder::new().encode_to_string(&[family(Family { name: "a", help: "Help.", samples })]);
        let expected = "# HELP a Help.\n# TYPE a gauge\n\
            a{job_name=\"quote \\\" backslash \\\\ line\\nend, } and \u{e9}\",other=\"\"} 3\na 0.25\n";
        assert_eq!(text.unwrap(), expected);
    }
}
