"""What can happen between the function and its API server, and what that costs."""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from cases import check_owners, expected
from parts import PEERS, eventually
from proxy import WRONG_LISTS
from watching import Watch, ask
from world import FaultWorld

MONITORS = "servicemonitors.monitoring.coreos.com"


# An instance writes its metrics once in this many seconds. A shorter fault can begin and end in between.
METRIC_INTERVAL = 10


@dataclass
class Fault:
    """One thing that goes wrong. Meanwhile an endpoint comes or goes, which must be known afterwards."""

    name: str
    begin: Callable[[FaultWorld], object]
    end: Callable[[FaultWorld], object] = FaultWorld.cure
    seconds: float = 16
    # Whether a refresh fails: then the age, the log and a metric must say so.
    fails: bool = True
    # Whether the cluster can be changed while it lasts.
    changes: bool = True
    # How long it may take until all is as before, in seconds.
    patience: float = 40
    short: bool = False

    def lasts(self, short: bool) -> float:
        return min(self.seconds, 5) if short else self.seconds


def poisoned(kind: str, stream: str = "downstream", **attributes: int) -> Callable[[FaultWorld], object]:
    return lambda world: world.poison(kind, stream, **attributes)


def disturbed(fault: str) -> Callable[[FaultWorld], object]:
    def begin(world: FaultWorld) -> None:
        world.fault(fault)
        world.lead_to(world.other)

    return begin


def another_certificate(world: FaultWorld) -> None:
    folder = world.folder / "other"
    if not folder.exists():
        folder.mkdir()
        files = ["-keyout", str(folder / "apiserver.key"), "-out", str(folder / "apiserver.crt")]
        names = ["-subj", "/CN=other", "-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *files, *names],
            check=True,
            capture_output=True,
        )
        arguments = [world.folder / "apiserver", world.apiserver_port, world.folder / "fault", folder]
        world.stranger = world.serve("stranger", *arguments, program="proxy")
    world.lead_to(world.stranger)


def forbid(world: FaultWorld) -> None:
    role = world.kubectl("get", "clusterrole", "target-allocator", "-o", "json")
    world.role = json.dumps(role["rules"])
    rules = [
        dict(rule, resources=[name for name in rule["resources"] if name != "endpointslices"]) for rule in role["rules"]
    ]
    set_rules(world, json.dumps([rule for rule in rules if rule["resources"]]))


def set_rules(world: FaultWorld, rules: str) -> None:
    patch = ["patch", "clusterrole", "target-allocator", "--type", "merge", "-p", f'{{"rules": {rules}}}']
    world.kubectl(*patch)


def delete_definition(world: FaultWorld) -> None:
    world.monitors = world.kubectl("get", MONITORS, "-A", "-o", "json")
    world.kubectl("delete", "crd", MONITORS)


def delete_definition_unseen(world: FaultWorld) -> None:
    disturbed("no-discovery")(world)
    delete_definition(world)


def create_definition(world: FaultWorld) -> None:
    world.cure()
    world.kubectl("create", "-f", str(PEERS / "crds/monitoring.coreos.com_servicemonitors.yaml"))
    # As whatever deploys monitors: some time later, one by one.
    time.sleep(5)
    for monitor in world.monitors["items"]:
        for name in ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"):
            monitor["metadata"].pop(name, None)
        eventually("the definition is there again", lambda: world.kubectl("create", "-f", "-", stdin=monitor))


def older_state(world: FaultWorld) -> None:
    """The state is that of before what happens next, and versions are smaller than those that the function knows."""
    world.save_store()
    eventually("the function has recovered", lambda: check_fresh(world))
    world.set_canary(not world.canary)
    # Two hundred versions at once.
    items = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "ballast", "name": f"newer-{number}"}}
        for number in range(200)
    ]
    world.kubectl("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": items})
    eventually("the newer state is known", lambda: check_canary(world, not world.canary))
    eventually("and all of it", lambda: check_fresh(world))
    world.restart_apiserver(world.bring_back_store)


def wrong_lists() -> list[Fault]:
    """Each of the answers with status 200 that are no list. A few of them are in the short run."""
    short = ("list-status", "list-items-unreadable")
    named = ((name, f"200 with {name.replace('-', ' ')}") for name in WRONG_LISTS)
    return [Fault(title, disturbed(name), short=name in short) for name, title in named]


