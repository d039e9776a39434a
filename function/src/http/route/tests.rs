//! Which route and job a path means.

use super::*;

#[test]
fn a_route_is_told_by_the_end_of_the_path() {
    let cases = [
        ("/", Some(("", Route::Index))),
        ("/prod/", Some(("/prod", Route::Index))),
        ("/scrape_configs", Some(("", Route::ScrapeConfigs))),
        ("//scrape_configs", Some(("/", Route::ScrapeConfigs))),
        ("/stage/prod/scrape_configs", Some(("/stage/prod", Route::ScrapeConfigs))),
        ("/jobs", Some(("", Route::Jobs))),
        ("/debug/report", Some(("", Route::Report))),
        ("/explain", Some(("", Route::Explain))),
        ("/stage/debug/jobs", Some(("/stage", Route::Page(Page::Jobs)))),
        ("/debug/job", Some(("", Route::Page(Page::Job)))),
        ("/debug/scrape_configs", Some(("", Route::Page(Page::ScrapeConfigs)))),
        ("/livez", Some(("", Route::Live))),
        ("/a/readyz", Some(("/a", Route::Ready))),
        ("/jobs/j/targets", Some(("", Route::Targets(vec!["j/targets"])))),
        ("/b/jobs/x/jobs/y/targets", Some(("/b", Route::Targets(vec!["x/jobs/y/targets", "y/targets"])))),
        ("/jobs/scrape_configs", Some(("", Route::Targets(vec!["scrape_configs"])))),
        ("", None),
        ("/nothing", None),
        ("/scrape_configs/more", None),
    ];
    for (path, expected) in cases {
        assert_eq!(find(path), expected.map(|(base, route)| Routed { base, merged: false, route }), "{path:?}");
    }
}

#[test]
fn the_merged_view_has_routes_of_its_own() {
    let cases = [
        ("/merged/scrape_configs", Some(("", true, Route::ScrapeConfigs))),
        ("/stage/prod/merged/jobs", Some(("/stage/prod", true, Route::Jobs))),
        ("/merged/jobs/j/targets", Some(("", true, Route::Targets(vec!["j/targets"])))),
        ("/merged/targets", Some(("", true, Route::PlainTargets))),
        ("/prod/merged/targets", Some(("/prod", true, Route::PlainTargets))),
        ("/submerged/jobs", Some(("/submerged", false, Route::Jobs))),
        ("/merged/livez", Some(("/merged", false, Route::Live))),
        ("/targets", None),
    ];
    for (path, expected) in cases {
        assert_eq!(find(path), expected.map(|(base, merged, route)| Routed { base, merged, route }), "{path}");
    }
}

/// How each kind of gateway delivers what a collector sends for a job, and the job that must be found.
#[test]
fn every_job_is_found_in_every_form() {
    let names = [
        "serviceMonitor/shop/web/0",
        "plain",
        "with space",
        "with+plus",
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
        // What Go's url.QueryEscape makes of the name.
        let escaped: String = url_query_escape(name);
        let decoded_by_gateway = percent_decode_str(&escaped).decode_utf8().unwrap().into_owned();
        let cut = |path: String| path.split_once('?').map_or(path.clone(), |(before, _)| before.to_owned());
        for (path, decoded) in [
            (format!("/jobs/{escaped}/targets"), false),
            (format!("/stage/jobs/{escaped}/targets"), false),
            (cut(format!("/jobs/{decoded_by_gateway}/targets")), true),
            (cut(format!("/base/prod/jobs/{decoded_by_gateway}/targets")), true),
        ] {
            let Some(Routed { route: Route::Targets(rests), .. }) = find(&path) else { panic!("no route: {path}") };
            assert_eq!(job(&rests, decoded, exists, names.into_iter()), Ok(name), "{path}");
        }
    }
}

#[test]
fn a_path_that_names_no_job_says_so() {
    let jobs = ["a?b", "a?c", "d?e"];
    let exists = |asked: &str| jobs.into_iter().find(|name| *name == asked);
    let ambiguous = Err(UnknownJob::Ambiguous("a?b".to_owned(), "a?c".to_owned()));
    let cases = [
        ("x/targets", true, Err(UnknownJob::NoSuchJob)),
        ("x/targets", false, Err(UnknownJob::NoSuchJob)),
        ("x", true, Err(UnknownJob::NoSuchRoute)),
        ("a", true, ambiguous),
        ("a", false, Err(UnknownJob::NoSuchRoute)),
        ("d", true, Ok("d?e")),
        ("a%3Fc/targets", false, Ok("a?c")),
        ("%ff/targets", false, Err(UnknownJob::NoSuchJob)),
    ];
    for (rest, decoded, expected) in cases {
        assert_eq!(job(&[rest], decoded, exists, jobs.into_iter()), expected, "{rest}, decoded: {decoded}");
    }
}

#[test]
fn a_base_names_a_cluster() {
    let unnamed = [None];
    let named = [Some("prod"), Some("dev")];
    type Names<'a> = [Option<&'a str>];
    let cases: [(&str, &Names<'_>, Option<Option<&str>>); 7] = [
        ("", &unnamed, Some(None)),
        ("/any/base", &unnamed, Some(None)),
        ("/prod", &named, Some(Some("prod"))),
        ("/stage/dev", &named, Some(Some("dev"))),
        ("", &named, None),
        ("/prod/x", &named, None),
        ("/prod", &named[..1], Some(Some("prod"))),
    ];
    for (base, clusters, expected) in cases {
        assert_eq!(cluster_of(base, clusters, |name| *name).copied(), expected, "{base:?}");
    }
}

fn url_query_escape(text: &str) -> String {
    const ESCAPED: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    percent_encoding::utf8_percent_encode(text, ESCAPED).to_string().replace("%20", "+")
}
