"""The measurements, one after another on the same cluster."""

import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from lambda_api import RuntimeApi

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("PEERS_CACHE", ROOT / "target/peers"))
RELEASE = ROOT / "target/release"
CONFIG = """
collector_namespace: monitoring
collector_selector: {matchlabels: {app: otel-collector}}
prometheus_cr: {enabled: true, service_monitor_selector: {}}
"""
TICKS = os.sysconf("SC_CLK_TCK")


class Function:
    """The built function under a Runtime API, and what the system says of its process."""

    def __init__(self, api: RuntimeApi, log: Path, **settings: str) -> None:
        self.api, self.log = api, log
        lambda_env = {
            "AWS_LAMBDA_RUNTIME_API": api.address, "AWS_LAMBDA_FUNCTION_NAME": "bench", "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "AWS_REGION": "eu-west-1",
        }
        env = {"PATH": os.environ["PATH"], "ALLOCATOR_CONFIG": CONFIG} | lambda_env | settings
        self.began = time.perf_counter()
        self.process = subprocess.Popen([RELEASE / "target-allocator"], env=env, stdout=open(log, "wb"), stderr=subprocess.STDOUT)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def get(self, path: str, query: str = "") -> tuple[float, bytes]:
        took, status, body = self.api.get(path, query)
        if status != 200:
            raise AssertionError(f"{path}: {status}: {body[:500]!r}")
        return took, body

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self) -> tuple[float, float]:
        """Resident and peak, in MB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        values = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
        return int(values["VmRSS"]) / 1024, int(values["VmHWM"]) / 1024

    def refreshes(self) -> list[dict]:
        """The lines that the log has on snapshots."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("message") == "snapshot taken"]


class Bench:
    """A real API server with a cluster in it."""

    def __init__(self, pods: int, monitors: int) -> None:
        self.pods, self.monitors = pods, monitors
        self.folder = Path(tempfile.mkdtemp(prefix="bench-"))

    def __enter__(self) -> "Bench":
        build = ["cargo", "build", "--quiet", "--release", "--locked", "--bin", "target-allocator", "--package", "target-allocator"]
        subprocess.run(build, cwd=ROOT, check=True)
        build = ["cargo", "build", "--quiet", "--release", "--locked", "--package", "target-allocator-world"]
        subprocess.run(build, cwd=ROOT, check=True)
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
        numbers = [str(number) for number in (self.pods, self.monitors, 20, replaced)]
        with open(path, "w") as file:
            subprocess.run([RELEASE / "target-allocator-world", *numbers], check=True, stdout=file)
        return path

    def kubectl(self, *arguments: object) -> None:
        subprocess.run(["kubectl", "--kubeconfig", self.admin, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)

    def function(self, name: str, **settings: str) -> Function:
        # Each has an API of its own: one that was killed while it waited would take the next one's event.
        return Function(RuntimeApi(), self.folder / f"{name}.log", **settings)

    def run(self) -> list[tuple[str, str]]:
        return [*self.cold_starts(), *self.refreshes(), *self.answers()]

    def cold_starts(self) -> list[tuple[str, str]]:
        empty = self.folder / "empty"
        empty.mkdir()
        rows = []
        for what, cluster in (("an empty cluster", f"manifests:{empty}"), (f"{self.pods} pods", f"kubeconfig:{self.admin}")):
            took = []
            for _ in range(5):
                function = self.function("cold", CLUSTER=cluster)
                function.get("/jobs")
                took.append(time.perf_counter() - function.began)
                function.stop()
            rows.append((f"process start to first answer, {what}", f"{statistics.median(took) * 1000:.0f} ms"))
        return rows

    def refreshes(self) -> list[tuple[str, str]]:
        function = self.function("refresh", CLUSTER=f"kubeconfig:{self.admin}", SNAPSHOT_TTL="2")
        _, jobs = function.get("/jobs")
        full, (resident, peak) = function.cpu(), function.memory()
        changed = self.replace_one_percent()
        function.get("/jobs")
        time.sleep(3)
        before = function.cpu()
        self.replace(*changed)
        time.sleep(1)
        function.get("/jobs")
        after = function.cpu() - before
        quiet = function.cpu()
        time.sleep(3)
        function.get("/jobs")
        quiet = function.cpu() - quiet
        lines = function.refreshes()
        bytes_read = [line["bytes"] for line in lines]
        part = max(bytes_read[2:-1], default=0)
        later, _ = function.memory()
        function.stop()
        return [
            ("jobs / targets", f"{len(json.loads(jobs))} / {lines[0]['targets']}"),
            ("full refresh, CPU from process start", f"{full * 1000:.0f} ms"),
            ("full refresh, bytes read", f"{bytes_read[0] / 1e6:.1f} MB"),
            ("resident / peak after it", f"{resident:.0f} MB / {peak:.0f} MB"),
            ("refresh after 1 % of the pods were replaced, CPU", f"{after * 1000:.0f} ms ({after / full * 100:.1f} %)"),
            ("the same, bytes read", f"{part / 1e6:.2f} MB ({part / bytes_read[0] * 100:.1f} %)"),
            ("refresh without changes, CPU", f"{quiet * 1000:.0f} ms"),
            ("resident after those", f"{later:.0f} MB"),
        ]

    def replace_one_percent(self) -> tuple[Path, Path, Path]:
        """Pods that go, pods that come, and slices that say so."""
        count = self.pods // 100
        old, new = (json.loads(self.world(replaced).read_text())["items"] for replaced in (0, count))
        gone = [one for one, other in zip(old, new) if one["kind"] == "Pod" and one != other]
        come = [other for one, other in zip(old, new) if other["kind"] == "Pod" and one != other]
        slices = [other for one, other in zip(old, new) if other["kind"] == "EndpointSlice" and one != other]
        for piece in slices:
            # The API server has given it one of its own.
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

    def answers(self) -> list[tuple[str, str]]:
        function = self.function("answers", CLUSTER=f"kubeconfig:{self.admin}", SNAPSHOT_TTL="300")
        rows = []
        _, plain = function.get("/scrape_configs")
        _, merged = function.get("/merged/scrape_configs")
        jobs, merged_jobs = json.loads(plain), json.loads(merged)
        for what, view, names in (("plain", "", jobs), ("merged", "/merged", merged_jobs)):
            sizes, targets, took = 0, 0, []
            for job in names:
                seconds, body = function.get(f"{view}/jobs/{job}/targets", "collector_id=otel-collector-0")
                took.append(seconds)
                sizes, targets = sizes + len(body), targets + len(json.loads(body))
            requests = f"{len(names)} requests a collector and refresh"
            rows.append((f"{what} view", f"{requests}, {sizes / max(targets, 1):.0f} bytes a target"))
        shares = [len(json.loads(function.get(f"/merged/jobs/{name}/targets", f"collector_id=otel-collector-{n}")[1])) for name in merged_jobs for n in range(20)]
        if len(merged_jobs) == 1:
            rows.append(("largest share", f"{max(shares) / statistics.mean(shares):.2f} x the mean"))
        function.stop()
        return rows
