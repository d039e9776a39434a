"""Shares, zones and moves by strategy, computed by `examples/balance.rs` of the core.

    python3 tests/bench/balance.py [PROGRAM]    prints the tables
"""

import json
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import core

HEAD = (
    "| strategy | bound | in the target's zone (possible) | largest share | largest zone's part | moved, mean / most |",
    "|---|---|---|---|---|---|",
)


def measure(program: Path | None = None) -> list[dict]:
    text = subprocess.run([program or core.build("balance")], check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in text.splitlines()]


def tables(lines: list[dict]) -> str:
    """One table per world."""
    parts = []
    for world, of_world in groupby(lines, lambda line: line["world"]):
        parts += [f"**{world[0].upper()}{world[1:]}**\n", *HEAD, *map(row, of_world), ""]
    return "\n".join(parts)


def row(line: dict) -> str:
    measured, moved = line["measured"], line["measured"]["moved"]
    strategy = line["strategy"] + (", zones" if line.get("same_zone_first") else "")
    bound = f"{line['bound'] / 1000:g}" if "bound" in line else ""
    at_home = f"{measured['at_home']:.1%}" + (f" ({line['possible']:.1%})" if line.get("possible") else "")
    cells = [
        strategy, bound, at_home, f"{measured['largest_share']:.2f} ×", f"{measured['largest_zone']:.1%}",
        f"{moved['mean']:.2f} / {moved['most']:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(tables(measure(Path(sys.argv[1]) if len(sys.argv) > 1 else None)))
