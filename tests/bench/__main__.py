#!/usr/bin/env python3
"""What the function costs, next to the goals and to what it replaces.

Runs the built function in an environment as Lambda's on a real API server that holds a cluster of
`tests/world`, and the core alone on clusters of other sizes. Prints a table; with a path as
argument writes it there, with a plot beside it.

    python3 tests/bench [--pods N] [--monitors N] [--largest N] [FILE]
"""

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path

import answers
import balance
import core
from measure import ROOT, Cluster, from_manifests
from plot import plot
from table import markdown

HEAD = """# Performance

Made by `scripts/bench docs/performance.md` on {processors} processors ({machine}), one of which the function has
for itself in each measurement. CPU seconds are those of the function's process. The last column is what the operator's
allocator showed in a cluster of the same kind (10,000 pods, 200 ServiceMonitors, 20 collectors), or Prometheus' own
code in the same run. Times of a machine that others use, too, can be twice what they are on a quiet one.

{table}
## Who scrapes what

10,000 targets in three zones, from `function/core/examples/balance.rs`. Nothing here is measured in time: the figures
are the same on every machine. The largest share is a multiple of the mean; the largest zone's part is what the
collectors of one zone scrape of all targets. Moved is how many targets change their owner when a collector joins, as a
multiple of all targets by the collectors that there are then: on average over which of them joined last, and at most.
The goals are 1.03 for the largest share and 1.1 for what moves, at 20 collectors. What is possible in the target's zone
is what the bound leaves room for. `per-node` has no place here: its shares are those of the nodes.

{balance}
Zones cost what moves: where a bound is nearly reached in each zone, a collector that joins shifts that limit for all
others, and targets change sides. Without zones, or with a bound that the zones do not reach, the goal is met.

## Where a goal is missed

- **Bytes a target.** The collector's receiver turns nine labels into `k8s.*` resource attributes. Without them a target
  of the merged view would take 378 bytes; of those in the plain view rules read most, and the others take 180. They are
  served because users' data would change silently without them.
- **A refresh after a change.** A replaced pod is sent three times: as it comes, as it gets its status, and as
  the old one goes; its endpoint slice is sent whole for any change in it. Of its targets those that changed are made again.
  A third of what is left is asking at all (a refresh without a change takes that); the rest is reading what is sent and
  telling which targets of a slice are what they were.
- **Answers.** A share of 500 targets is 367 kB, 430 kB as the JSON string that Lambda takes: texts are held as they stand
  there. They are copied twice, and read once for the entity tag; 20,000 a second would be 9 GB a second. A share of
  21 kB is answered more often than that. Compressed answers read the string back first; scrapers of Prometheus' kind
  do not ask for them (`DisableCompression` in `prometheus/common`).
- **1,000,000 targets.** The time a target takes grows by a third from 10,000 to 1,000,000 targets: by then nothing is in
  the processor's caches. What is left is building label sets (a quarter), rules that differ from target to target, the
  hash that tells equal targets, and rendering. Half of what a target takes is its own text; what others of its
  endpoint slice have too is held once.
- **Binary.** By symbols the largest parts are the code of the standard library for the types of all crates (5 MB before
  dependencies were built small), the core crate (2.3 MB), aws-lc (2 MB), the AWS SDK (1.6 MB), the function's own crate
  (1.4 MB), and HTTP/2 (0.8 MB).

## Cost against the size of the cluster

![CPU seconds against targets](performance.svg)

From objects in memory to rendered targets with their owners, one core (`function/core/examples/scaling.rs`). This is
what a first snapshot costs beside reading the lists; a later one makes again only the groups of objects that changed.

## What must not become more

`scripts/counts` counts the instructions of what is done most, with callgrind, and fails in CI if one of them is more
than 5 % above what `tests/bench/counts.json` holds. Counts do not depend on what else a machine does; hashes are seeded
by the time, which changes a count by less than 0.2 %.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--monitors", type=int, default=200)
    parser.add_argument("--largest", type=int, default=1_000_000, help="targets in the largest cluster for the core")
    parser.add_argument("file", nargs="?", type=Path)
    arguments = parser.parse_args()
    for package in ("target-allocator", "target-allocator-world"):
        build = ["cargo", "build", "--quiet", "--release", "--locked", "--package", package, "--bin", package]
        subprocess.run(build, cwd=ROOT, check=True)
    sizes = [size for size in (100, 1_000, 10_000, 100_000, 1_000_000) if size <= arguments.largest]
    runs = core.scaling(sizes)
    with Cluster(arguments.pods, arguments.monitors) as cluster:
        rows = [*cluster.refreshes(), *cluster.cold_starts(), *cluster.answers()]
        alike = next((run for run in runs if (run["pods"], run["monitors"]) == (arguments.pods, arguments.monitors)), None)
        if alike:
            rows.append(core.against_prometheus(cluster.world(0), cluster.scrape_configs(), alike))
    rows += [*from_manifests(100_000, 200), *answers.rows(), *core.rows(runs), core.binary()]
    table, shares = markdown(rows), balance.tables(balance.measure())
    print(table, shares, sep="\n")
    if arguments.file:
        arguments.file.write_text(HEAD.format(processors=os.cpu_count(), machine=platform.machine(), table=table, balance=shares))
        arguments.file.with_suffix(".svg").write_text(plot([(run["targets"], run["nanoseconds"] / 1e9) for run in runs]))
    return 0


sys.exit(main())
