//! Removes the prefix that API Gateway adds to the path of a request.
//!
//! Input: the path, the stage and the matched resource of an event. Output: the path without the stage, and without the
//! base path of a custom domain if the event contains it. The kinds of events differ in the prefix of their paths:
//!
//! | event | generated domain | custom domain with the base path `/b` |
//! |---|---|---|
//! | HTTP API, format 2.0 | the stage, unless it is `$default` | the stage, unless it is `$default`; never `/b` |
//! | HTTP API, format 1.0 | the stage, unless it is `$default` | `/b` |
//! | REST API | neither; `requestContext.path` has the stage | `/b` |
//!
//! Paths of function URLs and load balancers have no prefix.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

/// The path of an event with format 2.0, without its prefix.
pub fn of_http_api(path: String, stage: Option<&str>, route_key: &str, parameters: &HashMap<String, String>) -> String {
    let resource = route_key.split_once(' ').map_or("", |(_method, resource)| resource);
    let own = below_base(&path, resource, parameters).or_else(|| below_stage(&path, stage?));
    own.map(str::to_owned).unwrap_or(path)
}

/// The path of an event with format 1.0, without its prefix. `whole` is the path with the stage in the context of the
/// event.
pub fn of_rest_api(
    path: String,
    whole: Option<&str>,
    stage: Option<&str>,
    resource: &str,
    parameters: &HashMap<String, String>,
) -> String {
    // A REST API omits the stage from the path. A cluster can have the name of the stage, so the path must not be cut
    // again.
    let has_stage = whole == Some(path.as_str());
    let own = below_base(&path, resource, parameters).or_else(|| below_stage(&path, stage.filter(|_| has_stage)?));
    own.map(str::to_owned).unwrap_or(path)
}

fn below_stage<'p>(path: &'p str, stage: &str) -> Option<&'p str> {
    path.strip_prefix('/')?.strip_prefix(stage).filter(|rest| rest.starts_with('/'))
}

/// The part of a path after the base path. The gateway matches a resource such as `/{proxy+}` against this part.
fn below_base<'p>(path: &'p str, resource: &str, parameters: &HashMap<String, String>) -> Option<&'p str> {
    let own = matched(resource, parameters)?;
    // Some gateways decode the parameters, but not the path.
    let is_own = |rest: &str| rest == own || percent_decode_str(rest).decode_utf8().is_ok_and(|rest| rest == own);
    let start = path.match_indices('/').map(|(start, _)| start).find(|start| is_own(&path[*start..]))?;
    let (base, own) = path.split_at(start);
    is_plain(base).then_some(own)
}

/// The path that a resource describes with these parameters.
fn matched(resource: &str, parameters: &HashMap<String, String>) -> Option<String> {
    let segments = resource.strip_prefix('/')?.split('/').map(|segment| {
        let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match name.map(|name| name.trim_end_matches('+')) {
            Some(name) => parameters.get(name).map(String::as_str),
            None => Some(segment),
        }
    });
    segments.collect::<Option<Vec<_>>>().map(|segments| format!("/{}", segments.join("/")))
}

/// Whether each segment of a base path is unambiguous for all programs.
fn is_plain(base: &str) -> bool {
    base.split('/').skip(1).all(|segment| !matches!(segment, "" | "." | "..") && !segment.contains('%'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(proxy: Option<&str>) -> HashMap<String, String> {
        proxy.map(|proxy| ("proxy".to_owned(), proxy.to_owned())).into_iter().collect()
    }

    #[test]
    fn the_stage_of_an_http_api_is_removed_from_the_path() {
        let cases = [
            ("/jobs", "$default", "$default", None, "/jobs"),
            ("/live/jobs", "live", "$default", None, "/jobs"),
            ("/lively/jobs", "live", "$default", None, "/lively/jobs"),
            ("/live", "live", "$default", None, "/live"),
            // The cluster has the name of the stage.
            ("/prod/prod/jobs", "prod", "$default", None, "/prod/jobs"),
            ("/prod/prod/jobs", "prod", "ANY /{proxy+}", Some("prod/jobs"), "/prod/jobs"),
            ("/prod/jobs", "$default", "ANY /prod/{proxy+}", Some("jobs"), "/prod/jobs"),
        ];
        for (path, stage, route, proxy, expected) in cases {
            let own = of_http_api(path.to_owned(), Some(stage), route, &parameters(proxy));
            assert_eq!(own, expected, "{path} of {stage}, {route}");
        }
    }

    #[test]
    fn the_base_path_of_a_rest_api_is_found_by_its_resource() {
        let cases = [
            // The generated domain: the path does not contain the stage.
            ("/jobs", "/live/jobs", "/{proxy+}", Some("jobs"), "/jobs"),
            ("/live/jobs", "/live/live/jobs", "/{proxy+}", Some("live/jobs"), "/live/jobs"),
            ("/live/jobs", "/live/live/jobs", "", None, "/live/jobs"),
            ("/", "/live/", "/", None, "/"),
            // A custom domain: the path starts with a base path or a stage.
            ("/base/jobs", "/base/jobs", "/{proxy+}", Some("jobs"), "/jobs"),
            ("/a/b/live/jobs", "/a/b/live/jobs", "/{proxy+}", Some("live/jobs"), "/live/jobs"),
            ("/live/jobs", "/live/jobs", "/{proxy+}", Some("jobs"), "/jobs"),
            ("/live/jobs", "/live/jobs", "/{proxy+}", Some("live/jobs"), "/live/jobs"),
            ("/base/jobs/a%2Fb/targets", "", "/{proxy+}", Some("jobs/a%2Fb/targets"), "/jobs/a%2Fb/targets"),
            ("/base/jobs/a%2Fb/targets", "", "/{proxy+}", Some("jobs/a/b/targets"), "/jobs/a%2Fb/targets"),
            ("/base/dev/jobs", "", "/dev/{proxy+}", Some("jobs"), "/dev/jobs"),
            // An HTTP API with format 1.0.
            ("/live/jobs", "/live/jobs", "$default", None, "/jobs"),
            // An ambiguous beginning is not a base path.
            ("/dev//prod/jobs", "", "/{proxy+}", Some("prod/jobs"), "/dev//prod/jobs"),
            ("/dev/../prod/jobs", "", "/{proxy+}", Some("prod/jobs"), "/dev/../prod/jobs"),
            ("/dev/%2e%2e/prod/jobs", "", "/{proxy+}", Some("prod/jobs"), "/dev/%2e%2e/prod/jobs"),
            // A resource that does not match the path is ignored.
            ("/dev/jobs", "", "/{proxy+}", Some("jobs/x"), "/dev/jobs"),
            ("/dev/jobs", "", "/{other+}", Some("jobs"), "/dev/jobs"),
        ];
        for (path, whole, resource, proxy, expected) in cases {
            let own = of_rest_api(path.to_owned(), Some(whole), Some("live"), resource, &parameters(proxy));
            assert_eq!(own, expected, "{path} of {resource}, {proxy:?}");
        }
    }
}
