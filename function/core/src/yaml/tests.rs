//! How config files and manifests read.

use super::*;
use serde_json::json;

#[test]
fn a_config_is_read_as_the_operator_reads_it() {
    let cases = [
        ("", json!(null)),
        ("# only a comment", json!(null)),
        ("a: yes\nb: 'yes'\nc: !!str yes", json!({"a": true, "b": "yes", "c": "yes"})),
        ("y: 1", json!({"true": 1})),
        ("1: a\n0x10: b", json!({"1": "a", "16": "b"})),
        ("a: &x {b: 1}\nc: *x", json!({"a": {"b": 1}, "c": {"b": 1}})),
        ("d: &d {a: 1, b: 2}\nj: {<<: *d, b: 3}", json!({"d": {"a": 1, "b": 2}, "j": {"a": 1, "b": 3}})),
        ("d: &d {b: 2}\nj: {b: 3, <<: *d}", json!({"d": {"b": 2}, "j": {"b": 2}})),
        ("j: {<<: [{a: 1}, {a: 2, b: 3}]}", json!({"j": {"a": 1, "b": 3}})),
        ("a: |\n  x\n  y\n", json!({"a": "x\ny\n"})),
        ("a:\n- 1\n- b", json!({"a": [1, "b"]})),
        ("--- {a: 1}\n...\n", json!({"a": 1})),
        ("a: 1\n---\n", json!({"a": 1})),
        ("---\n# only a comment\n---\na: 1\n---\n", json!({"a": 1})),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text), Ok(expected), "{text}");
    }
}

#[test]
fn an_invalid_config_is_refused_with_its_line() {
    let bomb: String = (1..30).map(|n| format!("a{n}: &a{n} [*a{0},*a{0}]\n", n - 1)).collect();
    let cases = [
        ("a: 1\na: 2".to_owned(), "has a key twice, line 2"),
        ("a: [".to_owned(), "not valid yaml"),
        ("a: 1\n---\nb: 2".to_owned(), "more than one document"),
        ("a: 1\n---\n---\nb: 2".to_owned(), "more than one document"),
        ("[a]: 1".to_owned(), "list, a map or null"),
        ("<<: 1".to_owned(), "merges something"),
        ("a: &a [*a]".to_owned(), "inside of what"),
        ("a: !!int x".to_owned(), "fit its tag"),
        ("[".repeat(200) + &"]".repeat(200), "nested too deeply"),
        (format!("a0: &a0 x\n{bomb}"), "stand for too much"),
        (format!("a: &a {}\nb: [{}]", "x".repeat(1 << 20), "*a, ".repeat(1000)), "stand for too much"),
    ];
    for (text, expected) in cases {
        let error = parse(&text).expect_err(&text).to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

/// What `YAMLToJSON` of `sigs.k8s.io/yaml` made of each text: `tests/peers/cmd/yaml` recorded it.
const RECORDED: &str = include_str!("../../../../tests/golden/kubectl-yaml.json");

#[test]
fn manifests_read_as_kubectl_reads_them() {
    let recorded: Vec<Value> = serde_json::from_str(RECORDED).unwrap();
    assert!(recorded.len() > 60);
    // The parser is for YAML 1.2. It refuses a tab after a colon, and ends a block scalar with a
    // newline where the file has none.
    const DIFFERENT: [&str; 3] = ["a:\tb", "a: |2\n    x\n   y", "a: >\n  x\n\n  y"];
    for case in recorded {
        let text = case["text"].as_str().unwrap();
        if DIFFERENT.contains(&text) {
            continue;
        }
        let read: Result<Vec<Value>, YamlError> =
            documents(text, 0).map(|document| document.and_then(|document| document.value)).collect();
        match (case.get("json"), read) {
            (Some(expected), Ok(mut read)) => {
                read.iter_mut().for_each(letters_to_booleans);
                assert_same(read.first().unwrap_or(&Value::Null), expected, text);
            }
            (None, Err(_)) => {}
            (expected, read) => panic!("{text}: {expected:?}, {read:?}"),
        }
    }
}

/// Equal, with numbers compared by value: Go writes a large float with an exponent.
fn assert_same(read: &Value, expected: &Value, text: &str) {
    match (read, expected) {
        (Value::Number(one), Value::Number(other)) => assert_eq!(one.as_f64(), other.as_f64(), "{text}"),
        (Value::Array(one), Value::Array(other)) => {
            assert_eq!(one.len(), other.len(), "{text}");
            one.iter().zip(other).for_each(|(one, other)| assert_same(one, other, text));
        }
        (Value::Object(one), Value::Object(other)) => {
            // A key `y` is a boolean for `kubectl`, and a text here.
            let key = |key: &String| if key == "y" { "true".to_owned() } else { key.clone() };
            assert!(one.keys().map(key).eq(other.keys().cloned()), "{text}: {read}");
            one.values().zip(other.values()).for_each(|(one, other)| assert_same(one, other, text));
        }
        _ => assert_eq!(read, expected, "{text}"),
    }
}

#[test]
fn an_invalid_document_does_not_affect_other_documents() {
    let cases = [
        ("a: 1\n---\n[b]: 1\n---\nc: 1\n", "a error c"),
        ("a: &a [*a]\n---\nb: 1\n", "error b"),
        ("a: .nan\n---\n# nothing\n---\nb: 1\n", "error null b"),
        ("a: !!int x\nb: {c: [1, 2]}\n---\nb: 1\n", "error b"),
        ("a: 1\n---\nb: [\n---\nc: 1\n", "a not-yaml"),
        ("", ""),
    ];
    for (text, expected) in cases {
        let read = documents(text, 0).map(|document| match document.map(|document| document.value) {
            Ok(Ok(Value::Object(map))) => map.keys().next().unwrap().clone(),
            Ok(Ok(other)) => other.to_string(),
            Ok(Err(_)) => "error".to_owned(),
            Err(_) => "not-yaml".to_owned(),
        });
        assert_eq!(read.collect::<Vec<_>>().join(" "), expected, "{text}");
    }
}
