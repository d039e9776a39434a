"""Faults of a function in Lambda: killed, frozen, a wrong clock, out of time, out of memory."""

import json
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from parts import eventually
from quiet import SHARES, Answer, quiet
from world import CANARY, FaultWorld


def toggle(world: FaultWorld) -> bool:
    world.canary = not world.canary
    world.set_canary(world.canary)
    return world.canary


def killed(world: FaultWorld) -> str:
    """The environment dies during a refresh. The waiting request fails, the next request gets an answer."""
    with quiet(world) as function, ThreadPoolExecutor() as threads:
        function.good()
        time.sleep(2.5)
        world.poison("latency", latency=2_000)
        waiting = threads.submit(function.ask)
        time.sleep(1)
        [environment] = function.living()
        os.killpg(environment["pid"], signal.SIGKILL)
        answer = waiting.result()
        assert answer.status == 502, f"{answer.status}: {str(answer.body)[:200]}"
        world.cure()
        after = function.good()
        return f"the one that waited: {answer.status} {answer.body}; the next: 200 after {after.took:.1f} s"


def thawed(world: FaultWorld, seconds: float) -> str:
    """Frozen while everything else continues: connections are closed, the TTL is over, the cluster has changed."""
    with quiet(world) as function:
        function.good()
        [environment] = function.living()
        time.sleep(0.5)
        state = Path(f"/proc/{environment['pid']}/stat").read_text().split()[2]
        assert state == "T", f"an environment without an event is not frozen: {state}"
        world.lead_to(world.direct)
        there = toggle(world)
        time.sleep(seconds)
        first = function.good()
        assert function.knows_canary() == there, "the change is not known"
        assert not function.failures(), function.failures()
        assert function.living()[0]["pid"] == environment["pid"], "it is another environment"
        return f"after {seconds:.0f} s: 200 after {first.took:.1f} s, {first.age} s old, with what changed, no refresh failed"


def thawed_in_refresh(world: FaultWorld, seconds: float) -> str:
    """Frozen during a refresh. Its connections are gone when it continues."""
    with quiet(world) as function:
        function.good()
        time.sleep(2.5)
        there = toggle(world)
        world.poison("latency", latency=8_000)
        waited = function.good()
        assert waited.age >= 2 and waited.took < 4, f"{waited.age} s old after {waited.took:.1f} s"
        time.sleep(seconds)
        world.cure()
        began = time.monotonic()
        answers = []

        def known() -> None:
            answers.append(function.good().took)
            assert function.knows_canary() == there, "the change is not known"

        eventually("it has recovered", known, 30)
        return (
            f"answered after {waited.took:.1f} s, {waited.age} s old, then frozen for {seconds:.0f} s: what changed known "
            f"after {time.monotonic() - began:.0f} s, answers at most {max(answers):.1f} s"
        )


def stale_and_down(world: FaultWorld, seconds: float) -> str:
    """Frozen until the last snapshot is too old, and the API server is down: a failure, not a list."""
    with quiet(world, SNAPSHOT_MAX_STALE="4") as function:
        function.good()
        world.toxiproxy("POST", "/proxies/api", {"enabled": False})
        time.sleep(seconds)
        answer = function.ask()
        assert answer.status == 503, f"{answer.status}, {answer.age} s old"
        world.cure()
        eventually("it recovers", function.good, 20)
        return f"503 after {answer.took:.1f} s: {answer.message[:90]}"


def clock(world: FaultWorld) -> str:
    """The wall clock jumps. Answers stay correct and arrive before the deadline."""
    shim, shift = world.folder / "clock.so", world.folder / "shift"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", shim, source, "-ldl"], check=True)
    rows = []
    for name, hours in (("an hour forward", 1), ("an hour back", -1)):
        shift.write_text("0")
        with quiet(world, LD_PRELOAD=str(shim), CLOCK_SHIFT=str(shift)) as function:
            function.good()
            shift.write_text(str(hours * 3600))
            there = toggle(world)
            jumped = function.good()
            eventually("changes are seen", lambda: _same(function.knows_canary(), there), 10)
            # No snapshot is young enough, and the API server is silent.
            world.poison("timeout", timeout=0)
            world.lead_to(world.direct)
            time.sleep(2.5)
            patient = function.good()
            os.killpg(function.living()[0]["pid"], signal.SIGKILL)
            time.sleep(0.5)
            cold = function.ask()
            assert cold.status == 503 and cold.took < 30, f"{cold.status} after {cold.took:.1f} s"
            rows.append(
                f"{name}: 200 and {jumped.age} s old, with a silent API server 200 after {patient.took:.1f} s, "
                f"and without a snapshot 503 after {cold.took:.1f} s of 30"
            )
    return "; ".join(rows)


