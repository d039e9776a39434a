#!/usr/bin/env python3
"""What a refresh and an answer cost, measured on the built function.

The function runs as in Lambda, under a Runtime API of ours, and reads a real API
server that holds a cluster of `tests/world`. Prints a table; with a path as argument
writes it there as Markdown.

    python3 tests/bench [--pods N] [--monitors N] [FILE]
"""

import argparse
import sys

from measure import Bench


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--monitors", type=int, default=200)
    parser.add_argument("file", nargs="?")
    arguments = parser.parse_args()
    with Bench(arguments.pods, arguments.monitors) as bench:
        rows = bench.run()
    table = "\n".join(["| what | measured |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows)])
    print(table)
    if arguments.file:
        with open(arguments.file, "w") as file:
            file.write(table + "\n")
    return 0


sys.exit(main())
