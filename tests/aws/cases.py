"""Requests to the function through every front, and the expected answers.

A case is a name and a function. The function takes the `ask` of a front, and raises an
AssertionError if the case fails.
"""

import base64
import gzip
import json
import urllib.parse

from shop import COLLECTORS, CREDENTIALS, REFUSED, SHARES, TARGETS

FIRST = COLLECTORS[0]
WEB = "serviceMonitor/shop/web/0"


def targets_path(job):
    """The job name as the collector escapes it: url.QueryEscape."""
    return f"/jobs/{urllib.parse.quote_plus(job)}/targets"


# Checks of one answer.


def status(expected):
    def check(answer):
        assert answer.status == expected, f"status {answer.status}, not {expected}: {answer.body[:300]!r}"

    return check


def is_json(answer):
    # The only content types that Prometheus accepts.
    content_type = answer.headers.get("content-type")
    assert content_type in ("application/json", "application/json; charset=utf-8"), f"content type {content_type!r}"
    answer.json()


def refused(*statuses):
    """An error that stops no collector: a status other than 200, and an object whose message is a string."""

    def check(answer):
        assert answer.status in statuses, f"status {answer.status}, not {statuses}: {answer.body[:300]!r}"
        is_json(answer)
        body = answer.json()
        message = body.get("message") if isinstance(body, dict) else None
        assert isinstance(message, str) and message, f"no message: {answer.body[:300]!r}"

    return check


def mentions(*texts):
    def check(answer):
        for text in texts:
            assert text.encode() in answer.body, f"{text!r} is not in {answer.body[:2000]!r}"

    return check


def omits(*texts):
    def check(answer):
        for text in texts:
            for form in (text.encode(), base64.b64encode(text.encode())):
                assert form not in answer.body, f"{form!r} is in the answer"

    return check


def body_is(expected):
    def check(answer):
        assert answer.json() == expected, f"{answer.body[:500]!r}, not {json.dumps(expected)[:500]}"

    return check


def scrape_configs(answer):
    configs = answer.json()
    assert sorted(configs) == sorted(TARGETS), f"jobs {sorted(configs)}"
    for job, config in configs.items():
        assert config["job_name"] == job, f"{job} is named {config['job_name']}"


def links(answer):
    expected = {job: {"_link": targets_path(job)} for job, targets in TARGETS.items() if targets}
    assert answer.json() == expected, f"{answer.body[:1000]!r}"


def is_service_discovery(groups):
    assert isinstance(groups, list), f"no list: {str(groups)[:300]}"
    for group in groups:
        # Prometheus refuses a group with any other field.
        assert set(group) <= {"targets", "labels"}, f"a group's fields are {sorted(group)}"
        assert all(isinstance(value, str) for value in group.get("labels", {}).values()), "a label is no text"
    return [target for group in groups for target in group["targets"]]


def has_targets(answer):
    assert is_service_discovery(answer.json()), "no targets"


def empty_or_refused(answer):
    """The minimum for a strange request: no target, and no failure of the function."""
    if answer.status == 200:
        is_json(answer)
        assert answer.json() == [], f"answered {answer.body[:300]!r}"
    else:
        refused(400, 404, 405, 414)(answer)
    assert "set-cookie" not in answer.headers, "a header came in with the path"


# Cases.


def get(path, *checks, query="", method="GET", headers=None):
    def case(ask):
        answer = ask(path, query, method, headers or {})
        for check in checks:
            check(answer)

    return case


def shares(job, path):
    """Each collector gets the targets that the peer's ring assigns to it. Together they are the targets of the job, each once."""

    def case(ask):
        seen = []
        for collector in COLLECTORS:
            answer = ask(path, f"collector_id={collector}")
            status(200)(answer)
            is_json(answer)
            share = is_service_discovery(answer.json())
            assert set(share) <= set(SHARES[collector]), f"{collector} gets {set(share) - set(SHARES[collector])}"
            seen += share
        assert sorted(seen) == sorted(TARGETS[job]), f"targets {sorted(seen)}, not {sorted(TARGETS[job])}"

    return case


def everybody(job):
    """Without a collector: every collector, its link, and its share."""

    def case(ask):
        answer = ask(targets_path(job))
        status(200)(answer)
        is_json(answer)
        body = answer.json()
        assert sorted(body) == COLLECTORS, f"collectors {sorted(body)}"
        for collector, entry in body.items():
            link = f"{targets_path(job)}?collector_id={collector}"
            assert entry["_link"] == link, f"link {entry['_link']}, not {link}"
            own = ask(*entry["_link"].split("?"))
            assert is_service_discovery(own.json()) == is_service_discovery(entry["targets"]), (
                f"{collector} gets another"
            )

    return case


def compressed(ask):
    plain = ask("/scrape_configs")
    packed = ask("/scrape_configs", headers={"Accept-Encoding": "gzip"})
    status(200)(packed)
    assert packed.headers.get("content-encoding") == "gzip", f"headers {packed.headers}"
    assert gzip.decompress(packed.body) == plain.body, "another text when compressed"


def not_modified(ask):
    path, query = targets_path(WEB), f"collector_id={FIRST}"
    tag = ask(path, query).headers.get("etag")
    assert tag, "no ETag"
    again = ask(path, query, headers={"If-None-Match": tag})
    status(304)(again)
    assert again.body == b"", f"a body: {again.body[:300]!r}"
    status(200)(ask(path, query, headers={"If-None-Match": '"another"'}))


