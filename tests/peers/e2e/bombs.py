"""Measures what one object costs the function and a real collector, for the table in docs/security.md.

    python3 tests/peers/e2e/bombs.py [NAME...]     names of cases of tests/one_object.json (default: the bombs)

The function reads manifests, in one environment like Lambda's. One collector uses it for SECONDS, in the plain view. The
table has the peak memory and the processor time of both processes, and the size of /scrape_configs. FUNCTION_BINARY
selects a built function.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from one_object import MONITORS, Case, rows
from parts import PEERS, ROOT, eventually, free_port

SECONDS = 15
# Cases whose size is their only fault.
BOMBS = (
    "2,000 references",
    "400 endpoints with 900 labels",
    "200 endpoints with 900 labels",
    "3,000 bare endpoints",
    "200 endpoints in 9,000 namespaces",
    "1,000 endpoints of a PodMonitor",
    "60,000 static targets",
    "40,000 static targets with a long label",
    "1,000 sources that are silent",
    "a regex that repeats a large class",
    "10,000 rules",
    "100 jobs with large regexes",
    "a label that doubles",
    "labels that double",
    "a replacement of 200,000 groups",
    "a label of 20,000 others",
    "10,000 endpoints",
    "300,000 targets of one slice",
    "10,000 labels on 1,000 targets",
)
CONFIG = """\
collectors: {names: [c]}
prometheus_cr: {enabled: true, service_monitor_selector: {}, pod_monitor_selector: {}, probe_selector: {}, scrape_config_selector: {}}
"""
GOOD = {
    "apiVersion": MONITORS + "v1alpha1",
    "kind": "ScrapeConfig",
    "metadata": {"namespace": "shop", "name": "good"},
    "spec": {"staticConfigs": [{"targets": ["127.0.0.1:9"]}]},
}
COLLECTOR = {
    "exporters": {"debug": {}},
    "service": {
        "telemetry": {"metrics": {"level": "none"}},
        "pipelines": {"metrics": {"receivers": ["prometheus"], "exporters": ["debug"]}},
    },
}


def usage(pid: int) -> str:
    """Peak memory and processor time of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    [peak] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return f"{int(peak) >> 10} MiB, {seconds:.1f} s"


def body(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{url}: {error.code}: {error.read()[:200]!r}") from error
    except OSError as error:
        raise AssertionError(f"{url}: {error}") from error


def started(log: Path, *command: object, **variables: str) -> subprocess.Popen:
    with open(log, "ab") as output:
        env = {"PATH": os.environ["PATH"]} | variables
        return subprocess.Popen([str(part) for part in command], stdout=output, stderr=output, env=env, start_new_session=True)


def stop(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def measure(folder: Path, binary: Path, objects: list[dict]) -> str:
    """The cells of one row."""
    namespaces = {item["metadata"]["namespace"] for item in [GOOD, *objects]}
    named = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in sorted(namespaces)]
    manifests = folder / "manifests.json"
    manifests.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [*named, GOOD, *objects]}))
    url = f"http://127.0.0.1:{free_port()}"
    variables = {"CLUSTER": f"manifests:{manifests}", "ALLOCATOR_CONFIG": CONFIG, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}
    function = started(folder / "function.log", PEERS / "lambda", "-listen", url.removeprefix("http://"), "--", binary, **variables)
    try:
        configs = eventually("the function answers", lambda: body(f"{url}/scrape_configs"), 120)
        assert "scrapeConfig/shop/good" in json.loads(configs), "the good monitor is not served"
        receiver = {"config": {}, "target_allocator": {"endpoint": url, "interval": "2s", "collector_id": "c"}}
        config = folder / "collector.yaml"
        config.write_text(json.dumps(COLLECTOR | {"receivers": {"prometheus": receiver}}))
        collector = started(folder / "collector.log", PEERS / "collector", "--config", config)
        try:
            time.sleep(SECONDS)
            [environment] = json.loads(body(f"{url}/-/environments"))
            assert collector.poll() is None, "the collector has ended"
            return f"{usage(environment['pid'])} | {len(configs) / 1000:.0f} kB | {usage(collector.pid)}"
        finally:
            stop(collector)
    finally:
        stop(function)


def main() -> None:
    binary = Path(os.environ.get("FUNCTION_BINARY", ROOT / "target/debug/target-allocator"))
    wanted = sys.argv[1:] or BOMBS
    found = {row["name"]: Case(row, common, "tenant", "http://127.0.0.1:9/").objects for row, common in rows() if row["name"] in wanted}
    missing = set(wanted) - found.keys()
    assert not missing, f"no such case: {missing}"
    print("| object | function | `/scrape_configs` | collector |\n|---|---|---|---|")
    for name, objects in [("none", []), *((name, found[name]) for name in wanted)]:
        folder = Path(tempfile.mkdtemp(prefix="bombs-"))
        try:
            print(f"| {name} | {measure(folder, binary, objects)} |", flush=True)
        except AssertionError as error:
            print(f"| {name} | FAILED: {error} |", flush=True)
        finally:
            shutil.rmtree(folder)


main()
