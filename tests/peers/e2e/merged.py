"""A plain Prometheus and a vmagent use the list of merged targets, with the configs of docs/merged.md."""

import re
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from parts import World

# The collector of the share, as in the document.
SHARE = "otel-collector-0"
# The values of the document that are replaced by the values of this world.
ENDPOINT = "https://abc123.execute-api.eu-central-1.amazonaws.com"
TOKEN = "/var/run/secrets/target-allocator/token"


def documented(world: "World", scraper: str) -> str:
    """The config of the document for this scraper, with the values of this world."""
    from parts import ROOT

    document = (ROOT / "docs/merged.md").read_text()
    found = re.search(rf"^### {scraper}$.*?^```yaml\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    assert found, f"docs/merged.md has no config for {scraper}"
    config = found[1]
    assert f"collector_id={SHARE}\n" in config, f"the config for {scraper} is not for {SHARE}"
    for example, value in ((ENDPOINT, world.gateway), (TOKEN, str(world.token_file(SHARE)))):
        assert example in config, f"the config for {scraper} does not have {example}"
        config = config.replace(example, value)
    # The interval in the document is too long for a test.
    return config.replace("refresh_interval: 30s", "refresh_interval: 1s")


def told(groups: list[dict]) -> set:
    """The targets in the list: the URL of each target, and the labels of its series."""
    found = set()
    for group in groups:
        labels = dict(group["labels"])
        [address] = group["targets"]
        query = urlencode([(name[8:], value) for name, value in sorted(labels.items()) if name.startswith("__param_")])
        url = f"{labels['__scheme__']}://{address}{labels['__metrics_path__']}" + (f"?{query}" if query else "")
        final = {name: value for name, value in labels.items() if not name.startswith("__")}
        found.add((url, frozenset(({"instance": address} | final).items())))
    return found


def scraped(url: str) -> set:
    """The targets that a scraper reports, all of them up."""
    from parts import get

    active = get(f"{url}/api/v1/targets?state=active")["data"]["activeTargets"]
    down = [(target["scrapeUrl"], target["lastError"]) for target in active if target["health"] != "up"]
    assert not down, f"{len(down)} of {len(active)} targets are not up: {down[:2]}"
    # Only one of the two scrapers ends a URL without parameters in `?`.
    return {(target["scrapeUrl"].removesuffix("?"), frozenset(target["labels"].items())) for target in active}


def series(prometheus: str, query: str) -> set:
    """The series of a query with their values, from any scraper."""
    from parts import get

    result = get(f"{prometheus}/api/v1/query?{urlencode({'query': query})}")["data"]["result"]
    return {(frozenset((one["metric"] | {"scraper": ""}).items()), one["value"][1]) for one in result}


def targets(world: "World") -> str:
    """A plain Prometheus and a vmagent each scrape a share by one URL. Their targets and labels are equal."""
    from parts import eventually, get

    prometheus = world.start_prometheus(documented(world, "Prometheus"))
    vmagent = world.start_vmagent(documented(world, "vmagent"), prometheus)
    wanted = told(get(f"{world.function}/merged/targets?collector_id={SHARE}"))
    assert wanted, "the share has no merged targets"

    def same(url: str) -> None:
        found = scraped(url)
        missing, extra = wanted - found, found - wanted
        assert not missing, f"{len(missing)} of {len(wanted)} missing: {sorted(map(str, missing))[:1]}, found {sorted(map(str, extra))[:1]}"
        assert not extra, f"{len(extra)} more: {sorted(map(str, extra))[:1]}"

    eventually("Prometheus has the share", lambda: same(prometheus))
    eventually("vmagent has the share", lambda: same(vmagent))

    def arrive() -> int:
        own, written = (series(prometheus, f'{{__name__=~"up|exporter_info",scraper="{who}"}}') for who in ("", "vmagent"))
        ups = [labels for labels, value in own if ("__name__", "up") in labels and value == "1"]
        assert len(ups) == len(wanted), f"{len(ups)} of {len(wanted)} up in Prometheus"
        assert own == written, f"only Prometheus: {sorted(map(str, own - written))[:1]}, only vmagent: {sorted(map(str, written - own))[:1]}"
        return len(own)

    count = eventually("the same series come from both", arrive)
    for name in ("vmagent", "prometheus"):
        world.stop(name)
    return f"{len(wanted)} targets up in Prometheus and in vmagent, and {count} series the same from both"


# The tenant's namespace has these objects. Each breaks its own job.
TENANT = "tenant"


def hostile_objects() -> list[dict]:
    """A source that never answers, a job too large for a list, and labels without a name."""

    def of_tenant(kind: str, version: str, name: str, spec: dict) -> dict:
        metadata = {"namespace": TENANT, "name": name}
        return {"apiVersion": f"monitoring.coreos.com/{version}", "kind": kind, "metadata": metadata, "spec": spec}

    names = {"action": "labelmap", "regex": "__meta_kubernetes_(.+)", "replacement": "$2"}
    web = {"matchLabels": {"app.kubernetes.io/name": "web"}}
    endpoint = {"port": "metrics", "relabelings": [names]}
    large = {"targets": [f"h{at}.example:80" for at in range(40_000)], "labels": {"note": "x" * 500}}
    return [
        of_tenant("ScrapeConfig", "v1alpha1", "never", {"httpSDConfigs": [{"url": "http://nothing.invalid/"}]}),
        of_tenant("ScrapeConfig", "v1alpha1", "large", {"staticConfigs": [large]}),
        of_tenant(
            "ServiceMonitor",
            "v1",
            "nameless",
            {"selector": web, "namespaceSelector": {"any": True}, "endpoints": [endpoint]},
        ),
    ]


def hostile(world: "World") -> str:
    """A Prometheus scrapes the jobs of others on one list, whatever the objects of a tenant are."""
    from parts import ROOT, eventually, get

    url = f"{world.function}/merged/targets?collector_id={SHARE}"
    wanted = told(get(url))
    assert wanted, "the share has no merged targets"
    world.kubectl("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": TENANT}})
    objects = hostile_objects()
    for one in objects:
        world.kubectl("create", "-f", "-", stdin=one)
    config = world.folder / "with-scrape-configs.yaml"
    own = (ROOT / "examples/shop/targetallocator.yaml").read_text()
    config.write_text(f"{own}  scrape_config_selector: {{}}\n  scrape_config_namespace_selector: {{}}\n")
    world.stop("function")
    world.start_function(ALLOCATOR_CONFIG_FILE=str(config))

    # The environment is cold: it never knew the targets of the source.
    with urllib.request.urlopen(url, timeout=20) as answer:
        left_out = answer.headers["target-allocator-left-out"]
    assert "unknown=1" in left_out and "too-large=1" in left_out and "targets=" in left_out, left_out
    prometheus = world.start_prometheus(documented(world, "Prometheus"))

    def same() -> None:
        found = scraped(prometheus)
        missing, extra = wanted - found, found - wanted
        assert not missing, f"{len(missing)} of {len(wanted)} missing: {sorted(map(str, missing))[:1]}"
        assert not extra, f"{len(extra)} more: {sorted(map(str, extra))[:1]}"

    eventually("Prometheus has the targets of the others", same)
    report = get(f"{world.function}/debug/report")
    named = {entry["object"]["name"] for entry in report if entry["outcome"] == "unlisted"}
    missing = {one["metadata"]["name"] for one in objects} - named
    assert not missing, f"not in the report: {missing}"
    world.stop("prometheus")
    for one in objects:
        world.kubectl("delete", one["kind"].lower(), one["metadata"]["name"], "-n", TENANT)
    world.stop("function")
    world.start_function()
    return f"{len(wanted)} targets of others up in Prometheus beside {len(objects)} hostile objects ({left_out})"
