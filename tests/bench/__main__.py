#!/usr/bin/env python3
"""Measures what the function costs, and compares it with the goals and with what it replaces.

Runs the built function in an environment like Lambda's, on a real API server with a cluster of
`tests/world`. Runs the core alone on clusters of other sizes. Prints a table. With a path as
argument, writes the page there, and a plot beside it.

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

`scripts/bench docs/performance.md` made this page on {processors} processors ({machine}). In each measurement the
function has one processor for itself. CPU seconds are the seconds of the function's process. The last column has the
operator's allocator in a similar cluster (10,000 pods, 200 ServiceMonitors, 20 collectors), or Prometheus' own code in
this run. On a machine with other work, times can be twice as long as on a quiet machine.

{table}
## Who scrapes what

`function/core/examples/balance.rs` assigns 10,000 targets in three zones. Nothing here measures time, so the figures are
equal on every machine. The columns:

- *in the target's zone*: targets whose collector is in their zone. *Possible* is the largest value within the bound.
- *largest share*: as a multiple of the mean. The goal is 1.03 with 20 collectors.
- *largest zone's part*: the part of all targets that the collectors of one zone scrape, for the largest zone.
- *moved*: targets whose collector changes when a collector joins. The unit is the mean share after the join. *Mean* is the
  average over which collector joined last, *most* is the worst case. The goal is 1.1 with 20 collectors.

`per-node` is not in the tables, because its shares depend only on the nodes. All targets are in one job. With several jobs,
`least-weighted` also spreads each job evenly: [allocation.md](allocation.md#least-weighted).

{balance}
Zones cost moves. A bound can be nearly reached in each zone. A collector that joins then shifts this limit for all others,
and targets move between zones. The goal is met without zones, or with a bound that the zones do not reach.

## Where a goal is missed

- **Bytes per target.** The receiver in the collector turns nine labels into `k8s.*` resource attributes. A target of the
  merged view would take 378 bytes without them. In the plain view the rules read most of them; the others take 180 bytes.
  The function serves these labels, because users' data would silently change without them.
- **A refresh after a change.** The API server sends a replaced pod three times: when it is created, when it gets its
  status, and when the old pod is deleted. It sends an endpoint slice completely after each change. The function makes only
  the changed targets again. A third of the remaining time is the cost of the requests themselves; a refresh without a
  change takes this time too. The rest is reading the responses and finding the unchanged targets of a slice.
- **Answers.** A share of 500 targets has 367 kB, or 430 kB as the JSON string that Lambda takes. The function stores texts
  as parts of this string. It copies them twice, and reads them once for the entity tag. 20,000 answers a second would be
  9 GB a second. A share of 21 kB is answered more often than 20,000 times a second. A compressed answer decodes the string
  first. Scrapers of the Prometheus family do not request compression (`DisableCompression` in `prometheus/common`).
- **1,000,000 targets.** From 10,000 to 1,000,000 targets, the time per target grows by a third. The processor's caches
  then hold nothing useful any more. The remaining time has four parts: label sets (a quarter), rules that differ from target
  to target, the hash that finds equal targets, and rendering. Half of the memory of a target is its own text. Text that it
  shares with its endpoint slice is stored once.
- **Binary.** These are the largest parts by symbols:

  | part | size |
  |---|---|
  | Standard library code for the types of all crates | 5 MB, before dependencies were built for size |
  | Core crate | 2.3 MB |
  | aws-lc | 2 MB |
  | AWS SDK | 1.6 MB |
  | The function's own crate | 1.4 MB |
  | HTTP/2 | 0.8 MB |

## Cost by cluster size

![CPU seconds against targets](performance.svg)

The plot shows the time from objects in memory to rendered targets with their collectors, on one core
(`function/core/examples/scaling.rs`). A first snapshot costs this time, plus the time to read the lists. A later snapshot
makes only the groups of changed objects again.

## What must not grow

`scripts/counts` counts the instructions of the most frequent operations with callgrind. It fails in CI if a count is more
than 5 % above `tests/bench/counts.json`. Counts do not depend on other work on the machine. The time seeds the hashes, which
changes a count by less than 0.2 %.
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
