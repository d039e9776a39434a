"""The built function on a real API server: refreshes, starts and answers."""

import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

from table import Row

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("PEERS_CACHE", ROOT / "target/peers"))
RELEASE = ROOT / "target/release"
CONFIG = """
collector_namespace: monitoring
collector_selector: {matchlabels: {app: otel-collector}}
prometheus_cr: {enabled: true, service_monitor_selector: {}}
"""
COLLECTORS = 20
CPUCLOCK_SCHED = 2


class Function:
    """The built function in an environment like Lambda's, and the system's figures about its process."""

    def __init__(self, log: Path, **settings: str) -> None:
        self.log = log
        variables = {
            "PATH": os.environ["PATH"], "ALLOCATOR_CONFIG": CONFIG, "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "AWS_REGION": "eu-west-1",
        } | settings
        command = [PEERS / "lambda", "-freeze=false", "-log", log, "--", RELEASE / "target-allocator"]
        self.environment = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True)
        self.url = self.environment.stdout.readline().removeprefix("ready ").strip()

    def stop(self) -> None:
        self.environment.terminate()
        self.environment.wait()

    def get(self, path: str, query: str = "") -> bytes:
        """Sends a request. The first request starts the function."""
        with urllib.request.urlopen(f"{self.url}{path}?{query}") as answer:
            return answer.read()

    @property
    def pid(self) -> int:
        return json.loads(self.get("/-/environments"))[0]["pid"]

    def cpu(self) -> float:
        """CPU seconds of all its threads, ended threads too."""
        # Uses `clock_getcpuclockid`. /proc counts hundredths of a second, and a refresh takes only two of them.
        return time.clock_gettime(~self.pid << 3 | CPUCLOCK_SCHED)

    def memory(self) -> tuple[float, float]:
        """Resident and peak memory, in MB."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        values = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
        return int(values["VmRSS"]) / 1024, int(values["VmHWM"]) / 1024

    def refreshes(self) -> list[dict]:
        """The log lines about snapshots."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("message") == "snapshot taken"]


def attribute_bytes(group: dict) -> int:
    """The bytes of labels that the collector turns into resource attributes."""
    kept = ("namespace", "node_name", "endpoint_node_name", "pod_container_name", "pod_controller_kind")
    kept += ("pod_controller_name", "pod_name", "pod_node_name", "pod_uid")
    labels = ((f"__meta_kubernetes_{name}", group["labels"].get(f"__meta_kubernetes_{name}")) for name in kept)
    return sum(len(name) + len(value) + 6 for name, value in labels if value is not None)


