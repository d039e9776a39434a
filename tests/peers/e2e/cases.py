"""The cases in their order. Each case returns a line about its result, or raises an AssertionError."""

import json
import time
import urllib.error
import urllib.request

import canaries
import compatibility
import documented
import examples
import generated
import merged
import metrics
import namespaces
import one_object
import pipelines
import references
import shop
import tokens
from generated import Generated
from parts import COLLECTORS, MAX_STALE, ROOT, World, eventually, get, put
from proxy import WRONG_LISTS

# A target counts as scraped if a sample arrived in this many seconds.
WINDOW = 4

WEB_SLICE_LABEL = "kubernetes.io/service-name=web"


def expected(world: World) -> set:
    """All expected scrapes, from the lists of all collectors."""
    configs = get(f"{world.function}/scrape_configs")
    return {scrape for job, config in configs.items() for scrape in shop.scrapes_of(config, shares(world, job))}


def shares(world: World, job: str, view: str = "") -> dict:
    return get(f"{world.function}{view}/jobs/{urllib.request.quote(job, safe='')}/targets")


def owners(world: World, window: float = WINDOW) -> dict:
    """Which collector scraped which target recently."""
    found: dict = {}
    for series in world.series("exporter_request_info", window):
        found.setdefault(shop.asked(series), set()).add(series["collector"])
    return found


def check_owners(world: World, wanted: set, among: list[str] = COLLECTORS) -> dict:
    found = owners(world)
    missing, extra = wanted - found.keys(), found.keys() - wanted
    assert not missing, f"{len(missing)} of {len(wanted)} not scraped: {sorted(missing)[:3]}"
    assert not extra, f"{len(extra)} scraped that should not be: {sorted(extra)[:3]}"
    shared = {scrape: who for scrape, who in found.items() if len(who) != 1}
    assert not shared, f"{len(shared)} not scraped by exactly one collector: {sorted(shared.items())[:3]}"
    strangers = {who for [who] in found.values()} - set(among)
    assert not strangers, f"scraped by {strangers}"
    return found


def settled(world: World) -> dict:
    """Waits until exactly one collector scrapes each target. A case before may have just started the function again."""
    # cargo lambda watch answers 500 to some of the first simultaneous requests.
    wanted = eventually("the function answers", lambda: expected(world))
    return eventually("every target by one collector", lambda: check_owners(world, wanted))


def recorded(world: World) -> str:
    """The function answers for the shop like the operator's real allocator."""
    golden = json.loads((ROOT / "tests/golden/shop/targets.json").read_text())
    compared = 0
    for job, theirs in golden.items():
        ours = shares(world, job)
        for collector in COLLECTORS:
            wanted = sorted(group["targets"][0] for group in theirs.get(collector, []))
            found = sorted(group["targets"][0] for group in ours[collector]["targets"])
            assert wanted == found, f"{job} of {collector}: the peer has {wanted}, found {found}"
            compared += len(wanted)
    return f"{compared} targets in {len(golden)} jobs with the same owners"


def once(world: World) -> str:
    """Exactly one collector scrapes each target."""
    found = settled(world)
    counts = [sum(who == {name} for who in found.values()) for name in COLLECTORS]
    return f"{len(found)} scrapes by exactly one collector each, {counts}"


def labels(world: World) -> str:
    """A series has the labels of its monitor, service and pod."""
    table = [
        ("web", {"namespace": "shop", "service": "web", "endpoint": "metrics", "container": "exporter", "zone": None}),
        ("redis", {"namespace": "shop", "service": "redis", "endpoint": "metrics", "shard": "0"}),
        ("cart", {"namespace": "shop", "service": "cart", "team": None, "app_kubernetes_io_version": None}),
        ("payments", {"namespace": "payments", "service": "payments", "team": None}),
    ]
    series = world.series("exporter_info", WINDOW)
    for job, wanted in table:
        of_job = [one for one in series if one["resource"].get("service.name") == job]
        assert of_job, f"no series of job {job}"
        # None matches any value.
        fits = [
            one
            for one in of_job
            if all(name in one["attributes"] and value in (None, one["attributes"][name]) for name, value in wanted.items())
        ]
        assert fits, f"{job}: no series with {wanted}, found {of_job[0]['attributes']}"
        for one in fits:
            pod = one["attributes"]["pod"]
            assert one["resource"].get("k8s.pod.name") == pod, f"{job}: k8s.pod.name is not {pod}: {one['resource']}"
    return f"{len(table)} jobs with labels and resource attributes"


