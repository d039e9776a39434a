"""Measures answer times at the request rates of many collectors, with an open-loop generator.

Each collector requests the scrape configs, and its share of each job, once in 30 s, in the plain view. The generator
(vegeta) sends at a fixed rate, over as many connections as needed. It does not wait for answers. It measures from the
planned time of a request, so one late answer cannot hide other late answers.
"""

import json
import random
import subprocess
import time
import urllib.request

from parts import PEERS, get
from quiet import Quiet
from soak import memory
from world import FaultWorld

COLLECTORS, INTERVAL = 50, 30

# The largest number of environments. On two cores, more of them bring nothing.
ENVIRONMENTS = 4


SETTINGS = {
    "collector_namespace": "monitoring",
    "collectors": {"count": COLLECTORS, "name": "otel-collector-{ordinal}"},
    "prometheus_cr": {
        "enabled": True,
        "scrape_interval": "30s",
        "service_monitor_selector": {},
        "service_monitor_namespace_selector": {},
    },
}


def vegeta(targets: str, rate: float, seconds: float) -> dict:
    attack = [
        PEERS / "vegeta",
        "attack",
        f"-rate={round(rate * 60)}/1m",
        f"-duration={seconds}s",
        f"-targets={targets}",
    ]
    sent = subprocess.run([*attack, "-timeout=30s", "-max-connections=0"], check=True, capture_output=True).stdout
    report = subprocess.run(
        [PEERS / "vegeta", "report", "-type=json"], input=sent, check=True, capture_output=True
    ).stdout
    return json.loads(report)


def milliseconds(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:.1f} ms" if nanoseconds < 1e9 else f"{nanoseconds / 1e9:.2f} s"


def run(world: FaultWorld, times: list[int], seconds: float) -> list[str]:
    settings = {"ALLOCATOR_CONFIG": json.dumps(SETTINGS), "ALLOCATOR_CONFIG_FILE": "", "SNAPSHOT_TTL": "15"}
    function = Quiet(world, environments=ENVIRONMENTS, **settings)
    jobs = sorted(get(f"{function.url}/jobs"))
    asked = [f"GET {function.url}/scrape_configs" for _ in range(COLLECTORS)]
    for job in jobs:
        quoted = urllib.request.quote(job, safe="")
        asked += [
            f"GET {function.url}/jobs/{quoted}/targets?collector_id=otel-collector-{n}" for n in range(COLLECTORS)
        ]
    random.Random(1).shuffle(asked)
    targets = world.folder / "asked.txt"
    targets.write_text("\n".join(asked) + "\n")
    base = len(asked) / INTERVAL
    rows, failed = [], []
    # The running, warm environments.
    vegeta(str(targets), base, 3)
    for factor in times:
        before = {environment["pid"]: memory(environment["pid"]) for environment in function.living()}
        report = vegeta(str(targets), base * factor, seconds)
        living = {environment["pid"]: memory(environment["pid"]) for environment in function.living()}
        latencies, codes = report["latencies"], report["status_codes"]
        errors = report["requests"] - codes.get("200", 0)
        grown = max((living[pid] - size for pid, size in before.items() if pid in living), default=0)
        rows.append(
            f"| {factor} x | {report['rate']:.0f}/s | {report['requests']} | {errors} | "
            + " | ".join(milliseconds(latencies[name]) for name in ("50th", "90th", "99th", "max"))
            + f" | {len(living)} | {max(living.values())} MB, {grown:+d} MB |"
        )
        print(rows[-1], flush=True)
        if errors:
            failed.append(f"load {factor} x: {codes} {report['errors'][:2]}")
        if set(before) - set(living):
            failed.append(f"load {factor} x: environments ended")
        time.sleep(1)
    world.stop(function.name)
    print(
        f"\n{COLLECTORS} collectors, {len(jobs)} jobs, plain view, one interval of {INTERVAL} s; {seconds:.0f} s each, at most {ENVIRONMENTS} environments"
    )
    print("| rate | sent | requests | errors | p50 | p90 | p99 | longest | environments | resident, growth |")
    print("\n".join(["|---|---|---|---|---|---|---|---|---|---|", *rows]))
    return failed


def run_all(world: FaultWorld) -> list[str]:
    """Prints the table. Returns the names of failed rates."""
    for name in list(world.processes):
        # No other part may send requests or scrape.
        if name.startswith("otel-collector") or name == "function":
            world.stop(name)
    return run(world, [1, 10, 100], 30)
