"""Churn for a given time. Memory does not grow, no change is missed, and the final answers equal those of a new function."""

import json
import os
import random
import signal
import threading
import time
import urllib.request

from cases import owners
from parts import COLLECTORS, eventually, get, put
from quiet import Quiet
from world import FaultWorld

import shop

# The number of addresses for endpoints, and the largest number of monitors at once.
ADDRESSES, MONITORS = 40, 6

# The longest time for which an environment is stopped, in seconds.
STOPPED = 6


class Churn(threading.Thread):
    """Creates, changes and deletes objects, one after the other. Equal seeds give equal changes."""

    def __init__(self, world: FaultWorld, seed: int) -> None:
        super().__init__()
        self.world, self.random, self.over = world, random.Random(seed), threading.Event()
        self.counts: dict[str, int] = {}
        self.error: BaseException | None = None
        self.piece = world.web_slice()
        self.addresses: set[str] = set()
        self.monitors: set[str] = set()
        self.pods: set[str] = set()
        [self.monitor] = [m for m in self.get("servicemonitors", "shop") if m["metadata"]["name"] == "web"]
        self.pod = self.get("pods", "shop")[0]

    def get(self, kind: str, namespace: str) -> list[dict]:
        return self.world.kubectl("get", kind, "-n", namespace, "-o", "json")["items"]

    def run(self) -> None:
        steps = [self.endpoints, self.endpoints, self.monitors_, self.pods_, self.labels, self.stop_and_go]
        try:
            while not self.over.wait(self.random.uniform(0, 0.8)):
                step = self.random.choice(steps)
                step()
                self.counts[step.__name__.strip("_")] = self.counts.get(step.__name__.strip("_"), 0) + 1
        except BaseException as error:  # handed on by whoever waits
            self.error = error

    def endpoints(self) -> None:
        """Adds and removes addresses of a slice."""
        for _ in range(self.random.randint(1, 5)):
            self.addresses ^= {f"10.80.0.{self.random.randint(1, ADDRESSES)}"}
        sample = {key: value for key, value in self.piece["endpoints"][0].items() if key != "targetRef"}
        endpoints = [
            *self.piece["endpoints"],
            *(sample | {"addresses": [address]} for address in sorted(self.addresses)),
        ]
        patch = ["patch", "endpointslice", self.piece["metadata"]["name"], "-n", "shop", "--type", "merge", "-p"]
        self.world.kubectl(*patch, json.dumps({"endpoints": endpoints}))

    def monitors_(self) -> None:
        name = f"soak-{self.random.randint(1, MONITORS)}"
        if name in self.monitors:
            self.world.kubectl("delete", "servicemonitor", name, "-n", "shop")
        else:
            spec = json.loads(json.dumps(self.monitor["spec"]))
            for endpoint in spec["endpoints"]:
                endpoint["path"] = f"/{name}"
            self.create({"apiVersion": self.monitor["apiVersion"], "kind": "ServiceMonitor", "spec": spec}, name)
        self.monitors ^= {name}

    def pods_(self) -> None:
        name = f"soak-{self.random.randint(1, 10)}"
        if name in self.pods:
            self.world.kubectl("delete", "pod", name, "-n", "shop", "--force", "--grace-period=0")
        else:
            labels = self.pod["metadata"].get("labels", {})
            spec = {"containers": [{"name": "none", "image": "none"}]}
            self.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": labels}, "spec": spec}, name)
        self.pods ^= {name}

    def labels(self) -> None:
        name = self.pod["metadata"]["name"]
        self.world.kubectl("label", "pod", name, "-n", "shop", "--overwrite", f"soak=v{self.random.randint(1, 1000)}")

    def stop_and_go(self) -> None:
        """Stops an environment at a random moment for some time."""
        environment = self.random.choice(self.world.living())
        os.killpg(environment["pid"], signal.SIGSTOP)
        time.sleep(self.random.uniform(0.2, STOPPED))
        os.killpg(environment["pid"], signal.SIGCONT)

    def create(self, thing: dict, name: str) -> None:
        thing["metadata"] = thing.get("metadata", {}) | {"namespace": "shop", "name": name}
        self.world.kubectl("create", "-f", "-", stdin=thing)


class Delays:
    """Measures for how long expected states were not reached."""

    def __init__(self) -> None:
        self.since: dict[object, float] = {}
        self.over: list[float] = []

    def see(self, wrong: set, now: float) -> None:
        for thing in list(self.since):
            if thing not in wrong:
                self.over.append(now - self.since.pop(thing))
        for thing in wrong:
            self.since.setdefault(thing, now)

    def unseen(self) -> None:
        """No check ran. A wrong state may have lasted only at the last check and at the next check."""
        self.since = {}

    def longest(self, now: float) -> float:
        return max([*self.over, *(now - since for since in self.since.values())], default=0.0)


def told(base: str) -> set:
    """Each target of each job with its collector, as a function answers."""
    found = set()
    for job in get(f"{base}/jobs"):
        for collector, share in get(f"{base}/jobs/{urllib.request.quote(job, safe='')}/targets").items():
            found |= {(job, target, collector) for group in share["targets"] for target in group["targets"]}
    return found