class Cluster:
    """A real API server that holds a cluster of `tests/world`."""

    def __init__(self, pods: int, monitors: int) -> None:
        self.pods, self.monitors = pods, monitors
        self.folder = Path(tempfile.mkdtemp(prefix="bench-"))

    def __enter__(self) -> "Cluster":
        data = self.folder / "apiserver"
        self.server = subprocess.Popen(
            [PEERS / "kube-apiserver", "-data", data], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert any(line.startswith("ready") for line in self.server.stdout), "the API server did not start"
        self.admin = data / "admin.kubeconfig"
        self.load(PEERS / "crds", ROOT / "examples/rbac.yaml", self.world(0))
        return self

    def __exit__(self, *_: object) -> None:
        self.server.kill()
        self.server.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def load(self, *paths: Path) -> None:
        for path in paths:
            subprocess.run([PEERS / "load", "-kubeconfig", self.admin, path], check=True, stdout=subprocess.DEVNULL)

    def world(self, replaced: int) -> Path:
        path = self.folder / f"world-{replaced}.json"
        numbers = [str(number) for number in (self.pods, self.monitors, COLLECTORS, replaced)]
        with open(path, "w") as file:
            subprocess.run([RELEASE / "target-allocator-world", *numbers], check=True, stdout=file)
        return path

    def kubectl(self, *arguments: object) -> None:
        subprocess.run(["kubectl", "--kubeconfig", self.admin, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)

    def function(self, name: str, **settings: str) -> Function:
        return Function(self.folder / f"{name}.log", **settings)

    def scrape_configs(self) -> Path:
        """The function's figures about the cluster."""
        function = self.function("configs", CLUSTER=f"kubeconfig:{self.admin}")
        path = self.folder / "scrape_configs.json"
        path.write_bytes(function.get("/scrape_configs"))
        function.stop()
        return path

    def cold_starts(self) -> list[Row]:
        empty = self.folder / "empty"
        empty.mkdir()
        (empty / "namespace.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: empty}\n")
        rows = []
        clusters = (
            ("an empty cluster", f"manifests:{empty}", "25 ms"),
            (f"{self.pods:,} pods of the API server", f"kubeconfig:{self.admin}", "1.5 s"),
        )
        for what, cluster, goal in clusters:
            took = []
            for _ in range(5):
                function = self.function("cold", CLUSTER=cluster)
                began = time.perf_counter()
                function.get("/jobs")
                took.append(time.perf_counter() - began)
                function.stop()
            rows.append(Row(f"process start to first answer, {what}", goal, f"{min(took) * 1000:.0f} ms"))
        return rows

    def refreshes(self) -> list[Row]:
        changed = self.one_percent()
        function = self.function("refresh", CLUSTER=f"kubeconfig:{self.admin}", SNAPSHOT_TTL="2")
        jobs = function.get("/jobs")
        full, (resident, peak) = function.cpu(), function.memory()
        targets = function.refreshes()[0]["targets"]
        quiet = self.refreshed(function)
        self.replace(*changed)
        after = self.refreshed(function)
        refreshes = [line["bytes"] for line in function.refreshes()]
        later, _ = function.memory()
        function.stop()
        first, part = refreshes[0], max(refreshes[1:])
        return [
            Row(f"full refresh of {self.pods:,} pods ({len(json.loads(jobs))} jobs, {targets:,} targets): CPU, with the start", "0.4 s", f"{full:.2f} s"),
            Row("bytes read by this refresh", "", f"{first / 1e6:.1f} MB"),
            Row("resident memory after this refresh / peak", "64 MB / 160 MB", f"{resident:.0f} MB / {peak:.0f} MB", "648 MB"),
            Row("refresh after 1 % of the pods were replaced: bytes, compared with the full refresh", "2 %", f"{part / first * 100:.1f} %"),
            Row("refresh after 1 % of the pods were replaced: CPU, compared with the full refresh", "5 %", f"{after / full * 100:.1f} % ({after * 1000:.0f} ms)"),
            Row("refresh without a change, CPU", "", f"{quiet * 1000:.0f} ms"),
            Row("resident memory after these refreshes", "", f"{later:.0f} MB"),
        ]

    def refreshed(self, function: Function) -> float:
        """CPU time of the refresh that a request after the end of the snapshot starts."""
        time.sleep(3)
        before, known = function.cpu(), len(function.refreshes())
        while len(function.refreshes()) == known:
            function.get("/jobs")
            time.sleep(0.2)
        return function.cpu() - before

    def one_percent(self) -> tuple[Path, Path, Path]:
        """Deletes and creates pods, and updates their slices."""
        old, new = (json.loads(self.world(replaced).read_text())["items"] for replaced in (0, self.pods // 100))
        changed = [(one, other) for one, other in zip(old, new) if one != other]
        gone = [one for one, _ in changed if one["kind"] == "Pod"]
        come = [other for _, other in changed if other["kind"] == "Pod"]
        slices = [other for _, other in changed if other["kind"] == "EndpointSlice"]
        for piece in slices:
            # The API server assigned its own value.
            del piece["metadata"]["uid"]
        paths = []
        for name, items in (("gone", gone), ("come", come), ("slices", slices)):
            paths.append(self.folder / f"{name}.json")
            paths[-1].write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        return tuple(paths)

    def replace(self, gone: Path, come: Path, slices: Path) -> None:
        self.load(come)
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", slices)
        self.kubectl("delete", "-f", gone, "--force", "--grace-period=0", "--wait=false")

    def answers(self) -> list[Row]:
        function = self.function("answers", CLUSTER=f"kubeconfig:{self.admin}", SNAPSHOT_TTL="600")
        rows = []
        views = (("plain", "", "700", "4,900", "200"), ("merged", "/merged", "450", "", ""))
        for what, view, goal, peer, peers in views:
            jobs = json.loads(function.get(f"{view}/scrape_configs"))
            size, attributes, targets, shares = 0, 0, 0, []
            for collector in range(COLLECTORS):
                share = 0
                for job in jobs:
                    path = f"{view}/jobs/{urllib.parse.quote(job, safe='')}/targets"
                    body = function.get(path, f"collector_id=otel-collector-{collector}")
                    groups = json.loads(body)
                    share += len(groups)
                    size += len(body)
                    attributes += sum(map(attribute_bytes, groups))
                shares.append(share)
                targets += share
            reached = f"{size / targets:.0f}, {attributes / targets:.0f} of them for k8s.* attributes"
            rows.append(Row(f"bytes per target, {what} view", goal, reached, peer))
            rows.append(Row(f"requests per collector and refresh, {what} view", "" if peers else "1", str(len(jobs)), peers))
        mean = statistics.mean(shares)
        rows.append(Row("largest share with consistent hashing", "", f"{max(shares) / mean:.2f} × the mean", "1.18 ×"))
        function.stop()
        return rows


def from_manifests(pods: int, monitors: int) -> list[Row]:
    """Memory for a cluster that is too large for an API server on one machine."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with open(folder / "world.json", "w") as file:
            command = [RELEASE / "target-allocator-world", str(pods), str(monitors), str(COLLECTORS)]
            subprocess.run(command, check=True, stdout=file)
        function = Function(Path(name + ".log"), CLUSTER=f"manifests:{folder / 'world.json'}", SNAPSHOT_TTL="3600", SNAPSHOT_MAX_STALE="3600")
        function.get("/jobs")
        resident, peak = function.memory()
        size = (folder / "world.json").stat().st_size
        function.stop()
        function.log.unlink()
    what = f"{pods:,} pods, {monitors} monitors, read from a manifest of {size / 1e6:,.0f} MB: resident / peak"
    return [Row(what, "350 MB", f"{resident:,.0f} MB / {peak:,.0f} MB")]
