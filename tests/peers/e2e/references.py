"""Monitors that name Secrets which nobody can read, beside the shop's: with the shipped role and with a narrowed one."""

import json
import time
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parts import World

NAMESPACE = "references"
# The real API server admits all of these in a monitor. All monitors together stay below the size from which on they
# are followed by a watch: the proxy before the API server passes a watch on when it ends, which takes a second.
NAMES = ("%", "a/b", ".", "..", "%2e%2e", "../../pods", "a?b", "a b", "A", "x" * 300)
TOO_MANY = 200
ROLE = "target-allocator"
# The namespaces of the shop whose monitors name Secrets.
SHOP = ("shop", "payments")


def monitor(name: str, *endpoints: dict) -> dict:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": {"namespace": NAMESPACE, "name": name},
        "spec": {"selector": {"matchLabels": {"app": "x"}}, "endpoints": list(endpoints)},
    }


def key(name: str) -> dict:
    return {"name": name, "key": "token"}


def hostile() -> list[dict]:
    """A monitor for each name and each field that holds one, and one with too many names."""
    made = []
    for index, name in enumerate(NAMES):
        fields = (
            {"basicAuth": {"username": key(name), "password": key(name)}},
            {"authorization": {"credentials": key(name)}},
            {"tlsConfig": {"ca": {"configMap": key(name)}}},
            {"oauth2": {"clientId": {"secret": key(name)}, "clientSecret": key(name), "tokenUrl": "http://a"}},
        )
        made += [monitor(f"odd-{index}-{number}", field) for number, field in enumerate(fields)]
    many = [{"port": "http", "authorization": {"credentials": key(f"s{number}")}} for number in range(TOO_MANY)]
    return [*made, monitor("many", *many)]


def create(world: "World", items: list[dict]) -> None:
    world.kubectl("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": items})


def refused(world: "World") -> dict[str, dict]:
    """What the report says of each monitor of the tenant."""
    from parts import get

    entries = get(f"{world.function}/debug/report")
    return {entry["object"]["name"]: entry for entry in entries if entry["object"].get("namespace") == NAMESPACE}


def served(world: "World") -> tuple:
    """Every target of the shop in both views."""
    from cases import expected, shares
    from parts import get

    merged = {job: shares(world, job, "/merged") for job in get(f"{world.function}/merged/scrape_configs")}
    return expected(world), json.dumps(merged, sort_keys=True)


def fresh(world: "World") -> None:
    """The answers are of a refresh that came after the change."""
    from parts import TTL, eventually

    time.sleep(2 * TTL)

    def young() -> None:
        with urllib.request.urlopen(f"{world.function}/scrape_configs", timeout=20) as answer:
            age = int(answer.headers["Age"])
        assert age <= TTL, f"{age} s old"

    eventually("an answer is fresh", young)


def narrowed(world: "World") -> str:
    """The shop's targets are served, fresh, in both views, whatever a tenant names and whatever the role allows."""
    from parts import eventually

    before = served(world)
    role = world.kubectl("get", "clusterrole", ROLE, "-o", "json")
    create(world, [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}])
    made = hostile()
    try:
        create(world, made)
        eventually("each odd monitor is reported", lambda: _same({it["metadata"]["name"] for it in made}, set(refused(world))))
        fresh(world)
        assert served(world) == before, "the shop's targets changed"
        report = refused(world)
        for name, entry in report.items():
            wanted = "too many references" if name == "many" else "whose name is not valid"
            assert wanted in entry["reason"] and entry["field"].startswith("spec"), f"{name}: {entry}"
        return f"{len(made)} monitors are refused, {with_less(world, role, before)}"
    finally:
        restore(world, role)
        world.kubectl("delete", "servicemonitors", "--all", "-n", NAMESPACE)
        eventually("the role is back", lambda: _same(set(), set(refused(world))))


def narrow(world: "World", role: dict) -> None:
    """Takes the right to read Secrets and ConfigMaps away, except in the namespaces of the shop."""
    secrets = [rule for rule in role["rules"] if "secrets" in rule["resources"]]
    for namespace in SHOP:
        own = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"namespace": namespace, "name": ROLE}}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": ROLE}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ROLE}
        create(world, [own | {"kind": "Role", "rules": secrets}, own | {"kind": "RoleBinding", "roleRef": reference, "subjects": [subject]}])
    rules = [rule for rule in role["rules"] if "secrets" not in rule["resources"]]
    world.kubectl("patch", "clusterrole", ROLE, "--type", "merge", "-p", json.dumps({"rules": rules}))


def restore(world: "World", role: dict) -> None:
    """Gives the role its rules back."""
    world.kubectl("patch", "clusterrole", ROLE, "--type", "merge", "-p", json.dumps({"rules": role["rules"]}))
    for namespace in SHOP:
        world.kubectl("delete", "role,rolebinding", ROLE, "-n", namespace, "--ignore-not-found")


def with_less(world: "World", role: dict, before: tuple) -> str:
    """The same with a role that reads Secrets in the shop's namespaces alone."""
    from parts import eventually

    narrow(world, role)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": NAMESPACE, "name": "locked"}, "stringData": {"token": "t"}}
    create(world, [secret, monitor("locked", {"authorization": {"credentials": key("locked")}})])

    def is_refused() -> str:
        entry = refused(world).get("locked")
        assert entry, "it is not reported yet"
        assert f"grant get on secrets in the namespace {NAMESPACE}" in entry["reason"], entry
        return entry["field"]

    field = eventually("the monitor whose Secret is locked is refused", is_refused)
    fresh(world)
    assert served(world) == before, "the shop's targets changed with the narrowed role"
    assert field == "spec.endpoints[0].authorization.credentials", field
    return f"with a narrowed role one more by {field}; {len(before[0])} scrapes are the same in both views"


def _same(wanted: set, found: set) -> None:
    assert wanted == found, f"missing {sorted(wanted - found)[:3]}, more {sorted(found - wanted)[:3]}"
