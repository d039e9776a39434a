//! The route and the job that a path names.

use percent_encoding::percent_decode_str;

use proptest::prelude::*;

use super::*;
use crate::http::job_path::{UnknownJob, job};

#[test]
fn the_end_of_a_path_selects_the_route() {
    /// The part before the route, the pattern, and the texts that can name a job.
    type Expected = Option<(&'static str, &'static str, &'static [&'static str])>;
    let (jobs, merged) = ("/jobs/{job}/targets", "/merged/jobs/{job}/targets");
    let cases: [(&str, Expected); 35] = [
        ("/", Some(("", "/", &[]))),
        ("/prod/", Some(("/prod", "/", &[]))),
        ("/scrape_configs", Some(("", "/scrape_configs", &[]))),
        ("//scrape_configs", Some(("/", "/scrape_configs", &[]))),
        ("/stage/prod/scrape_configs", Some(("/stage/prod", "/scrape_configs", &[]))),
        ("/jobs", Some(("", "/jobs", &[]))),
        ("/debug/report", Some(("", "/debug/report", &[]))),
        ("/explain", Some(("", "/explain", &[]))),
        ("/stage/prod/metrics", Some(("/stage/prod", "/metrics", &[]))),
        ("/jobs/metrics", Some(("", jobs, &["metrics"]))),
        ("/stage/debug/jobs", Some(("/stage", "/debug/jobs", &[]))),
        ("/debug/job", Some(("", "/debug/job", &[]))),
        ("/debug/scrape_configs", Some(("", "/debug/scrape_configs", &[]))),
        ("/livez", Some(("", "/livez", &[]))),
        ("/a/readyz", Some(("/a", "/readyz", &[]))),
        ("/jobs/j/targets", Some(("", jobs, &["j/targets"]))),
        ("/b/jobs/x/jobs/y/targets", Some(("/b", jobs, &["x/jobs/y/targets", "y/targets"]))),
        ("/jobs/x/merged/jobs/y/targets", Some(("", jobs, &["x/merged/jobs/y/targets", "y/targets"]))),
        ("/jobs/scrape_configs", Some(("", jobs, &["scrape_configs"]))),
        ("/jobs/", Some(("", jobs, &[]))),
        ("/debug/jobs/", Some(("/debug", jobs, &[]))),
        ("", None),
        ("/nothing", None),
        ("/scrape_configs/more", None),
        ("/merged/scrape_configs", Some(("", "/merged/scrape_configs", &[]))),
        ("/stage/prod/merged/jobs", Some(("/stage/prod", "/merged/jobs", &[]))),
        ("/merged/jobs/j/targets", Some(("", merged, &["j/targets"]))),
        ("/a/merged/jobs/x/jobs/y/targets", Some(("/a", merged, &["x/jobs/y/targets", "y/targets"]))),
        ("/merged/targets", Some(("", "/merged/targets", &[]))),
        ("/prod/merged/targets", Some(("/prod", "/merged/targets", &[]))),
        ("/submerged/jobs", Some(("/submerged", "/jobs", &[]))),
        ("/merged/livez", Some(("/merged", "/livez", &[]))),
        ("/targets", None),
        ("/submerged/targets", None),
        ("/debug/", Some(("/debug", "/", &[]))),
    ];
    for (path, expected) in cases {
        let found = find(path);
        let found = found.as_ref().map(|found| (found.base, found.route.pattern, found.rests.as_slice()));
        assert_eq!(found, expected, "{path:?}");
    }
}

#[test]
fn every_row_is_found_by_its_own_pattern() {
    for route in &ROUTES {
        let own = route.pattern.replace(JOB, "j").replace("{pipeline}", "p");
        let pipeline = route.pattern.contains("{pipeline}").then_some("p");
        for base in ["", "/base"] {
            let path = format!("{base}{own}");
            let found = find(&path).unwrap();
            assert_eq!((found.base, found.route.pattern, found.pipeline), (base, route.pattern, pipeline));
        }
        assert_eq!(find_exactly(&own).unwrap().route.pattern, route.pattern);
        assert_eq!(route.is_merged(), route.pattern.contains("/merged/"), "{}", route.pattern);
    }
}

/// Each route of a list or a share has a route in pipelines, with the same permission, views and handler.
#[test]
fn routes_of_pipelines_equal_the_plain_routes() {
    let mut in_pipelines = 0;
    for route in &ROUTES {
        let Some(own) = pipeline::after(route.pattern) else { continue };
        let plain = ROUTES.iter().find(|plain| plain.pattern == own).unwrap();
        assert_eq!((route.permission, route.views), (plain.permission, plain.views), "{own}");
        assert!(std::ptr::fn_addr_eq(route.answer, plain.answer), "{own}");
        assert_eq!(route.page == Never, plain.page == Never, "{own}");
        in_pipelines += 1;
    }
    assert_eq!(in_pipelines, 7);
}

