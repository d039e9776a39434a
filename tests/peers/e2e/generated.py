"""A generated cluster beside the shop, with monitors of every kind. Compares the series of each view."""

import json
import subprocess
from typing import TYPE_CHECKING

import shop

if TYPE_CHECKING:
    from parts import World

SEED = 1
# The prefix of names, because the shop has namespaces and nodes with equal names.
PREFIX = "generated-"
LABEL = {"world": "generated"}
MONITORS = ("ServiceMonitor", "PodMonitor", "Probe", "ScrapeConfig")
# The address of the exporters that act as the prober of all Probes.
PROBER = "127.99.0.1:9115"
# Addresses outside this machine are replaced by an address where nobody listens. No request leaves this machine.
NOBODY = "127.98.0.1:9"
ELSEWHERE = r"((?:[^1]|1[^2]|12[^7]|127[^.]).*)"
TO_NOBODY = [
    {"sourceLabels": ["__address__"], "regex": ELSEWHERE, "targetLabel": "elsewhere"},
    {"sourceLabels": ["__address__"], "regex": ELSEWHERE, "targetLabel": "__address__", "replacement": NOBODY},
]
SELECTORS = {
    f"{kind}_{of}": {"matchLabels": LABEL} if of == "selector" else {}
    for kind in ("service_monitor", "pod_monitor", "probe", "scrape_config")
    for of in ("selector", "namespace_selector")
}
CONFIG = {
    "collector_namespace": "monitoring",
    "collector_selector": {"matchLabels": {"app.kubernetes.io/name": "otel-collector"}},
    "allocation_strategy": "consistent-hashing",
    "filter_strategy": "relabel-config",
    "prometheus_cr": {"enabled": True, "scrape_interval": "1s"} | SELECTORS,
}


class Generated:
    """Creates the objects of the generated cluster, and deletes them at the end of the block."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.file = world.folder / "generated.json"
        self.config = world.folder / "generated.yaml"

    def __enter__(self) -> "Generated":
        from parts import PEERS

        made = self.world.folder / "made.json"
        subprocess.run([PEERS / "worlds", "-world", "cluster", "-seed", str(SEED), "-out", made], check=True)
        items = [adapted(item) for item in renamed(json.loads(made.read_text()))["items"]]
        self.file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        self.config.write_text(json.dumps(CONFIG))
        kubeconfig = self.world.folder / "apiserver/admin.kubeconfig"
        subprocess.run([PEERS / "load", "-kubeconfig", kubeconfig, self.file], check=True, stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *_: object) -> None:
        # No controller empties a deleted namespace here.
        items = [item for item in json.loads(self.file.read_text())["items"] if item["kind"] != "Namespace"]
        gone = {"apiVersion": "v1", "kind": "List", "items": items}
        self.world.kubectl("delete", "--ignore-not-found", "--force", "--grace-period=0", "--wait=false", "-f", "-", stdin=gone)


def renamed(value):
    """The object with names that the shop does not have."""
    if isinstance(value, dict):
        return {name: renamed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [renamed(item) for item in value]
    is_name = value in ("shop", "team-a", "team-b", "monitoring") or isinstance(value, str) and value.startswith("node-")
    return f"{PREFIX}{value}" if is_name else value


def adapted(item: dict) -> dict:
    """The object in a form that this API server accepts, with addresses where exporters can be scraped."""
    spec = item.get("spec", {})
    if item["kind"] == "Service" and spec.get("clusterIP") != "None":
        # The API server assigns these addresses itself.
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)
    if item["kind"] not in MONITORS:
        return item
    item["metadata"].setdefault("labels", {}).update(LABEL)
    endpoints = spec.get("endpoints", []) + spec.get("podMetricsEndpoints", [])
    if item["kind"] in ("Probe", "ScrapeConfig"):
        endpoints = [spec]
    if item["kind"] == "Probe":
        spec["prober"] = spec["prober"] | {"url": PROBER, "scheme": "HTTP"}
    for endpoint in endpoints:
        endpoint["scrapeInterval" if item["kind"] == "ScrapeConfig" else "interval"] = endpoint["scrapeTimeout"] = "1s"
        if endpoint.get("scheme", "").lower() == "https":
            endpoint.pop("scheme")
        if item["kind"] != "Probe":
            endpoint.setdefault("relabelings", []).extend([shop.TO_LOOPBACK, *TO_NOBODY])
    return item


def addresses(told: list[dict]) -> set[str]:
    """The addresses where exporters must listen, except targets that are down in all views."""
    found = {shop.loopback(group["labels"]["__address__"]) for group in told} - {NOBODY}
    # A target without a port is scraped at port 80.
    return {address if ":" in address else f"{address}:80" for address in found if address.startswith("127.")}