def credentials(world: World) -> str:
    """The exporters receive the credentials in the Secrets."""
    sent = {series["attributes"].get("authorization", "").split(" ")[0] for series in world.series("exporter_request_info", WINDOW)}
    assert {"Basic", "Bearer"} <= sent, f"schemes that were sent: {sent}"
    leaked = [series for series in world.series("exporter_request_info", WINDOW) if "<secret>" in series["attributes"].get("authorization", "")]
    assert not leaked, "a placeholder was sent as a credential"
    return "basic authentication and a bearer token arrive"


def series_of(world: World) -> set:
    """All series of the exporters from all collectors: name, labels, resource and value."""
    found = set()
    for name in ("exporter_info", "exporter_request_info", "exporter_requests_total", "up"):
        for series in world.series(name, WINDOW):
            labels, resource = (frozenset(series[part].items()) for part in ("attributes", "resource"))
            found.add((name, labels, resource, series["value"]))
    return found


def in_each_view(world: World, settled, **settings: str) -> tuple[set, list[int]]:
    """Restarts all parts for each view. Returns the series, which must be equal, and the number of jobs of each view.

    `settled` raises an AssertionError until the collectors have all targets.
    """
    seen, counts = set(), []
    for what, labels, view in (("all labels", "all", ""), ("read labels", "referenced", ""), ("merged", "referenced", "/merged")):
        for name in COLLECTORS:
            world.stop(name)
        world.stop("function")
        world.start_function(TARGET_LABELS=labels, **settings)
        for name in COLLECTORS:
            world.start_collector(name, view)
        eventually(f"{what}: every target", settled)

        def same() -> None:
            now = series_of(world)
            gone, new = seen - now, now - seen
            assert not gone, f"{len(gone)} of {len(seen)} series are gone: {sorted(map(str, gone))[:1]}"
            assert not new, f"{len(new)} new series: {sorted(map(str, new))[:1]}"

        if seen:
            eventually(f"{what}: the same series", same)
        else:
            # Samples of the earlier view are too old by then.
            time.sleep(2 * WINDOW)
            seen = series_of(world)
        counts.append(len(get(f"{world.function}{view}/scrape_configs")))
    return seen, counts


def as_before(world: World, wanted: set) -> None:
    """Restarts the function and the collectors with their first settings."""
    for name in COLLECTORS:
        world.stop(name)
    world.stop("function")
    world.start_function()
    for name in COLLECTORS:
        world.start_collector(name)
    eventually("every target by one collector again", lambda: check_owners(world, wanted))


def views(world: World) -> str:
    """All labels, referenced labels and the merged view give equal series."""
    wanted = expected(world)
    try:
        seen, counts = in_each_view(world, lambda: check_owners(world, wanted))
    finally:
        as_before(world, wanted)
    return f"{len(seen)} series from {counts[0]} jobs with all labels, the same with those that are read, and from {counts[2]} merged jobs"


def generated_views(world: World) -> str:
    """All views of a generated cluster with monitors of every kind give equal series."""
    wanted = expected(world)
    try:
        return in_generated(world)
    finally:
        as_before(world, wanted)


def in_generated(world: World) -> str:
    with Generated(world) as made:

        def settled() -> None:
            jobs = get(f"{world.function}/merged/scrape_configs")
            told = [group for job in jobs for share in shares(world, job, "/merged").values() for group in share["targets"]]
            put(f"{world.exporter}/addresses", "\n".join({*shop.exporter_addresses(world), *generated.addresses(told)}))
            series = {(labels, resource) for name, labels, resource, _ in series_of(world) if name == "up"}
            # Jobs that cannot be merged are served as discovered.
            relabelled = [group for group in told if "__scheme__" in group["labels"]]
            distinct = {labels for _, labels in merged.told(relabelled)}
            assert len(series) >= len(distinct) > 100, f"{len(series)} of {len(distinct)} targets are scraped"

        seen, counts = in_each_view(world, settled, ALLOCATOR_CONFIG_FILE=str(made.config))
    up = sum(name == "up" and value == 1 for name, _, _, value in seen)
    assert up > 100, f"{up} targets are up"
    return f"{len(seen)} series ({up} targets up) from {counts[0]} jobs with all labels, the same with those that are read, and from {counts[2]} merged jobs"