def out_of_time(world: FaultWorld) -> str:
    """Every answer arrives before the deadline, with and without a snapshot, for every fault of the API server."""
    rows = []
    for what, poison in (
        ("silent", ("timeout", {"timeout": 0})),
        ("10 s late", ("latency", {"latency": 10_000})),
        ("10 kB/s", ("bandwidth", {"rate": 10})),
    ):
        with quiet(world, timeout=4) as function:
            world.poison(poison[0], **poison[1])
            cold = [function.ask() for _ in range(2)]
            assert all(answer.status == 503 and answer.took < 4 for answer in cold), cold
            world.cure()
            eventually("it recovers", function.good, 30)
            world.poison(poison[0], **poison[1])
            time.sleep(2.5)
            warm = [function.good() for _ in range(3)]
            assert all(answer.took < 4 for answer in warm), warm
            assert len(function.living()) == 1 and function.living()[0]["number"] == 1, "an environment ran out of time"
            longest = max(answer.took for answer in [*cold, *warm])
            rows.append(f"{what}: 503 without a snapshot, 200 with one, after {longest:.1f} s at most")
    return "of 4 s; " + "; ".join(rows)


def memory(world: FaultWorld) -> str:
    """With too little memory, an invocation fails or its answer is complete."""
    seen = {}
    for megabytes in (60, 90, 120, 140, 160, 180, 200, 250, 300, 600):
        limit = ("prlimit", f"--as={megabytes << 20}")
        with quiet(world, command=limit) as function:
            statuses = set()
            for _ in range(4):
                statuses.add(function.ask().status)
                time.sleep(0.6)
            seen[megabytes] = sorted(statuses)
    assert {200} == set(seen[600]), f"it does not run at all: {seen}"
    assert any(200 not in statuses for statuses in seen.values()), f"no limit was low enough: {seen}"
    return ", ".join(f"{megabytes} MB: {'/'.join(map(str, statuses))}" for megabytes, statuses in seen.items())


def many(world: FaultWorld) -> str:
    """Environments of different ages: each learns of a change when its own snapshot ends."""
    count, ttl = 4, 5
    with quiet(world, environments=count, SNAPSHOT_TTL=str(ttl)) as function, ThreadPoolExecutor(16) as threads:

        def round_of_asking() -> list[Answer]:
            barrier = threading.Barrier(12)

            def one(_: int) -> Answer:
                barrier.wait()
                return function.ask(SHARES)

            return list(threads.map(one, range(12)))

        round_of_asking()
        # The environments start one after the other, so each has a different age.
        for environment in function.living()[1:]:
            time.sleep(ttl / count)
            os.killpg(environment["pid"], signal.SIGKILL)
            gone = environment["pid"]
            eventually("it has ended", lambda: _same(gone in {one["pid"] for one in function.living()}, False))
            round_of_asking()
        assert len(function.living()) == count, f"{len(function.living())} environments"
        changed, disagreed, ages = time.monotonic(), 0.0, set()
        there = toggle(world)
        while time.monotonic() - changed < 3 * ttl:
            answers = round_of_asking()
            assert all(answer.status == 200 for answer in answers)
            ages |= {answer.age for answer in answers}
            if any((CANARY in json.dumps(answer.body)) != there for answer in answers):
                disagreed = time.monotonic() - changed
            time.sleep(0.2)
        assert disagreed < ttl + 5, f"an environment answered what was before for {disagreed:.1f} s"
        assert disagreed > 0, "all environments were of the same age"
        return (
            f"{count} environments, TTL {ttl} s, answers {min(ages)} to {max(ages)} s old: the last that did not know "
            f"of a change answered {disagreed:.1f} s after it"
        )


def _same(found: object, wanted: object) -> None:
    assert found == wanted, f"{found}, not {wanted}"


def cases(short: bool) -> list[tuple]:
    minutes = 6 if short else 110
    listed = [
        ("killed in a refresh", killed),
        ("frozen", lambda world: thawed(world, minutes)),
        ("frozen in a refresh", lambda world: thawed_in_refresh(world, minutes)),
        ("frozen, and the API server is down", lambda world: stale_and_down(world, 6)),
        ("out of time", out_of_time),
        ("many environments", many),
    ]
    return listed[:2] if short else [*listed, ("the clock jumps", clock), ("too little memory", memory)]


def run_all(world: FaultWorld, wanted: list[str], short: bool) -> list[str]:
    """Prints a table. Returns the names of failed cases."""
    failed, rows = [], []
    for name, case in cases(short):
        if wanted and name not in wanted:
            continue
        try:
            row = f"| {name} | {case(world)} |"
        except (AssertionError, OSError) as error:
            row = f"| {name} | FAILED: {error} |"
            failed.append(name)
        print(row, flush=True)
        rows.append(row)
    print("\n".join(["", "| in Lambda | what happens |", "|---|---|", *rows]))
    return failed
