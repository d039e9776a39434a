"""Answers in the handler, measured by `function/benches/answers.rs`."""

import json
import subprocess

from measure import ROOT
from table import Row

# The goals, by the answer.
GOALS = {
    "a share of 500 targets": "p50 100 µs, 20,000 a second and core",
    "100,000 pods: a share of a job of 500 targets": "p99 5 ms",
    "100,000 pods: a collector's 5,000 targets, merged": "p99 5 ms",
}


def rows() -> list[Row]:
    command = ["cargo", "bench", "--quiet", "--locked", "--bench", "answers"]
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [row(json.loads(line)) for line in lines if line.startswith("{")]


def row(line: dict) -> Row:
    reached = f"p50 {line['p50']:,.0f} µs, p99 {line['p99']:,.0f} µs, {line['per_second']:,.0f} a second and core"
    peer = "1,750 a second and core, of 9.8 kB" if line["what"] == "a share of 500 targets" else ""
    return Row(f"answer in the handler, {line['what']} ({line['bytes'] / 1000:,.1f} kB)", GOALS.get(line["what"], ""), reached, peer)