#[test]
fn the_text_after_pipelines_is_the_name_of_the_pipeline() {
    let (job, merged) = ("/pipelines/{pipeline}/jobs/{job}/targets", "/pipelines/{pipeline}/merged/jobs/{job}/targets");
    let (configs, list) = ("/pipelines/{pipeline}/scrape_configs", "/pipelines/{pipeline}/merged/targets");
    /// The path, the part before the route, the pattern, the name, and the texts that can name a job.
    type Case = (&'static str, &'static str, &'static str, Option<&'static str>, &'static [&'static str]);
    let cases: [Case; 25] = [
        ("/pipelines/p/scrape_configs", "", configs, Some("p"), &[]),
        ("/a/b/pipelines/p/scrape_configs", "/a/b", configs, Some("p"), &[]),
        ("/pipelines/p/jobs/a/targets", "", job, Some("p"), &["a/targets"]),
        ("/pipelines/p/merged/jobs/a/targets", "", merged, Some("p"), &["a/targets"]),
        ("/pipelines/p/merged/targets", "", list, Some("p"), &[]),
        // Names of pipelines that are parts of routes.
        ("/pipelines/merged/scrape_configs", "", configs, Some("merged"), &[]),
        ("/pipelines/merged/merged/targets", "", list, Some("merged"), &[]),
        ("/pipelines/jobs/jobs/a/targets", "", job, Some("jobs"), &["a/targets"]),
        ("/pipelines/jobs/jobs", "", "/pipelines/{pipeline}/jobs", Some("jobs"), &[]),
        ("/pipelines/pipelines/scrape_configs", "", configs, Some("pipelines"), &[]),
        // Names of jobs that are parts of routes.
        ("/pipelines/p/jobs/x/merged/jobs/y/targets", "", job, Some("p"), &["x/merged/jobs/y/targets", "y/targets"]),
        ("/pipelines/p/jobs/merged/targets", "", job, Some("p"), &["merged/targets"]),
        ("/pipelines/p/jobs/scrape_configs", "", job, Some("p"), &["scrape_configs"]),
        ("/pipelines/p/jobs/a/jobs", "", job, Some("p"), &["a/jobs"]),
        (
            "/jobs/x/pipelines/p/jobs/y/targets",
            "",
            "/jobs/{job}/targets",
            None,
            &["x/pipelines/p/jobs/y/targets", "y/targets"],
        ),
        ("/merged/jobs/pipelines/targets", "", "/merged/jobs/{job}/targets", None, &["pipelines/targets"]),
        // Texts that no pipeline can have as its name. They are errors, and never all jobs.
        ("/pipelines/scrape_configs", "", configs, Some(""), &[]),
        ("/pipelines//scrape_configs", "", configs, Some(""), &[]),
        ("/pipelines/jobs/a/targets", "", job, Some(""), &["a/targets"]),
        ("/pipelines/a/b/scrape_configs", "", configs, Some("a/b"), &[]),
        ("/pipelines/../scrape_configs", "", configs, Some(".."), &[]),
        ("/pipelines/%70/scrape_configs", "", configs, Some("%70"), &[]),
        // Other routes do not belong to a pipeline.
        ("/pipelines/p/debug/report", "/pipelines/p", "/debug/report", None, &[]),
        ("/pipelines/p/", "/pipelines/p", "/", None, &[]),
        ("/pipeline/p/scrape_configs", "/pipeline/p", "/scrape_configs", None, &[]),
    ];
    for (path, base, pattern, name, rests) in cases {
        let found = find(path).unwrap();
        assert_eq!((found.base, found.route.pattern, found.pipeline), (base, pattern, name), "{path}");
        assert_eq!(found.rests, rests, "{path}");
    }
    assert!(find_exactly("/x/pipelines/p/scrape_configs").is_none());
    assert_eq!(find_exactly("/pipelines/p/jobs/x/jobs/y/targets").unwrap().rests, ["x/jobs/y/targets"]);
}

proptest! {
    /// A path below `/pipelines/NAME` never selects a route of all jobs, whatever follows.
    #[test]
    fn no_path_of_a_pipeline_selects_a_route_of_all_jobs(
        base in "(/[a-z]{1,3}){0,2}",
        name in "[a-z0-9/.%-]{0,8}",
        rest in "/(merged/)?(scrape_configs|targets|jobs|jobs/[a-z/%?+ ]{0,12}/targets)",
    ) {
        let path = format!("{base}/pipelines/{name}{rest}");
        prop_assume!(!base.contains("jobs"));
        if let Some(found) = find(&path) {
            let is_list = ["/scrape_configs", "/jobs", "/targets"].iter().any(|end| found.route.pattern.ends_with(end));
            prop_assert!(!is_list || found.pipeline.is_some(), "{}: {}", path, found.route.pattern);
        }
    }
}