def everything(base: str) -> dict:
    jobs = get(f"{base}/jobs")
    lists = {job: get(f"{base}/jobs/{urllib.request.quote(job, safe='')}/targets") for job in jobs}
    return {"scrape_configs": get(f"{base}/scrape_configs"), "jobs": jobs, "targets": lists}


def memory(pid: int) -> int:
    """Resident memory in MB."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmRSS:"))


def run(world: FaultWorld, seconds: float, seed: int = 1) -> str:
    ports = [port["port"] for port in world.web_slice()["ports"]]
    more = [f"127.80.0.{number}:{port}" for number in range(1, ADDRESSES + 1) for port in ports]
    put(f"{world.exporter}/addresses", "\n".join([*shop.exporter_addresses(world), *more]))
    since = world.log.stat().st_size
    # The truth: a function that reads the cluster for each answer.
    truth = Quiet(world, SNAPSHOT_TTL="0")
    began, sizes, answers, scraped, twice, known = time.monotonic(), {}, Delays(), Delays(), Delays(), set()
    looks, missed = 0, []
    pids = {environment["pid"] for environment in world.living()}
    churn = Churn(world, seed)
    churn.start()
    try:
        while (now := time.monotonic()) < began + seconds and churn.is_alive():
            looks += 1
            try:
                before, is_told, after = told(truth.url), told(world.function), told(truth.url)
                steady = before & after
                answers.see(steady - is_told, time.monotonic())
                addresses = {shop.loopback(target) for _, target, _ in steady}
                found = owners(world, 6)
                scraped.see(addresses - {scrape[0] for scrape in found}, time.monotonic())
                twice.see({scrape for scrape, who in found.items() if len(who) > 1}, time.monotonic())
                known |= {target for _, target, _ in steady}
                for environment in world.living():
                    sizes.setdefault(environment["pid"], []).append(memory(environment["pid"]))
            except AssertionError as error:
                # No environment had time for this request. It is sent again.
                missed.append(str(error))
                for delays in (answers, scraped, twice):
                    delays.unseen()
            time.sleep(max(0.0, 1 - (time.monotonic() - now)))
    finally:
        churn.over.set()
        churn.join()
    if churn.error:
        raise churn.error
    left = {environment["pid"] for environment in world.living()}
    assert pids <= left, f"environments ended: {pids - left}"
    # At the end, every environment must answer like a new function.
    fresh = Quiet(world)
    time.sleep(3)

    def same() -> None:
        wanted = everything(fresh.url)
        for _ in range(6):
            assert everything(world.function) == wanted, "not what a fresh function answers"

    eventually("the end is what a fresh function sees", same, 20)
    end = time.monotonic()
    lines = world.lines(since)
    failed = [line for line in lines if line.get("message") == "the snapshot could not be refreshed"]
    refreshes = sum(line.get("message") == "snapshot taken" for line in lines)
    growth = {}
    for pid, seen in sizes.items():
        third = max(1, len(seen) // 3)
        growth[pid] = (sum(seen[third : 2 * third]) / third, sum(seen[-third:]) / third, max(seen))
    for middle, last, _ in growth.values():
        assert last <= middle * 1.1 + 2, f"memory grows: from {middle:.0f} to {last:.0f} MB"
    assert len(missed) <= looks / 4, f"{len(missed)} of {looks} looks failed: {missed[-1]}"
    limit = 2 + 1 + STOPPED + 4
    assert answers.longest(end) <= limit, f"a target was in no answer for {answers.longest(end):.1f} s"
    return "\n".join(
        [
            f"soak: {end - began:.0f} s, seed {seed}, {len(COLLECTORS)} collectors, {len(left)} environments of TTL 2 s",
            "  " + ", ".join(f"{count} x {name}" for name, count in sorted(churn.counts.items())),
            f"  {len(known)} targets seen; {refreshes} refreshes, {len(failed)} failed: {sorted({line['error'][:90] for line in failed})[:3]}",
            f"  {len(missed)} of {looks} looks of the test failed, which each look at everything: {sorted({text[-60:] for text in missed})[:2]}",
            f"  longest that a target was not yet in the answers: {answers.longest(end):.1f} s (stops of up to {STOPPED} s)",
            f"  longest that a target was not yet scraped: {scraped.longest(end):.1f} s; scraped by two, seen over 6 s: {twice.longest(end):.1f} s",
            "  resident: "
            + "; ".join(
                f"{middle:.0f} MB in the middle, {last:.0f} MB at the end, {most} MB at most"
                for middle, last, most in growth.values()
            ),
            "  at the end all answers of all environments equal those of a function that has just begun",
        ]
    )


def run_all(world: FaultWorld, seconds: float) -> list[str]:
    """Prints a summary. Returns the names of failed cases."""
    try:
        print(run(world, seconds), flush=True)
    except (AssertionError, OSError) as error:
        print(f"soak FAILED: {error}", flush=True)
        return ["soak"]
    return []
