"""One object, everybody else: each object of tests/one_object.json beside the shop, on a real API server.

`tests/it/one_object.rs` reads the same table with manifests and with an API server in memory.
"""

import json
import os
import socket
import urllib.request
from typing import TYPE_CHECKING

import merged
import shop
from references import ROLE, create, narrow, restore

if TYPE_CHECKING:
    from parts import World

CONFIG = """\
collector_namespace: monitoring
collector_selector: {matchLabels: {app.kubernetes.io/name: otel-collector}}
http_sd_allow: [127.0.0.1/32]
prometheus_cr:
  enabled: true
"""
# A refresh of all cases together takes ten seconds on a small machine. `cargo lambda` stops for ever when a hundred
# requests wait, so collectors ask seldom and start one after the other. They give up a request after the interval.
TTL, INTERVAL = 20, "20s"
KINDS = ("service_monitor", "pod_monitor", "probe", "scrape_config")
MONITORS = "monitoring.coreos.com/"
# The shop's jobs.
SHOP = ("serviceMonitor/shop/", "serviceMonitor/payments/")


def fill(text: str, words: dict[str, str]) -> str:
    for name, value in words.items():
        text = text.replace(name, value)
    return text


def expand(value, words: dict[str, str]):
    """Replaces placeholders, and the forms of the table that stand for many values."""
    if isinstance(value, str):
        return fill(value, words)
    if isinstance(value, list):
        return [item for each in value for item in expand_item(each, words)]
    if not isinstance(value, dict):
        return value
    if "$text" in value:
        return value["$text"] * value["$times"]
    if "$number" in value:
        return int(fill(value["$number"], words))
    if "$keys" in value:
        return {f"l{number}": value["$value"] for number in range(value["$keys"])}
    return {name: expand(field, words) for name, field in value.items()}


def expand_item(item, words: dict[str, str]) -> list:
    """`{"$for": N or LIST, "$of": X}` stands for many items."""
    if not (isinstance(item, dict) and "$for" in item):
        return [expand(item, words)]
    values = item["$for"] if isinstance(item["$for"], list) else [""] * item["$for"]
    name = f"<{item.get('$as', 'n')}>"
    return [expand(item["$of"], words | {name: str(at), "<it>": value}) for at, value in enumerate(values)]


class Case:
    """One row of the table, in a namespace of its own."""

    def __init__(self, row: dict, common: list, namespace: str, silent: str) -> None:
        self.name, self.namespace = row["name"], namespace
        self.says, self.narrowed = row.get("says"), row.get("narrowed")
        own = row.get("objects", [])
        if "endpoint" in row:
            spec = {"selector": {"matchLabels": {"app": "bad"}}, "endpoints": [row["endpoint"]]}
            own = [{"kind": "ServiceMonitor", "metadata": {"name": "bad"}, "spec": spec}]
        self.objects = expand([*common, *own], {"<namespace>": namespace, "<silent>": silent})
        for item in self.objects:
            item["metadata"]["namespace"] = namespace
            version = "v1alpha1" if item["kind"] == "ScrapeConfig" else "v1"
            item.setdefault("apiVersion", MONITORS + version)

    def monitors(self) -> set[tuple[str, str, str]]:
        return {(item["kind"], self.namespace, item["metadata"]["name"]) for item in self.objects if item["apiVersion"].startswith(MONITORS)}


def rows(filter_by=lambda row: True) -> list[tuple[dict, list]]:
    """The rows of the table that objects of an API server can express, each with the objects that all rows share."""
    from parts import ROOT

    table = json.loads((ROOT / "tests/one_object.json").read_text())
    return [(row, table["common"]) for row in table["cases"] if "yaml" not in row and filter_by(row)]


def cases(silent: str) -> list[Case]:
    chosen = rows(lambda row: "not_end_to_end" not in row)
    return [Case(row, common, f"tenant-{at}", silent) for at, (row, common) in enumerate(chosen)]


def create_all(world: "World", every: list[Case]) -> None:
    namespaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": case.namespace}} for case in every]
    create(world, namespaces)
    create(world, [item for case in every for item in case.objects])


def delete_all(world: "World", every: list[Case]) -> None:
    """No controller empties a deleted namespace here."""
    items = [{name: item[name] for name in ("apiVersion", "kind", "metadata")} for case in every for item in case.objects]
    for item in items:
        item["metadata"] = {name: item["metadata"][name] for name in ("namespace", "name")}
    gone = {"apiVersion": "v1", "kind": "List", "items": items}
    world.kubectl("delete", "--ignore-not-found", "--force", "--grace-period=0", "--wait=false", "-f", "-", stdin=gone)


def check_report(world: "World", every: list[Case], text: str) -> int:
    """The report names each monitor of the cases that have this text, and its reason says the text."""
    from parts import get

    reasons: dict[tuple, list[str]] = {}
    for entry in get(f"{world.function}/debug/report"):
        item = entry["object"]
        reasons.setdefault((item["kind"], item.get("namespace"), item["name"]), []).append(entry["reason"])
    count = 0
    for case in every:
        says = getattr(case, text)
        if says is None:
            continue
        for monitor in case.monitors():
            found = reasons.get(monitor, [])
            assert any(says in reason for reason in found), f"{case.name}: {monitor}: {found[:2]}"
            count += 1
    return count