/// Each kind of gateway delivers the path of a collector in another encoding.
#[test]
fn every_job_is_found_in_every_encoding() {
    let names = [
        "serviceMonitor/shop/web/0",
        "plain",
        "with space",
        "with+plus",
        "c++ on k8s",
        " + ",
        "per%cent",
        "per%2Fcent",
        "question?mark",
        "ends/targets",
        "ends/targets?really",
        "has/jobs/inside",
        "targets",
        "größe/日本",
        "a#b",
        "&=;",
        "scrape_configs",
        "..",
    ];
    let exists = |asked: &str| names.into_iter().find(|name| *name == asked);
    for name in names {
        // The name after Go's `url.QueryEscape`.
        let escaped: String = url_query_escape(name);
        let decoded_by_gateway = percent_decode_str(&escaped).decode_utf8().unwrap().into_owned();
        let cut = |path: String| path.split_once('?').map_or(path.clone(), |(before, _)| before.to_owned());
        for (path, decoded) in [
            (format!("/jobs/{escaped}/targets"), false),
            (format!("/stage/jobs/{escaped}/targets"), false),
            (cut(format!("/jobs/{decoded_by_gateway}/targets")), true),
            (cut(format!("/base/prod/jobs/{decoded_by_gateway}/targets")), true),
        ] {
            let found = find(&path).unwrap();
            assert_eq!(job(&found.rests, decoded, exists, || names.into_iter()), Ok(name), "{path}");
        }
    }
}

#[test]
fn a_path_that_names_no_job_is_an_error() {
    let jobs = ["a?b", "a?c", "d?e", "f g?h"];
    let exists = |asked: &str| jobs.into_iter().find(|name| *name == asked);
    let ambiguous = Err(UnknownJob::Ambiguous("a?b".to_owned(), "a?c".to_owned()));
    let cases = [
        ("x/targets", true, Err(UnknownJob::NoSuchJob)),
        ("x/targets", false, Err(UnknownJob::NoSuchJob)),
        ("x", true, Err(UnknownJob::NoSuchRoute)),
        ("a", true, ambiguous),
        ("a", false, Err(UnknownJob::NoSuchRoute)),
        ("d", true, Ok("d?e")),
        ("f+g", true, Ok("f g?h")),
        ("a%3Fc/targets", false, Ok("a?c")),
        ("%ff/targets", false, Err(UnknownJob::NoSuchJob)),
    ];
    for (rest, decoded, expected) in cases {
        assert_eq!(job(&[rest], decoded, exists, || jobs.into_iter()), expected, "{rest}, decoded: {decoded}");
    }
}

/// In a decoded path, each `+` can be a space. In any path, each `%XX` can be decoded or not.
#[test]
fn a_job_is_found_by_any_decoding_that_matches_one_job_only() {
    let jobs = ["c++ on k8s", "a b", "a+b", "100%", "100%25", "x/y", "p+q", "r s", "%41 z"];
    let exists = |asked: &str| jobs.into_iter().find(|name| *name == asked);
    let ambiguous = Err(UnknownJob::Ambiguous("a b".to_owned(), "a+b".to_owned()));
    let cases = [
        ("c+++on+k8s", true, Ok("c++ on k8s")),
        ("c++ on k8s", true, Ok("c++ on k8s")),
        ("c%2B%2B+on+k8s", false, Ok("c++ on k8s")),
        ("c%2B%2B%20on%20k8s", false, Ok("c++ on k8s")),
        ("c+++on+k8s", false, Ok("c++ on k8s")),
        // After decoding, both names have this text.
        ("a+b", true, ambiguous),
        ("a b", true, Ok("a b")),
        ("a+b", false, Ok("a b")),
        ("a%2Bb", false, Ok("a+b")),
        ("p+q", true, Ok("p+q")),
        ("p+q", false, Ok("p+q")),
        ("r+s", true, Ok("r s")),
        // A single decoding by the gateway is unambiguous.
        ("100%25", true, Ok("100%25")),
        ("100%", true, Ok("100%")),
        ("100%25", false, Ok("100%")),
        ("100%2525", false, Ok("100%25")),
        // One decoding is missing or added.
        ("x%2Fy", true, Ok("x/y")),
        ("x%252Fy", false, Ok("x/y")),
        ("r%20s", true, Ok("r s")),
        ("%2541+z", true, Ok("%41 z")),
        ("%41 z", false, Ok("%41 z")),
        ("q+r", true, Err(UnknownJob::NoSuchJob)),
    ];
    for (text, decoded, expected) in cases {
        let rest = format!("{text}/targets");
        assert_eq!(job(&[&rest], decoded, exists, || jobs.into_iter()), expected, "{text}, decoded: {decoded}");
    }
}

fn url_query_escape(text: &str) -> String {
    const ESCAPED: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    percent_encoding::utf8_percent_encode(text, ESCAPED).to_string().replace("%20", "+")
}