def prometheus(world: World) -> str:
    """A plain Prometheus gets its share from the lists of collectors."""
    jobs = sorted(get(f"{world.function}/jobs"))
    lists = [f"{world.function}/jobs/{urllib.request.quote(job, safe='')}/targets?collector_id={COLLECTORS[0]}" for job in jobs]
    configs = [
        {
            "job_name": job,
            "http_sd_configs": [{"url": url, "refresh_interval": "1s"}],
            "relabel_configs": [shop.TO_LOOPBACK_CONFIG],
        }
        for job, url in zip(jobs, lists)
    ]
    url = world.start_prometheus(json.dumps({"scrape_configs": configs}))
    wanted = {
        (job, group["targets"][0]) for job in jobs for group in shares(world, job)[COLLECTORS[0]]["targets"]
    }

    def same() -> None:
        active = get(f"{url}/api/v1/targets?state=active")["data"]["activeTargets"]
        found = {(target["scrapePool"], target["discoveredLabels"]["__address__"]) for target in active}
        assert found == wanted, f"only expected: {sorted(wanted - found)[:3]}, only found: {sorted(found - wanted)[:3]}"

    eventually("Prometheus has the share", same)
    world.stop("prometheus")
    return f"{len(wanted)} targets in {len(jobs)} jobs"


def pods(world: World) -> str:
    """A new pod is scraped. A deleted pod is not scraped any more."""
    before = expected(world)
    piece = world.kubectl("get", "endpointslices", "-n", "shop", "-l", WEB_SLICE_LABEL, "-o", "json")["items"][0]
    endpoint = dict(piece["endpoints"][0], addresses=["10.77.0.1"])
    endpoint.pop("targetRef", None)
    grown = {"endpoints": [*piece["endpoints"], endpoint]}
    kept = {"endpoints": piece["endpoints"]}
    added = [f"127.77.0.1:{port['port']}" for port in piece["ports"]]
    put(f"{world.exporter}/addresses", "\n".join([*shop.exporter_addresses(world), *added]))
    patch = ["patch", "endpointslice", piece["metadata"]["name"], "-n", "shop", "--type", "merge", "-p"]
    world.kubectl(*patch, json.dumps(grown))
    eventually("the new pod is known", lambda: _assert(len(expected(world)) > len(before), "not yet"))
    eventually("the new pod is scraped", lambda: check_owners(world, expected(world)))
    world.kubectl(*patch, json.dumps(kept))
    eventually("the pod that went is not known", lambda: _assert(expected(world) == before, "still known"))
    eventually("the pod that went is not scraped", lambda: check_owners(world, before))
    return f"{len(before)} scrapes, then one more, then as before"


def monitors(world: World) -> str:
    """A new monitor becomes a job. A deleted monitor has no job any more."""
    before = expected(world)
    web = world.kubectl("get", "servicemonitor", "web", "-n", "shop", "-o", "json")
    web["metadata"] = {"name": "web-too", "namespace": "shop"}
    for endpoint in web["spec"]["endpoints"]:
        endpoint["path"] = "/other"
    world.kubectl("create", "-f", "-", stdin=web)
    eventually("the new monitor is a job", lambda: _assert(len(expected(world)) > len(before), "not yet"))
    more = expected(world)
    eventually("its targets are scraped", lambda: check_owners(world, more))
    world.kubectl("delete", "servicemonitor", "web-too", "-n", "shop")
    eventually("the job is gone", lambda: _assert(expected(world) == before, "still there"))
    eventually("its targets are not scraped", lambda: check_owners(world, before))
    return f"{len(more) - len(before)} scrapes came and went"


def unloadable(world: World) -> str:
    """A running job that becomes one that no collector can load is left out, and collectors take new jobs."""
    trusted = (world.folder / "apiserver/apiserver.crt").read_text().replace("CERTIFICATE", "TRUSTED CERTIFICATE")
    metadata = {"name": "trusted", "namespace": "shop"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"ca": trusted}}
    world.kubectl("create", "-f", "-", stdin=secret)
    rule = {"action": "drop", "sourceLabels": ["__name__"], "regex": "x{2,$(SHARD)}"}
    changes = {
        "$(SHARD)": {"metricRelabelings": [rule]},
        "holds no certificate": {"tlsConfig": {"ca": {"secret": {"name": "trusted", "key": "ca"}}}},
        "names a file": {"tlsConfig": {"caFile": "/does/not/exist"}},
    }
    before = expected(world)
    web = world.kubectl("get", "servicemonitor", "web", "-n", "shop", "-o", "json")
    endpoints = [endpoint | {"path": "/changing"} for endpoint in web["spec"]["endpoints"]]
    for reason, change in changes.items():
        web["metadata"] = {"name": "changing", "namespace": "shop"}
        web["spec"]["endpoints"] = endpoints
        world.kubectl("create", "-f", "-", stdin=web)
        eventually("the job is known", lambda: _assert(len(expected(world)) > len(before), "not yet"))
        eventually("the job is scraped", lambda: check_owners(world, expected(world)))
        changed = {"spec": {"endpoints": [endpoint | change for endpoint in endpoints]}}
        world.kubectl("patch", "servicemonitor", "changing", "-n", "shop", "--type", "merge", "-p", json.dumps(changed))
        eventually("the job is left out", lambda: _assert(expected(world) == before, "still there"))
        entries = [entry for entry in get(f"{world.function}/debug/report") if entry["object"]["name"] == "changing"]
        _assert(entries != [] and all(reason in entry["reason"] for entry in entries), f"{reason}: {entries}")
        web["metadata"]["name"] = "new"
        web["spec"]["endpoints"] = [endpoint | {"path": "/new"} for endpoint in endpoints]
        world.kubectl("create", "-f", "-", stdin=web)
        eventually("the new job is known", lambda: _assert(len(expected(world)) > len(before), "not yet"))
        eventually("the new job is scraped", lambda: check_owners(world, expected(world)))
        world.kubectl("delete", "servicemonitor", "changing", "new", "-n", "shop")
        eventually("everything is as before", lambda: check_owners(world, before))
    world.kubectl("delete", "secret", "trusted", "-n", "shop")
    return f"{len(changes)} changes were refused by name, and a new job was scraped after each"