def served(world: "World") -> tuple[set, set]:
    """The scrapes of the shop by the plain view, and all groups of targets in the merged view."""
    from cases import shares
    from parts import COLLECTORS, get

    plain, groups = set(), set()
    for job, config in get(f"{world.function}/scrape_configs").items():
        if job.startswith(SHOP):
            plain |= shop.scrapes_of(config, shares(world, job))
    for job in get(f"{world.function}/merged/scrape_configs"):
        for who in COLLECTORS:
            url = f"{world.function}/merged/jobs/{urllib.request.quote(job, safe='')}/targets?collector_id={who}"
            try:
                share = get(url)
            except AssertionError:
                # The targets of this job are unknown, or too large for a response.
                continue
            groups |= {(who, json.dumps(group, sort_keys=True)) for group in share}
    return plain, groups


def shop_is_served(world: "World", before: tuple[set, set]) -> None:
    """The shop's targets are the same in both views."""
    for view, wanted, found in zip(("plain", "merged"), before, served(world)):
        assert found >= wanted, f"{view}: {len(wanted - found)} of {len(wanted)} are missing: {sorted(map(str, wanted - found))[:1]}"


def a_change_arrives(world: "World", number: int) -> None:
    """A new endpoint of the shop is served. The answers are thus made of the cluster as it is now."""
    from cases import WEB_SLICE_LABEL
    from parts import eventually

    piece = world.kubectl("get", "endpointslices", "-n", "shop", "-l", WEB_SLICE_LABEL, "-o", "json")["items"][0]
    endpoint = dict(piece["endpoints"][0], addresses=[f"10.76.0.{number}"])
    endpoint.pop("targetRef", None)
    patch = ["patch", "endpointslice", piece["metadata"]["name"], "-n", "shop", "--type", "merge", "-p"]
    world.kubectl(*patch, json.dumps({"endpoints": [*piece["endpoints"], endpoint]}))

    def is_known() -> None:
        addresses = {scrape[0].rpartition(":")[0] for scrape in served(world)[0]}
        assert f"127.76.0.{number}" in addresses, "the new endpoint is not known"

    eventually("a change is known", is_known, 240)
    world.kubectl(*patch, json.dumps({"endpoints": piece["endpoints"]}))


def scrapes_something(name: str, world: "World") -> None:
    from cases import WINDOW, owners

    assert any(name in who for who in owners(world, WINDOW).values()), f"{name} scrapes nothing"


def shop_is_scraped(world: "World", wanted: set) -> None:
    from cases import WINDOW, owners

    found = owners(world, WINDOW)
    missing = wanted - found.keys()
    assert not missing, f"{len(missing)} of {len(wanted)} are not scraped: {sorted(missing)[:3]}"


def prometheus_has(url: str, wanted: set) -> None:
    from parts import get

    active = get(f"{url}/api/v1/targets?state=active")["data"]["activeTargets"]
    found = {target["scrapeUrl"] for target in active}
    missing = {url for url, _ in wanted} - found
    assert not missing, f"{len(missing)} of {len(wanted)} are missing: {sorted(missing)[:1]}"


def config(world: "World") -> str:
    """All monitors of all kinds and namespaces."""
    path = world.folder / "one-object.yaml"
    selectors = [f"  {kind}_{of}selector: {{}}\n" for kind in KINDS for of in ("", "namespace_")]
    path.write_text(CONFIG + "".join(selectors))
    return str(path)


def one_object(world: "World") -> str:
    """Whatever the objects of others are, the shop is served fresh in both views, and real parts load and scrape it."""
    from cases import COLLECTORS, as_before, expected
    from parts import eventually, get

    # The emulator of cargo lambda stops for ever once 100 requests wait. These jobs make more at a time.
    assert os.environ.get("FUNCTION_BINARY"), "build the function, and name it in FUNCTION_BINARY"
    wanted = expected(world)
    role = world.kubectl("get", "clusterrole", ROLE, "-o", "json")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        every = cases(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        for name in ("function", *COLLECTORS):
            world.stop(name)
        world.start_function(ALLOCATOR_CONFIG_FILE=config(world), SNAPSHOT_TTL=str(TTL), SNAPSHOT_MAX_STALE="120")
        url = f"{world.function}/merged/targets?collector_id={merged.SHARE}"
        before, listed = served(world), merged.told(get(url))
        assert listed, "the share has no merged targets"
        try:
            create_all(world, every)
            named = eventually("the objects are reported", lambda: check_report(world, every, "says"), 120)
            shop_is_served(world, before)
            a_change_arrives(world, 1)
            # Collectors and a Prometheus that start now have no earlier jobs or targets.
            for name, view in zip(COLLECTORS, ("", "", "/merged")):
                world.start_collector(name, view, INTERVAL)
                eventually(f"{name} scrapes", lambda name=name: scrapes_something(name, world), 120)
            prometheus = world.start_prometheus(merged.documented(world, "Prometheus"))
            eventually("the shop is scraped", lambda: shop_is_scraped(world, wanted), 120)
            eventually("Prometheus has the shop's targets", lambda: prometheus_has(prometheus, listed))
            narrow(world, role)
            locked = eventually("locked Secrets are reported", lambda: check_report(world, every, "narrowed"), 240)
            shop_is_served(world, before)
            a_change_arrives(world, 2)
            shop_is_scraped(world, wanted)
            prometheus_has(prometheus, listed)
        finally:
            world.stop("prometheus")
            restore(world, role)
            delete_all(world, every)
            as_before(world, wanted)
    return f"{len(wanted)} scrapes of the shop beside {len(every)} cases; {named} monitors are reported, and {locked} with a narrowed role"
