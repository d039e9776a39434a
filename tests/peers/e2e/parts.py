"""The running parts: processes, their addresses, and requests to them."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import canaries
import shop
import tokens

ROOT = Path(__file__).resolve().parents[3]
PEERS = Path(os.environ.get("PEERS_CACHE", ROOT / "target/peers"))
COLLECTORS = ["otel-collector-0", "otel-collector-1", "otel-collector-2"]

# How long a snapshot serves, and how long it serves if refreshes fail.
TTL, MAX_STALE = 1, 6

# For RBAC, the function is a member of the group in examples/rbac.yaml.
READER = "target-allocator"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(url: str):
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{url}: {error.code}: {error.read().decode(errors='replace')}") from error
    except OSError as error:
        raise AssertionError(f"{url}: {error}") from error


def put(url: str, text: str) -> None:
    request = urllib.request.Request(url, data=text.encode(), method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=10):
            pass
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{url}: {error.code}: {error.read().decode(errors='replace')}") from error


def eventually(what: str, check, seconds: float = 60):
    """Repeats `check` until it raises no AssertionError. Returns its result."""
    until = time.monotonic() + seconds
    while True:
        try:
            return check()
        except AssertionError as error:
            if time.monotonic() > until:
                raise AssertionError(f"{what}, after {seconds:.0f} s: {error}") from error
            time.sleep(0.5)


class World:
    """All running parts. Entering the block starts them, leaving it stops them."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="e2e-"))
        self.processes: dict[str, subprocess.Popen] = {}
        self.apiserver_port = free_port()
        self.function_port = free_port()
        # The issuer is the server's own address, so clients find its keys there.
        self.issuer = f"https://127.0.0.1:{self.apiserver_port}"

    def __enter__(self) -> "World":
        try:
            self._start()
        except BaseException:
            self.show_logs()
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.processes):
            self.stop(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        self.start_apiserver()
        self.admin = ["kubectl", "--kubeconfig", str(self.folder / "apiserver/admin.kubeconfig")]
        for what in (PEERS / "crds", ROOT / "examples/rbac.yaml", ROOT / "examples/shop/cluster"):
            self.load(what)
        canaries.mark(self)
        shop.speed_up(self)
        self.exporter = self.serve("exporter", "-admin", f"127.0.0.1:{free_port()}")
        self.receiver = self.serve("receiver")
        put(f"{self.exporter}/addresses", "\n".join(shop.exporter_addresses(self)))
        self.fault("")
        self.proxy = self.start_proxy()
        self.function = self.start_function()
        tokens.prepare(self)
        self.gateway = self.start_gateway()
        for name in COLLECTORS:
            self.start_collector(name)

    # Processes

    def start(self, name: str, *command: object, env: dict[str, str] | None = None, cwd: Path | None = None):
        log = open(self.folder / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE if env is None and cwd is None else log,
            stderr=log,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
        return self.processes[name]

    def serve(self, name: str, *arguments: object, program: str = "") -> str:
        """Starts one of our servers. It prints `ready URL` when it serves."""
        script = Path(__file__).with_name(f"{program or name}.py")
        command = [sys.executable, script] if script.exists() else [PEERS / (program or name)]
        process = self.start(name, *command, *arguments)
        assert process.stdout is not None
        for line in process.stdout:
            words = line.decode().split()
            if words and words[0] == "ready":
                return words[1]
        raise AssertionError(f"{name} did not start")

    def stop(self, name: str) -> None:
        """Stops a process, if it runs."""
        process = self.processes.pop(name, None)
        if process is None:
            return
        # Stops the whole process group, because cargo lambda has children.
        try:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        except ProcessLookupError:
            pass

    def show_logs(self) -> None:
        for log in sorted(self.folder.glob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}", flush=True)

    def start_apiserver(self) -> None:
        arguments = ["-data", self.folder / "apiserver", "-port", self.apiserver_port, "--"]
        policy = self.folder / "audit-policy.yaml"
        policy.write_text(json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}))
        audit = (f"--audit-policy-file={policy}", f"--audit-log-path={self.folder / 'audit.jsonl'}")
        self.serve("kube-apiserver", *arguments, f"--service-account-issuer={self.issuer}", *audit)

    def start_proxy(self) -> str:
        return self.serve("proxy", self.folder / "apiserver", self.apiserver_port, self.folder / "fault")

    def fault(self, name: str) -> None:
        """Sets what the proxy does with requests. An empty value passes them on."""
        (self.folder / "fault").write_text(name)

    def kubeconfig(self, user: str) -> str:
        """A kubeconfig that uses the proxy."""
        tokens = (self.folder / "apiserver/tokens.csv").read_text().splitlines()
        token = next(line.split(",")[0] for line in tokens if line.split(",")[1] == user)
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "e2e",
                "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": user}}],
                "clusters": [{"name": "e2e", "cluster": {"server": self.proxy}}],
                "users": [{"name": user, "user": {"token": token}}],
            }
        )

    def start_function(self, **settings: str) -> str:
        """Starts the function, always at the same address: by `cargo lambda watch`, or the built FUNCTION_BINARY."""
        kubeconfig = self.folder / "function.kubeconfig"
        kubeconfig.write_text(self.kubeconfig(READER))
        port = self.function_port
        settings = {
            "CLUSTER": f"kubeconfig:{kubeconfig}",
            "ALLOCATOR_CONFIG_FILE": str(ROOT / "examples/shop/targetallocator.yaml"),
            "SNAPSHOT_TTL": str(TTL),
            "SNAPSHOT_MAX_STALE": str(MAX_STALE),
            "SECRETS": "inline",
            "SECRET_ROTATION": "on",
        } | settings
        if binary := os.environ.get("FUNCTION_BINARY"):
            command = [PEERS / "lambda", "-listen", f"127.0.0.1:{port}", "-freeze=false", "--", binary]
            path = os.environ["PATH"]
        else:
            tools = subprocess.run([ROOT / "scripts/tool", "cargo-lambda"], check=True, capture_output=True, text=True)
            command = ["cargo", "lambda", "watch", "--bin", "target-allocator", "--ignore-changes"]
            command += ["--invoke-address", "127.0.0.1", "--invoke-port", port]
            path = f"{tools.stdout.strip()}:{os.environ['PATH']}"
        self.start("function", *command, env=os.environ | {"PATH": path} | settings, cwd=ROOT)
        url = f"http://127.0.0.1:{port}"

        def ready() -> None:
            assert self.processes["function"].poll() is None, "the program that runs the function has ended"
            get(f"{url}/jobs")

        eventually("the function answers", ready, 600)
        return url

    def start_gateway(self) -> str:
        """Collectors use the gateway, with tokens. Tests send requests directly to the function."""
        invoke = f"{self.function}/2015-03-31/functions/target-allocator/invocations"
        certificate = self.folder / "apiserver/apiserver.crt"
        return self.serve("gateway", invoke, self.issuer, certificate, tokens.AUDIENCE, self.folder)

    def token_file(self, pod: str) -> Path:
        return self.folder / f"{pod}.token"

    def tokens_valid_since(self, issued: float) -> None:
        (self.folder / "valid-since").write_text(str(issued))

    def seen(self) -> list[dict]:
        """The requests that the gateway received."""
        return [json.loads(line) for line in (self.folder / "seen.jsonl").read_text().splitlines()]

    def start_collector(self, name: str, view: str = "", interval: str = "2s") -> None:
        self.start_receivers(name, {"": view}, interval)

    def start_receivers(self, name: str, views: dict[str, str], interval: str = "2s") -> None:
        """Starts a collector with a receiver for each view. The series of a view have the name `COLLECTOR.LABEL`."""
        config = self.folder / f"{name}.yaml"
        tokens.write(self, name)
        token = str(self.token_file(name))
        receivers, exporters, pipelines = {}, {}, {}
        for label, view in views.items():
            own = f"/{label}" if label else ""
            receivers[f"prometheus{own}"] = {
                "config": {},
                "target_allocator": {
                    "endpoint": self.gateway + view,
                    "interval": interval,
                    "collector_id": name,
                    "auth": {"authenticator": "bearertokenauth"},
                    "http_sd_config": {
                        "refresh_interval": interval,
                        "authorization": {"type": "Bearer", "credentials_file": token},
                    },
                },
            }
            exporters[f"otlp_http{own}"] = {"endpoint": f"{self.receiver}/c/{name}{'.' if label else ''}{label}"}
            pipelines[f"metrics{own}"] = {"receivers": [f"prometheus{own}"], "exporters": [f"otlp_http{own}"]}
        config.write_text(
            json.dumps(
                {
                    "receivers": receivers,
                    "extensions": {"bearertokenauth": {"filename": token}},
                    "exporters": exporters,
                    "service": {
                        "extensions": ["bearertokenauth"],
                        "telemetry": {"metrics": {"level": "none"}},
                        "pipelines": pipelines,
                    },
                }
            )
        )
        self.start(name, PEERS / "collector", "--config", config, env=dict(os.environ))

    def start_prometheus(self, config: str) -> str:
        """Starts a Prometheus with this config. It accepts remote writes."""
        port = free_port()
        path = self.folder / "prometheus.yaml"
        path.write_text(config)
        self.start(
            "prometheus",
            PEERS / "prometheus",
            f"--config.file={path}",
            # Each Prometheus has its own data, because series stay visible for five minutes.
            f"--storage.tsdb.path={self.folder / f'tsdb-{port}'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver",
            env=dict(os.environ),
        )
        return f"http://127.0.0.1:{port}"

    def start_vmagent(self, config: str, write_to: str) -> str:
        """Starts a vmagent with this config. It writes its series to a Prometheus, with the label `scraper`."""
        port = free_port()
        path = self.folder / "vmagent.yaml"
        path.write_text(config)
        self.start(
            "vmagent",
            PEERS / "vmagent",
            f"-promscrape.config={path}",
            "-promscrape.httpSDCheckInterval=1s",
            f"-remoteWrite.url={write_to}/api/v1/write",
            "-remoteWrite.label=scraper=vmagent",
            f"-remoteWrite.tmpDataPath={self.folder / 'vmagent'}",
            "-remoteWrite.flushInterval=500ms",
            f"-httpListenAddr=127.0.0.1:{port}",
            env=dict(os.environ),
        )
        return f"http://127.0.0.1:{port}"

    # Requests

    def kubectl(self, *arguments: str, stdin: object = None):
        """Runs kubectl as administrator. Returns its output, parsed if it is JSON."""
        text = json.dumps(stdin) if stdin is not None else None
        done = subprocess.run([*self.admin, *arguments], input=text, capture_output=True, text=True)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return json.loads(done.stdout) if "json" in arguments else done.stdout

    def load(self, path: Path) -> None:
        """Creates the objects of a file or folder with their status. Waits until new definitions are served."""
        kubeconfig = self.folder / "apiserver/admin.kubeconfig"
        subprocess.run([PEERS / "load", "-kubeconfig", kubeconfig, path], check=True, stdout=subprocess.DEVNULL)

    def create(self, made: dict) -> None:
        """Creates an object with its status. The object may come from `kubectl get`."""
        dropped = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation")
        metadata = {field: value for field, value in made["metadata"].items() if field not in dropped}
        self.kubectl("create", "-f", "-", stdin={**made, "metadata": metadata, "status": {}})
        patch = ["patch", made["kind"].lower(), metadata["name"], "-n", metadata["namespace"], "--subresource", "status"]
        self.kubectl(*patch, "--type", "merge", "-p", json.dumps({"status": made["status"]}))

    def series(self, name: str, seconds: float) -> list[dict]:
        return get(f"{self.receiver}/series?name={name}&since={seconds}")

    def scrapes(self) -> dict[str, int]:
        return get(f"{self.exporter}/scrapes")