FAULTS = [
    Fault("refused", lambda world: world.toxiproxy("POST", "/proxies/api", {"enabled": False}), seconds=30),
    Fault("nothing comes back", poisoned("timeout", timeout=0), seconds=30),
    Fault("reset while it answers", poisoned("reset_peer", timeout=0)),
    Fault("every answer 10 s late", poisoned("latency", latency=10_000), fails=False, seconds=40),
    Fault("trickling, 20 kB/s", poisoned("bandwidth", rate=20), fails=False, seconds=40),
    Fault("cut in the middle of a list", poisoned("limit_data", bytes=8_000)),
    Fault("500", disturbed("500")),
    Fault("429 with Retry-After", disturbed("429")),
    Fault("429 for one kind", disturbed("429 endpointslices")),
    Fault("403 for one kind, by its role", forbid, lambda world: set_rules(world, world.role)),
    Fault("answers that end in the middle", disturbed("truncated")),
    Fault("200 with nothing", disturbed("empty")),
    Fault("410 for a watch", disturbed("watch-410"), fails=False),
    Fault("an error inside of a watch", disturbed("watch-error"), fails=False),
    Fault("a cache that has just begun: services", disturbed("nothing services"), fails=False, short=True),
    Fault("a cache that has just begun: monitors", disturbed("nothing servicemonitors"), fails=False),
    Fault("a server whose cache lags behind", disturbed("lagging"), fails=False),
    Fault("a certificate of another authority", another_certificate),
    *wrong_lists(),
    # Clients look at a token's file once a minute.
    Fault("the token is revoked", FaultWorld.revoke_token, FaultWorld.new_token, patience=90, seconds=20),
    Fault("the API server is restarted", lambda world: world.restart_apiserver(), seconds=5, fails=False),
    Fault(
        "the API server is down",
        lambda world: world.stop("kube-apiserver"),
        lambda world: world.start_apiserver(),
        changes=False,
        seconds=30,
    ),
    Fault("restored from an older state", older_state, lambda _: None, fails=False, changes=False, seconds=10),
    Fault(
        "the monitors' definition is deleted",
        delete_definition,
        create_definition,
        fails=False,
        changes=False,
        short=True,
    ),
    Fault(
        "the monitors' definition is deleted, and discovery is forbidden",
        delete_definition_unseen,
        create_definition,
        fails=False,
        changes=False,
    ),
]


def check_fresh(world: FaultWorld) -> None:
    status, age, body = ask(world)
    assert status == 200, f"{status}: {body}"
    assert age is not None and age <= 3, f"the answer is {age} s old"


def check_canary(world: FaultWorld, there: bool) -> None:
    assert world.knows_canary() == there, f"the endpoint is {'not ' if there else ''}known"


def check_told(world: FaultWorld, since: int, oldest: int, seconds: float) -> str:
    """What an operator sees of a refresh that failed."""
    lines = world.lines(since)
    errors = [line for line in lines if line.get("message") == "the snapshot could not be refreshed"]
    assert errors, "no line in the log says that the refresh failed"
    assert oldest >= 5, f"the answers' age says nothing: {oldest} s"

    def measured() -> int:
        ages = [age for line in world.lines(since) for age in ages_of(line)]
        assert ages and max(ages) >= 5, f"the metric SnapshotAge says nothing: {ages}"
        return max(ages)

    if seconds >= METRIC_INTERVAL + 5:
        eventually("a metric says so", measured, 20)
    return errors[0]["error"]


def ages_of(line: dict) -> list[int]:
    value = line.get("SnapshotAge", []) if "_aws" in line else []
    values = value.get("Values", []) if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return [int(age) for age in values]


def run(world: FaultWorld, fault: Fault, seconds: float) -> str:
    """One row of the table."""
    eventually("the canary is as it should be", lambda: check_canary(world, world.canary))
    eventually("the answers are fresh", lambda: check_fresh(world))
    wanted = eventually("all is scraped", lambda: scraped_all(world))
    since = world.log.stat().st_size
    with Watch(world, {scrape for scrape in wanted if not scrape[0].startswith("127.77.")}) as seen:
        fault.begin(world)
        if fault.changes:
            world.canary = not world.canary
            world.set_canary(world.canary)
        time.sleep(seconds)
        fault.end(world)
        ended = time.monotonic()
        eventually("what changed is known", lambda: check_canary(world, world.canary), fault.patience)
        eventually("the answers are fresh again", lambda: check_fresh(world), fault.patience)
        fresh = time.monotonic() - ended
        eventually("all is scraped, and what is gone is not", lambda: scraped_all(world))
    told = check_told(world, since, seen.oldest, seconds) if fault.fails else ""
    assert not seen.lost, f"{len(seen.lost)} targets lost: {sorted(seen.lost)[:3]}"
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(seen.statuses.items()))
    return f"| {fault.name} | {seconds:.0f} s | {answers} | {seen.oldest} s | {seen.slowest:.1f} s | {len(seen.lost)} | {fresh:.0f} s | {told[:110]} |"


def scraped_all(world: FaultWorld) -> set:
    wanted = expected(world)
    check_owners(world, wanted)
    return wanted


HEAD = "| fault | lasts | answers | oldest | slowest | targets lost | fresh after | said |\n|---|---|---|---|---|---|---|---|"


def run_all(world: FaultWorld, wanted: list[str], short: bool) -> list[str]:
    """Prints the table, and gives the names of what failed."""
    failed, rows = [], []
    faults = [fault for fault in FAULTS if fault.name in wanted or (not wanted and (fault.short or not short))]
    for fault in faults:
        try:
            row = run(world, fault, fault.lasts(short))
        except (AssertionError, OSError) as error:
            row = f"| {fault.name} | FAILED: {error} |"
            failed.append(fault.name)
            world.cure()
        print(row, flush=True)
        rows.append(row)
    print("\n".join(["", HEAD, *rows]))
    return failed
