#!/usr/bin/env python3
"""Tests faults with a real API server, real collectors and the built function, and measures their effects.

    python3 tests/faults [--short] [api|lambda [NAME...]]
    python3 tests/faults canaries|load
    python3 tests/faults soak [SECONDS]

The groups are:

- `api`: faults between the function and the API server.
- `lambda`: faults of the function's environments.
- `soak`: churn.
- `canaries`: a search for leaked credentials.
- `load`: the request rates of many collectors.

Without a group, all groups run.
"""

import signal
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "peers/e2e")]

import api_faults
import canaries
import lambda_faults
import load
import soak
from world import FaultWorld

# Duration of the soak, in seconds.
SECONDS = 120


def run_soak(world: FaultWorld, names: list[str], _short: bool) -> list[str]:
    return soak.run_all(world, float(names[0]) if names else SECONDS)


def run_load(world: FaultWorld, _names: list[str], _short: bool) -> list[str]:
    return load.run_all(world)


def find_canaries(world: FaultWorld, _names: list[str], _short: bool) -> list[str]:
    try:
        print(f"canaries: {canaries.find(world)}")
    except AssertionError as error:
        print(f"canaries: FAILED: {error}")
        return ["canaries"]
    return []


# The order matters: the last group stops the collectors.
GROUPS = {
    "api": api_faults.run_all,
    "lambda": lambda_faults.run_all,
    "soak": run_soak,
    "canaries": find_canaries,
    "load": run_load,
}


def main(arguments: list[str]) -> int:
    short = "--short" in arguments
    # Short churn and short load have no value.
    groups = {name: GROUPS[name] for name in (("api", "lambda", "canaries") if short else GROUPS)}
    names = [argument for argument in arguments if argument != "--short"]
    if names:
        if names[0] not in GROUPS:
            print(__doc__, file=sys.stderr)
            return 2
        groups = {names[0]: GROUPS[names.pop(0)]}
    # When the test is stopped, it stops everything that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    failed = []
    with FaultWorld() as world:
        world.prepare_canary()
        for run_all in groups.values():
            failed += run_all(world, names, short)
        if failed:
            world.show_logs()
    print(f"faults: failed: {', '.join(failed)}" if failed else "faults: all passed")
    return 1 if failed else 0


sys.exit(main(sys.argv[1:]))
