//! What API Gateway puts before the path of a request.
//!
//! Input: the path of an event, and what the event says about the stage and the matched resource.
//! Output: the path below the stage, and below the base path of a custom domain where the event
//! tells it. What the kinds of events have in their path:
//!
//! | event | generated domain | custom domain with the base path `/b` |
//! |---|---|---|
//! | HTTP API, format 2.0 | the stage, unless it is `$default` | the stage, unless it is `$default`; never `/b` |
//! | HTTP API, format 1.0 | the stage, unless it is `$default` | `/b` |
//! | REST API | neither; `requestContext.path` has the stage | `/b` |
//!
//! Function URLs and load balancers have neither.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

/// The path of an event of format 2.0.
pub fn of_http_api(path: String, stage: Option<&str>, route_key: &str, parameters: &HashMap<String, String>) -> String {
    let resource = route_key.split_once(' ').map_or("", |(_method, resource)| resource);
    let own = below_base(&path, resource, parameters).or_else(|| below_stage(&path, stage?));
    own.map(str::to_owned).unwrap_or(path)
}

/// The path of an event of format 1.0. `whole` is the path with the stage, of the event's context.
pub fn of_rest_api(
    path: String,
    whole: Option<&str>,
    stage: Option<&str>,
    resource: &str,
    parameters: &HashMap<String, String>,
) -> String {
    // A REST API leaves the stage out of the path, and a cluster may have the name of the stage.
    let has_stage = whole == Some(path.as_str());
    let own = below_base(&path, resource, parameters).or_else(|| below_stage(&path, stage.filter(|_| has_stage)?));
    own.map(str::to_owned).unwrap_or(path)
}

fn below_stage<'p>(path: &'p str, stage: &str) -> Option<&'p str> {
    path.strip_prefix('/')?.strip_prefix(stage).filter(|rest| rest.starts_with('/'))
}

/// What follows the base path. The gateway matched a resource such as `/{proxy+}` against that part.
fn below_base<'p>(path: &'p str, resource: &str, parameters: &HashMap<String, String>) -> Option<&'p str> {
    let own = matched(resource, parameters)?;
    // The parameters of some gateways are decoded, the path is not.
    let is_own = |rest: &str| rest == own || percent_decode_str(rest).decode_utf8().is_ok_and(|rest| rest == own);
    let start = path.match_indices('/').map(|(start, _)| start).find(|start| is_own(&path[*start..]))?;
    let (base, own) = path.split_at(start);
    is_plain(base).then_some(own)
}

/// The path that a resource stands for, with these parameters.
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

/// Whether a base path has no segment that another program could read in another way.
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
    fn the_stage_of_an_http_api_is_no_part_of_the_path() {
        let cases = [
            ("/jobs", "$default", "$default", None, "/jobs"),
            ("/live/jobs", "live", "$default", None, "/jobs"),
            ("/lively/jobs", "live", "$default", None, "/lively/jobs"),
            ("/live", "live", "$default", None, "/live"),
            // A cluster with the name of the stage.
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
    fn a_rest_api_tells_the_base_path_by_its_resource() {
        let cases = [
            // The generated domain: the path has no stage.
            ("/jobs", "/live/jobs", "/{proxy+}", Some("jobs"), "/jobs"),
            ("/live/jobs", "/live/live/jobs", "/{proxy+}", Some("live/jobs"), "/live/jobs"),
            ("/live/jobs", "/live/live/jobs", "", None, "/live/jobs"),
            ("/", "/live/", "/", None, "/"),
            // A custom domain with a base path, or with the stage in place of one.
            ("/base/jobs", "/base/jobs", "/{proxy+}", Some("jobs"), "/jobs"),
            ("/a/b/live/jobs", "/a/b/live/jobs", "/{proxy+}", Some("live/jobs"), "/live/jobs"),
            ("/live/jobs", "/live/jobs", "/{proxy+}", Some("jobs"), "/jobs"),
            ("/live/jobs", "/live/jobs", "/{proxy+}", Some("live/jobs"), "/live/jobs"),
            ("/base/jobs/a%2Fb/targets", "", "/{proxy+}", Some("jobs/a%2Fb/targets"), "/jobs/a%2Fb/targets"),
            ("/base/jobs/a%2Fb/targets", "", "/{proxy+}", Some("jobs/a/b/targets"), "/jobs/a%2Fb/targets"),
            ("/base/dev/jobs", "", "/dev/{proxy+}", Some("jobs"), "/dev/jobs"),
            // An HTTP API with format 1.0.
            ("/live/jobs", "/live/jobs", "$default", None, "/jobs"),
            // What could be read in another way is no base path.
            ("/dev//prod/jobs", "", "/{proxy+}", Some("prod/jobs"), "/dev//prod/jobs"),
            ("/dev/../prod/jobs", "", "/{proxy+}", Some("prod/jobs"), "/dev/../prod/jobs"),
            ("/dev/%2e%2e/prod/jobs", "", "/{proxy+}", Some("prod/jobs"), "/dev/%2e%2e/prod/jobs"),
            // What does not fit says nothing.
            ("/dev/jobs", "", "/{proxy+}", Some("jobs/x"), "/dev/jobs"),
            ("/dev/jobs", "", "/{other+}", Some("jobs"), "/dev/jobs"),
        ];
        for (path, whole, resource, proxy, expected) in cases {
            let own = of_rest_api(path.to_owned(), Some(whole), Some("live"), resource, &parameters(proxy));
            assert_eq!(own, expected, "{path} of {resource}, {proxy:?}");
        }
    }
}
