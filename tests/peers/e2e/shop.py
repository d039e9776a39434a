"""The example shop as these tests use it, and its expected scrapes."""

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

if TYPE_CHECKING:
    from parts import World

# Slices refuse loopback addresses, but exporters must listen on loopback. The address
# 10.x.y.z of a pod is therefore scraped as 127.x.y.z.
TO_LOOPBACK = {
    "action": "replace",
    "sourceLabels": ["__address__"],
    "regex": r"10\.(.*):(.*)",
    "targetLabel": "__address__",
    "replacement": "127.$1:$2",
}


# This rule in the form of Prometheus' own config.
TO_LOOPBACK_CONFIG = {
    "action": "replace",
    "source_labels": TO_LOOPBACK["sourceLabels"],
    "regex": TO_LOOPBACK["regex"],
    "target_label": TO_LOOPBACK["targetLabel"],
    "replacement": TO_LOOPBACK["replacement"],
}


def loopback(address: str) -> str:
    return re.sub(r"^10\.", "127.", address)


def adapt(monitor: dict) -> dict:
    """Changes a monitor for the exporters: scrapes every second, on loopback, without TLS, with other series names."""
    for endpoint in monitor["spec"]["endpoints"]:
        endpoint["interval"] = endpoint["scrapeTimeout"] = "1s"
        endpoint.setdefault("relabelings", []).append(TO_LOOPBACK)
        endpoint.pop("metricRelabelings", None)
        if endpoint.pop("scheme", "http").lower() == "https":
            endpoint.pop("tlsConfig", None)
    return monitor


def speed_up(world: "World") -> None:
    for monitor in world.kubectl("get", "servicemonitors", "-A", "-o", "json")["items"]:
        world.kubectl("replace", "-f", "-", stdin=adapt(monitor))


def exporter_addresses(world: "World") -> list[str]:
    """Every port of every pod and slice, scraped or not."""
    addresses = set()
    for pod in world.kubectl("get", "pods", "-A", "-o", "json")["items"]:
        containers = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
        ports = [port["containerPort"] for container in containers for port in container.get("ports", [])]
        if "podIP" in pod.get("status", {}):
            addresses.update(f"{loopback(pod['status']['podIP'])}:{port}" for port in ports if port >= 1024)
    for part in world.kubectl("get", "endpointslices", "-A", "-o", "json")["items"]:
        ports = [port["port"] for port in part.get("ports") or []]
        for endpoint in part["endpoints"]:
            for address in endpoint["addresses"]:
                addresses.update(f"{loopback(address)}:{port}" for port in ports if address.startswith("10.") and port >= 1024)
    return sorted(addresses)


def scrapes_of(config: dict, targets: dict) -> set[tuple[str, str, str]]:
    """The expected scrapes of a job: address, path and query."""
    query = urlencode(sorted((name, value) for name, values in config.get("params", {}).items() for value in values))
    groups = [group for share in targets.values() for group in share["targets"]]
    return {(loopback(group["targets"][0]), config["metrics_path"], query) for group in groups}


def asked(series: dict) -> tuple[str, str, str]:
    """The scrape that a series of `exporter_request_info` describes."""
    attributes = series["attributes"]
    query = urlencode(sorted(parse_qsl(attributes.get("query", ""), keep_blank_values=True)))
    return attributes["address"], attributes["path"], query
