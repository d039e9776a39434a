//! The output of the function: metrics for CloudWatch, and one line for each refresh with the request ID.

use serde_json::Value;

use crate::function::Function;

#[tokio::test]
async fn metrics_and_refreshes_are_lines_of_json() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let shop = format!("{}/examples/shop", env!("CARGO_MANIFEST_DIR"));
    let function = Function::start_with_log(
        &[
            ("CLUSTER", &format!("manifests:{shop}/cluster")),
            ("ALLOCATOR_CONFIG_FILE", &format!("{shop}/targetallocator.yaml")),
        ],
        &log,
    )
    .await;
    assert_eq!(function.get("/scrape_configs").await.status, 200);
    let lines: Vec<Value> = std::fs::read_to_string(&log)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();

    let taken = lines.iter().find(|line| line["message"] == "snapshot taken").expect("a line for the refresh");
    assert_eq!(taken["targets"], 30, "{taken}");
    assert!(taken["span"]["requestId"].as_str().is_some_and(|id| !id.is_empty()), "{taken}");

    let metrics: Vec<_> = lines.iter().filter(|line| line.get("_aws").is_some()).collect();
    let value = |name: &str| {
        let found = metrics.iter().find(|line| line.get(name).is_some());
        let line = found.unwrap_or_else(|| panic!("no {name} in {metrics:?}"));
        assert_eq!(line["FunctionName"], "target-allocator", "{line}");
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "TargetAllocator");
        let described = directive["Metrics"].as_array().unwrap().iter().find(|metric| metric["Name"] == name).unwrap();
        let value = line[name].as_array().map_or(&line[name], |values| &values[0]);
        (value.as_f64().unwrap(), described["Unit"].as_str().unwrap().to_owned())
    };
    let counts = [
        ("Targets", 30.0),
        ("Unassigned", 0.0),
        ("SharesLargest", 13.0),
        ("SharesSmallest", 5.0),
        ("Skipped", 1.0),
        ("Answers", 1.0),
        ("ColdStart", 1.0),
    ];
    for (name, expected) in counts {
        assert_eq!(value(name), (expected, "Count".to_owned()), "{name}");
    }
    assert!(value("Objects").0 > 50.0);
    for (name, unit) in [("SnapshotAge", "Seconds"), ("RefreshDuration", "Milliseconds"), ("BytesRead", "Bytes")] {
        let (value, found) = value(name);
        assert!(value >= 0.0 && found == unit, "{name}: {value} {found}");
    }
    let answers = metrics.iter().find(|line| line.get("Answers").is_some()).unwrap();
    assert_eq!((&answers["Route"], &answers["Status"]), (&"scrape_configs".into(), &"200".into()));
}

/// The lines of the log, after one request, at a level that Lambda sets.
async fn lines_at(level: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let shop = format!("{}/examples/shop", env!("CARGO_MANIFEST_DIR"));
    let cluster = format!("manifests:{shop}/cluster");
    let config = format!("{shop}/targetallocator.yaml");
    let variables = [("CLUSTER", &*cluster), ("ALLOCATOR_CONFIG_FILE", &*config), ("AWS_LAMBDA_LOG_LEVEL", level)];
    let function = Function::start_with_log(&variables, &log).await;
    assert_eq!(function.get("/scrape_configs").await.status, 200);
    let text = std::fs::read_to_string(&log).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).filter(|line: &Value| line["_aws"].is_null()).collect()
}

/// Lambda reads the level of a line only if the line has a timestamp of RFC 3339.
#[tokio::test]
async fn lambda_can_filter_lines_by_their_level() {
    let lines = lines_at("INFO").await;
    assert!(!lines.is_empty());
    for line in lines {
        let time = line["timestamp"].as_str().unwrap_or_else(|| panic!("no timestamp: {line}"));
        let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00.000000Z", "{line}");
        assert!(["INFO", "WARN", "ERROR"].contains(&line["level"].as_str().unwrap()), "{line}");
    }
}

#[tokio::test]
async fn the_level_that_lambda_sets_reaches_the_function() {
    let has = |lines: &[Value], level: &str| lines.iter().any(|line| line["level"] == level);
    for level in ["DEBUG", "TRACE"] {
        assert!(has(&lines_at(level).await, "DEBUG"), "{level}");
    }
    assert!(!has(&lines_at("INFO").await, "DEBUG"));
    for level in ["WARN", "ERROR", "FATAL"] {
        assert!(!has(&lines_at(level).await, "INFO"), "{level}");
    }
}
