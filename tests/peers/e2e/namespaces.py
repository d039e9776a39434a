"""A function that may read only some namespaces, by Roles and without a ClusterRole."""

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parts import World

ALLOWED = ("shop", "payments")
COLLECTORS_NAMESPACE = "monitoring"
GROUP = "target-allocator"


def scoped(world: "World") -> str:
    """The targets of the allowed namespaces are served as before, every request stays inside, and each right is used."""
    from parts import ROOT, eventually, get

    before = shares_of_allowed(world)
    assert before, "no job of the allowed namespaces"
    binding = world.kubectl("get", "clusterrolebinding", GROUP, "-o", "json")
    world.stop("function")
    world.kubectl("delete", "clusterrolebinding", GROUP)
    world.kubectl("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": roles(world)})
    config = world.folder / "scoped.yaml"
    config.write_text(narrowed((ROOT / "examples/shop/targetallocator.yaml").read_text()))
    world.kubectl("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": references()})
    mark = len(audit(world))
    try:
        world.start_function(ALLOCATOR_CONFIG_FILE=str(config))
        eventually("the targets are as before", lambda: same(before, shares_of_allowed(world)))
        report = json.dumps(get(f"{world.function}/debug/report"))
        assert "the labels and zones of nodes are absent" in report, report
        used = requests(world, mark)
        granted = {right for role in roles(world) if role["kind"] == "Role" for right in rights(role)}
        assert not used - granted, f"used and not granted: {sorted(used - granted)}"
        # A small list is read again as a whole, so no watch is needed for it.
        unused = {right for right in granted - used if right[3] != "watch"}
        assert not unused, f"granted and not used: {sorted(unused)}"
        refusal = without_a_role(world, before)
        return f"{len(before)} jobs as with the ClusterRole, {len(used)} rights used, {refusal}"
    finally:
        world.stop("function")
        for namespace in ALLOWED:
            world.kubectl("delete", "scrapeconfig", "references", "-n", namespace)
        for role in roles(world):
            namespace, name = role["metadata"]["namespace"], role["metadata"]["name"]
            world.kubectl("delete", role["kind"].lower(), name, "-n", namespace, "--ignore-not-found")
        metadata = {"name": GROUP}
        world.kubectl("create", "-f", "-", stdin={**binding, "metadata": metadata})
        world.start_function()


def narrowed(shop: str) -> str:
    """The shop's config, limited to the allowed namespaces, with a job that reads every kind of object."""
    allowed = f"  enabled: true\n  allow_namespaces: [{', '.join(ALLOWED)}]\n  scrape_config_selector: {{}}\n"
    assert "  enabled: true\n" in shop
    owners = {"role": "pod", "attach_metadata": {"node": True, "deployment": True, "cronjob": True}}
    roles = [owners, *({"role": role} for role in ("service", "endpoints", "endpointslice", "ingress"))]
    # No target stays: only the reads count.
    drop = {"action": "drop", "source_labels": ["__address__"], "regex": ".*"}
    job = {"job_name": "every-role", "kubernetes_sd_configs": roles, "relabel_configs": [drop]}
    selectors = "".join(f"  {kind}_selector: {{}}\n" for kind in ("pod_monitor", "probe"))
    return shop.replace("  enabled: true\n", allowed + selectors) + f"config: {json.dumps({'scrape_configs': [job]})}\n"


def references() -> list[dict]:
    """Scrape configs that name a Secret and a ConfigMap. The function asks for both, in each namespace."""
    key = {"name": "no-such-object", "key": "k"}
    spec = {
        "staticConfigs": [{"targets": ["127.0.0.1:1"]}],
        "authorization": {"credentials": key},
        "tlsConfig": {"ca": {"configMap": key}},
    }
    kind = {"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "ScrapeConfig"}
    return [{**kind, "metadata": {"namespace": namespace, "name": "references"}, "spec": spec} for namespace in ALLOWED]


def roles(world: "World") -> list[dict]:
    """The Roles and RoleBindings of the example, with a copy for each allowed namespace."""
    from parts import ROOT

    printed = world.kubectl("create", "--dry-run=client", "-o=json", "-f", str(ROOT / "examples/rbac-namespaced.yaml"))
    # kubectl prints one object after the other, or a List.
    items, decoder = [], json.JSONDecoder()
    while printed.strip():
        item, end = decoder.raw_decode(printed.strip())
        items += item.get("items", [item])
        printed = printed.strip()[end:]
    made = []
    for item in items:
        namespaces = ALLOWED if item["metadata"]["namespace"] == "shop" else (item["metadata"]["namespace"],)
        for namespace in namespaces:
            made.append({**item, "metadata": {"namespace": namespace, "name": item["metadata"]["name"]}})
    return made


def rights(role: dict) -> set[tuple[str, str, str, str]]:
    return {
        (role["metadata"]["namespace"], group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def audit(world: "World") -> list[str]:
    return (world.folder / "audit.jsonl").read_text().splitlines()


def requests(world: "World", mark: int) -> set[tuple[str, str, str, str]]:
    """The function's requests since then. Only a list of nodes may be refused, and none may be of the whole cluster."""
    found = set()
    for line in audit(world)[mark:]:
        event = json.loads(line)
        if GROUP not in event["user"].get("groups", []) or event["stage"] != "ResponseComplete":
            continue
        if "objectRef" not in event or "resource" not in event["objectRef"]:
            continue  # API discovery
        reference = event["objectRef"]
        if reference["resource"] == "nodes":
            continue
        decision = event["annotations"]["authorization.k8s.io/decision"]
        assert decision == "allow", f"refused: {event['verb']} {event['requestURI']}"
        namespace = reference.get("namespace", "") or reference.get("name", "")
        assert namespace in (*ALLOWED, COLLECTORS_NAMESPACE), f"outside: {event['requestURI']}"
        found.add((namespace, reference.get("apiGroup", ""), reference["resource"], event["verb"]))
    return found


def without_a_role(world: "World", before: dict) -> str:
    """A Role that is taken away is a failure that names the namespace. It is never an empty namespace."""
    from parts import MAX_STALE, eventually

    world.kubectl("delete", "rolebinding", GROUP, "-n", "payments")

    def is_refused() -> str:
        try:
            with urllib.request.urlopen(f"{world.function}/jobs", timeout=20) as answer:
                raise AssertionError(f"still answers {answer.status}")
        except urllib.error.HTTPError as error:
            message = json.load(error)["message"]
        assert "in the namespace payments: 403 Forbidden" in message, message
        return "a missing Role is 503 by its namespace"

    text = eventually("the missing Role is named", is_refused, 4 * MAX_STALE)
    world.kubectl("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": [it for it in roles(world) if it["kind"] == "RoleBinding" and it["metadata"]["namespace"] == "payments"]})
    eventually("the targets are back", lambda: same(before, shares_of_allowed(world)))
    return text


def shares_of_allowed(world: "World") -> dict:
    """Every share of every job whose monitor is in an allowed namespace."""
    from cases import shares
    from parts import get

    jobs = [job for job in get(f"{world.function}/scrape_configs") if job.split("/")[1:2] and job.split("/")[1] in ALLOWED]
    return {job: shares(world, job) for job in jobs if not job.startswith("scrapeConfig/")}


def same(wanted: dict, found: dict) -> None:
    missing, more = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    assert not missing and not more, f"missing {sorted(missing)[:3]}, more {sorted(more)[:3]}"
    for job, shares in wanted.items():
        assert found[job] == shares, f"{job}: {json.dumps(shares)[:300]}, now {json.dumps(found[job])[:300]}"