def the_same(path, other):
    def case(ask):
        one, two = ask(path), ask(other)
        status(200)(one)
        status(200)(two)
        assert one.body == two.body, f"{path} and {other} differ"

    return case


# Names that no job has, and some strange names.
STRANGE_PATHS = {
    "dots": "/jobs/..%2F..%2F..%2Fetc%2Fpasswd/targets",
    "only dots": "/jobs/%2e%2e/targets",
    "plain dots": "/jobs/../../etc/passwd/targets",
    "nothing": "/jobs//targets",
    "nothing, and no slash": "/jobs/targets",
    "NUL": "/jobs/%00/targets",
    "no UTF-8": "/jobs/%FF%FE/targets",
    "question mark": "/jobs/a%3Fcollector_id%3Dx/targets",
    "number sign": "/jobs/a%23b/targets",
    "percent": "/jobs/100%25/targets",
    "cut escape": "/jobs/100%/targets",
    "no escape": "/jobs/%zz/targets",
    "space": "/jobs/a%20b/targets",
    "plus": "/jobs/a+b/targets",
    "emoji": "/jobs/%F0%9F%9B%92/targets",
    "right to left": "/jobs/%E2%80%AEbew/targets",
    "header": "/jobs/a%0D%0ASet-Cookie:%20a=b/targets",
    "script": "/jobs/%3Cscript%3Ealert(1)%3C%2Fscript%3E/targets",
    "quotes": "/jobs/%22'%5C/targets",
    "braces": "/jobs/%7B%7D%24(SHARD)/targets",
    "semicolon": "/jobs/a;b=c/targets",
    "long": "/jobs/" + "a" * 6000 + "/targets",
    "a job, and more": f"/jobs/{WEB}/targets/targets",
    "part of a job": "/jobs/serviceMonitor%2Fshop%2Fweb/targets",
    "a job of another case": "/jobs/servicemonitor%2Fshop%2Fweb%2F0/targets",
}

STRANGE_COLLECTORS = {
    "unknown": "nobody",
    "NUL": "%00",
    "no UTF-8": "%FF",
    "cut escape": "%",
    "path": "..%2Fotel-collector-0",
    "long": "a" * 4000,
}

CASES = {
    "scrape configs: every job": get("/scrape_configs", status(200), is_json, scrape_configs),
    "scrape configs: no credentials": get("/scrape_configs", status(200), omits(*CREDENTIALS)),
    "scrape configs: an endpoint that ends in a slash": the_same("//scrape_configs", "/scrape_configs"),
    "scrape configs: compressed": compressed,
    "jobs: those that have targets": get("/jobs", status(200), is_json, links),
    **{f"shares: {job}": shares(job, targets_path(job)) for job in TARGETS},
    "shares: slashes as they are": shares(WEB, f"/jobs/{WEB}/targets"),
    "shares: escapes in small letters": shares(WEB, targets_path(WEB).replace("%2F", "%2f")),
    "shares: more escaped than need be": shares(WEB, "/jobs/" + "".join(f"%{ord(c):02X}" for c in WEB) + "/targets"),
    # A proxy before the gateway can escape the path again.
    "shares: escaped twice": shares(WEB, targets_path(WEB).replace("%", "%25")),
    "shares: escaped collector": get(
        targets_path(WEB), status(200), is_json, has_targets, query="collector_id=otel%2Dcollector%2D0"
    ),
    "shares: a job without targets": get(
        targets_path("serviceMonitor/shop/wishlist/0"), status(200), is_json, body_is([]), query=f"collector_id={FIRST}"
    ),
    "shares: a job that is not there": get(
        targets_path("serviceMonitor/shop/nothing/0"), status(200), is_json, body_is([]), query=f"collector_id={FIRST}"
    ),
    "shares: not modified": not_modified,
    **{f"everybody's shares: {job}": everybody(job) for job in (WEB, "serviceMonitor/shop/backends/0")},
    **{
        f"strange job: {name}": get(path, empty_or_refused, query=f"collector_id={FIRST}")
        for name, path in STRANGE_PATHS.items()
    },
    **{
        f"strange collector: {name}": get(targets_path(WEB), empty_or_refused, query=f"collector_id={collector}")
        for name, collector in STRANGE_COLLECTORS.items()
    },
    "an unknown route": get("/nothing/here", refused(404)),
    "a method that is none of ours": get("/scrape_configs", refused(404, 405), method="DELETE"),
    "alive": get("/livez", status(200)),
    "ready": get("/readyz", status(200)),
    "report: what was refused": get("/debug/report", status(200), is_json, mentions(*REFUSED), omits(*CREDENTIALS)),
}

# A function that cannot read its cluster: every answer is an error, and the function does not crash.
UNREADABLE_CASES = {
    "unreadable: scrape configs": get("/scrape_configs", refused(500, 502, 503)),
    "unreadable: jobs": get("/jobs", refused(500, 502, 503)),
    "unreadable: a share": get(targets_path(WEB), refused(500, 502, 503), query=f"collector_id={FIRST}"),
    "unreadable: everybody's shares": get(targets_path(WEB), refused(500, 502, 503)),
    "unreadable: ready": get("/readyz", refused(503)),
    "unreadable: alive": get("/livez", status(200)),
}
