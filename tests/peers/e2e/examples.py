"""The manifests of examples/collector: the API server takes them, and real collectors run with their configs.

The API server of these tests has no controllers and no kubelet. This module therefore makes the pods from the
templates, like a controller, and the files and variables of each pod, like a kubelet.
"""

import json
import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import tokens

if TYPE_CHECKING:
    from parts import World

FOLDER = "examples/collector"
# Values of the examples that are replaced by the values of this world.
INTERVAL = "30s"
# The labels that the operator gives to the pods of a resource, as the example names them.
OPERATOR_LABELS = {
    "app.kubernetes.io/component": "opentelemetry-collector",
    "app.kubernetes.io/instance": "monitoring.otel",
    "app.kubernetes.io/managed-by": "opentelemetry-operator",
    "app.kubernetes.io/part-of": "opentelemetry",
}


class Workload(NamedTuple):
    """What a controller makes pods from: the template and the config of the collector."""

    template: dict
    config: str


class Place(NamedTuple):
    """A pod to make: its name and its node."""

    pod: str
    node: str


def applied(world: "World", file: str) -> list[dict]:
    """Applies a file of the examples with strict validation. Returns its objects with all defaults."""
    from parts import ROOT

    path = str(ROOT / FOLDER / file)
    # A user can make this check before a deployment.
    world.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", path)
    made = world.kubectl("apply", "--validate=strict", "-o", "json", "-f", path)
    return made["items"] if made["kind"] == "List" else [made]


def of_kind(objects: list[dict], kind: str) -> dict:
    [found] = [one for one in objects if one["kind"] == kind]
    return found


def of_controller(world: "World", file: str, kind: str) -> Workload:
    """The pod template of a StatefulSet or DaemonSet, and the config in the ConfigMap that its pods mount."""
    objects = applied(world, file)
    template = of_kind(objects, kind)["spec"]["template"]
    spec = template["spec"]
    [container] = spec["containers"]
    [argument] = container["args"]
    path = PurePosixPath(argument.removeprefix("--config="))
    [volume] = [mount["name"] for mount in container["volumeMounts"] if PurePosixPath(mount["mountPath"]) == path.parent]
    [source] = [one["configMap"]["name"] for one in spec["volumes"] if one["name"] == volume]
    config_map = of_kind(objects, "ConfigMap")
    assert source == config_map["metadata"]["name"], f"{file}: the pods mount the ConfigMap {source}"
    return Workload(template, config_map["data"][path.name])


def of_operator(world: "World", file: str) -> Workload:
    """The pod that the operator makes from a resource: its own labels, account and POD_NAME beside the fields."""
    [resource] = applied(world, file)
    spec = resource["spec"]
    assert spec["targetAllocator"]["enabled"] is False, "the operator would overwrite target_allocator"
    name = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    container = {
        "name": "otc-container",
        "image": spec["image"],
        "env": [*spec["env"], name],
        "volumeMounts": spec["volumeMounts"],
        "securityContext": spec["securityContext"],
    }
    pod = {
        "serviceAccountName": f"{resource['metadata']['name']}-collector",
        "securityContext": spec["podSecurityContext"],
        "containers": [container],
        "volumes": spec["volumes"],
    }
    # JSON is YAML.
    return Workload({"metadata": {"labels": OPERATOR_LABELS}, "spec": pod}, json.dumps(spec["config"]))


def create_pod(world: "World", workload: Workload, place: Place) -> None:
    """Creates a pod on its node, running and ready."""
    spec = {**workload.template["spec"], "nodeName": place.node}
    metadata = {"name": place.pod, "namespace": "monitoring", "labels": workload.template["metadata"]["labels"]}
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    world.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status})


def delete_pod(world: "World", name: str) -> None:
    world.kubectl("delete", "pod", name, "-n", "monitoring", "--force", "--grace-period=0")