def collectors(world: World) -> str:
    """Other collectors scrape the share of a deleted collector. The share returns with the collector."""
    wanted = expected(world)
    gone = COLLECTORS[2]
    pod = world.kubectl("get", "pod", gone, "-n", "monitoring", "-o", "json")
    world.kubectl("delete", "pod", gone, "-n", "monitoring", "--force", "--grace-period=0")
    world.stop(gone)
    eventually("two collectors have everything", lambda: check_owners(world, wanted, COLLECTORS[:2]))
    world.create(pod)
    world.start_collector(gone)

    def back() -> None:
        found = check_owners(world, wanted)
        assert {gone} in found.values(), f"{gone} has nothing yet"

    eventually("three collectors share again", back)
    return f"{len(wanted)} scrapes by two collectors, then by three"


def faults(world: World) -> str:
    """No fault of the API server stops any scrape, however long it lasts."""
    wanted = set(settled(world))
    seen = []
    for fault in ("500", "403", "truncated", "empty", "down"):
        if fault == "down":
            world.stop("kube-apiserver")
        else:
            world.fault(fault)
        until = time.monotonic() + 2 * MAX_STALE
        while time.monotonic() < until:
            time.sleep(WINDOW)
            check_owners(world, wanted)
        seen.append(f"{fault}: {_status(world)}")
        world.fault("")
        if fault == "down":
            world.start_apiserver()
        eventually("the function recovers", lambda: _assert(_status(world) == 200, "not yet"))
    return f"{len(wanted)} scrapes went on for {2 * MAX_STALE} s each through {', '.join(seen)}"


def wrong_lists(world: World) -> str:
    """Each answer with status 200 that is no list, until no snapshot is young enough: everything is scraped on."""
    wanted = set(settled(world))
    for fault in WRONG_LISTS:
        world.fault(fault)
        time.sleep(MAX_STALE + WINDOW)
        check_owners(world, wanted)
        assert _status(world) == 503, f"{fault} is taken for the truth"
        world.fault("")
        eventually("the function recovers", lambda: _assert(_status(world) == 200, "not yet"))
    return f"{len(wanted)} scrapes went on for {MAX_STALE + WINDOW} s each through {', '.join(WRONG_LISTS)}"


def _status(world: World) -> int:
    try:
        with urllib.request.urlopen(f"{world.function}/scrape_configs", timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        body = json.load(error)
        assert isinstance(body.get("message"), str), f"{error.code}: {body}"
        return error.code
    except OSError as error:
        raise AssertionError(f"no answer: {error}") from error


def _assert(holds: bool, otherwise: str) -> None:
    assert holds, otherwise


CASES = [
    ("recorded", recorded),
    ("once", once),
    ("labels", labels),
    ("credentials", credentials),
    ("access", tokens.access),
    ("rotation", tokens.rotation),
    ("secrets", tokens.secrets),
    ("views", views),
    ("generated_views", generated_views),
    ("prometheus", prometheus),
    ("merged_targets", merged.targets),
    ("merged_hostile", merged.hostile),
    ("metrics", metrics.scraped),
    ("alerts", metrics.alerts),
    ("pipelines", pipelines.separated),
    ("pods", pods),
    ("monitors", monitors),
    ("unloadable", unloadable),
    ("collectors", collectors),
    ("examples", examples.examples),
    ("compare", compatibility.compare),
    ("old_receiver", compatibility.old_receiver),
    ("outside_eks", documented.outside_eks),
    ("references", references.narrowed),
    ("namespaces", namespaces.scoped),
    ("faults", faults),
    ("wrong_lists", wrong_lists),
    ("canaries", canaries.find),
]
# Cases that run only by name: the emulator of Lambda stops for ever when a hundred requests wait.
BY_NAME = [("one_object", one_object.one_object)]
