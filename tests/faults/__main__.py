#!/usr/bin/env python3
"""What breaks, and what that costs: with a real API server, real collectors and the function as it was built.

    python3 tests/faults [--short] [NAME...]

`api` is what happens between function and API server; NAMEs of its faults run those alone.
"""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "peers/e2e")]

import api_faults
from world import FaultWorld


def main(arguments: list[str]) -> int:
    short = "--short" in arguments
    wanted = [argument for argument in arguments if argument != "--short"]
    with FaultWorld() as world:
        failed = api_faults.run_all(world, wanted, short)
        if failed:
            world.show_logs()
    return 1 if failed else 0


sys.exit(main(sys.argv[1:]))