def token_path(spec: dict) -> tuple[str, dict]:
    """The path of the projected token in the container, and its source."""
    [(volume, source)] = [
        (volume["name"], source["serviceAccountToken"])
        for volume in spec["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        if "serviceAccountToken" in source
    ]
    [mount] = [mount for mount in spec["containers"][0]["volumeMounts"] if mount["name"] == volume]
    return f"{mount['mountPath']}/{source['path']}", source


def start(world: "World", workload: Workload, pod: str) -> None:
    """Runs the collector of a pod with its config, variables and token."""
    from parts import PEERS

    spec = workload.template["spec"]
    path, source = token_path(spec)
    bound = ["--bound-object-kind", "Pod", "--bound-object-name", pod]
    lifetime = f"--duration={source['expirationSeconds']}s"
    made = ["create", "token", spec["serviceAccountName"], "-n", "monitoring", "--audience", source["audience"], lifetime]
    world.token_file(pod).write_text(world.kubectl(*made, *bound).strip())

    # The scrape configs and the targets each need the token.
    assert workload.config.count(path) == 2, f"the config does not read {path} twice"
    assert workload.config.count(INTERVAL) == 2, f"the config does not have {INTERVAL} twice"
    config = world.folder / f"{pod}.yaml"
    config.write_text(workload.config.replace(path, str(world.token_file(pod))).replace(INTERVAL, "2s"))

    # The values that a user changes.
    changed = {"ALLOCATOR_URL": world.gateway, "OTLP_ENDPOINT": f"{world.receiver}/c/{pod}"}
    variables = {}
    for variable in spec["containers"][0]["env"]:
        field = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        variables[variable["name"]] = {"metadata.name": pod}[field] if field else changed.pop(variable["name"])
    assert not changed, f"the pod has no variables {sorted(changed)}"
    # All collectors are on one machine, so they cannot all serve their own metrics at one port.
    alone = "--config=yaml:service::telemetry::metrics::level: none"
    world.start(pod, PEERS / "collector", "--config", config, alone, env=os.environ | variables)


def run(world: "World", workload: Workload, places: list[Place], allocator: str) -> int:
    """Runs the collectors of one example, until they scrape all targets. Returns the number of scrapes."""
    from cases import check_owners, expected
    from parts import eventually

    for place in places:
        create_pod(world, workload, place)
    config = world.folder / "targetallocator.yaml"
    config.write_text(allocator)
    world.stop("function")
    world.start_function(ALLOCATOR_CONFIG_FILE=str(config))
    try:
        for place in places:
            start(world, workload, place.pod)

        def scraped() -> dict:
            wanted = expected(world)
            assert len(wanted) > 10, f"only {len(wanted)} targets"
            return check_owners(world, wanted, [place.pod for place in places])

        found = eventually("every target by one collector", scraped)
        busy = {who for [who] in found.values()}
        assert len(busy) > 1, f"only {busy} scrape"
        return len(found)
    finally:
        for place in places:
            world.stop(place.pod)
            delete_pod(world, place.pod)


def examples(world: "World") -> str:
    """The API server takes each example, and collectors with its config, variables and token scrape all targets."""
    from cases import as_before, expected, settled
    from parts import COLLECTORS, PEERS, ROOT

    wanted = set(settled(world))
    own = [world.kubectl("get", "pod", name, "-n", "monitoring", "-o", "json") for name in COLLECTORS]
    nodes = sorted(node["metadata"]["name"] for node in world.kubectl("get", "nodes", "-o", "json")["items"])
    world.load(PEERS / "otel-crds")
    for name in COLLECTORS:
        world.stop(name)
        delete_pod(world, name)

    shop = (ROOT / "examples/shop/targetallocator.yaml").read_text()
    by_labels = f"  matchLabels: {json.dumps(OPERATOR_LABELS)}\n"
    operator = shop.replace("  matchLabels:\n    app.kubernetes.io/name: otel-collector\n", by_labels)
    per_node = shop.replace("consistent-hashing", "per-node") + "allocation_fallback_strategy: consistent-hashing\n"
    assert operator != shop and "allocation_strategy: per-node" in per_node, "the config of the shop has changed"
    replicas = [Place(name, node) for name, node in zip(COLLECTORS, nodes)]
    daemons = [Place(f"otel-collector-{at}x7kq", node) for at, node in enumerate(nodes)]
    try:
        counts = {
            "StatefulSet": run(world, of_controller(world, "statefulset.yaml", "StatefulSet"), replicas, shop),
            "OpenTelemetryCollector": run(world, of_operator(world, "opentelemetrycollector.yaml"), replicas, operator),
            "DaemonSet": run(world, of_controller(world, "daemonset.yaml", "DaemonSet"), daemons, per_node),
        }
        assert counts["StatefulSet"] == counts["OpenTelemetryCollector"] == len(wanted), f"{counts}, not {len(wanted)}"
    finally:
        for kind, name in (("statefulset", "otel-collector"), ("daemonset", "otel-collector"), ("otelcol", "otel")):
            world.kubectl("delete", kind, name, "-n", "monitoring", "--ignore-not-found")
        for pod in own:
            world.create(pod)
        as_before(world, wanted)
    assert expected(world) == wanted, "the shop is not as before"
    return ", ".join(f"{kind}: {count} scrapes" for kind, count in counts.items())

