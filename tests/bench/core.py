"""The core alone, from objects in memory to rendered targets, and Prometheus' own code on these objects."""

import io
import json
import subprocess
import zipfile
from pathlib import Path

from measure import RELEASE, ROOT
from table import Row

DISCOVERY = ROOT / "tests/peers/discovery"


def build(example: str) -> Path:
    command = ["cargo", "build", "--quiet", "--release", "--locked", "--package", "target-allocator-core", "--example", example]
    subprocess.run(command, cwd=ROOT, check=True)
    return RELEASE / "examples" / example


def scaling(pods: list[int]) -> list[dict]:
    """The results of `examples/scaling.rs` for clusters with these numbers of pods."""
    program = build("scaling")
    runs = []
    for count in pods:
        command = [program, str(count), str(min(200, max(count // 10, 1)))]
        runs.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    return runs


def rows(runs: list[dict]) -> list[Row]:
    rows = []
    for run in runs:
        seconds, each = run["nanoseconds"] / 1e9, run["nanoseconds"] / run["targets"] / 1000
        what = f"{run['targets']:,} targets made from objects in memory: CPU / memory per target"
        goal = "4 s / 700 B" if run["targets"] >= 1_000_000 else ""
        reached = f"{seconds:.3g} s ({each:.1f} µs per target) / {run['bytes'] / run['targets']:,.0f} B"
        rows.append(Row(what, goal, reached))
    return rows


def against_prometheus(world: Path, configs: Path, ours: dict) -> Row:
    """These monitors and pods in Prometheus' discovery/kubernetes and model/relabel, on one core."""
    speed = ROOT / "target/peers/speed"
    subprocess.run(["go", "build", "-trimpath", "-o", speed, "./speed"], cwd=DISCOVERY, check=True)
    theirs = json.loads(subprocess.run([speed, world, configs], check=True, capture_output=True, text=True).stdout)
    assert theirs["kept"] == ours["targets"], f"not the same targets: {theirs} {ours}"
    seconds = ours["nanoseconds"] / 1e9
    what = f"discovery and relabelling of {theirs['jobs']} jobs, {theirs['kept']:,} targets, CPU"
    reached = f"{theirs['seconds'] / seconds:.0f} × ({seconds:.3f} s, with rendering and shares)"
    return Row(what, "10 ×", reached, f"{theirs['seconds']:.2f} s")


def binary() -> Row:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.write(RELEASE / "target-allocator", "bootstrap")
    size = (RELEASE / "target-allocator").stat().st_size
    return Row("binary, zipped (x86_64)", "5 MB", f"{len(packed.getvalue()) / 1e6:.1f} MB (unpacked {size / 1e6:.1f} MB)")
