"""The parts of the end-to-end tests, with the function in environments like Lambda's, behind a network that can fail.

function ─► toxiproxy ─► API server
                └──────► a proxy that changes answers ─► API server
"""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from cases import WEB_SLICE_LABEL, shares
from parts import PEERS, ROOT, World, eventually, free_port, get, put

import shop

# The function uses this service account in these tests, because its tokens can be revoked.
ACCOUNT = "allocator"
WEB = "serviceMonitor/shop/web/0"
CANARY = "10.77.0.1"

# Pods of this size make a short list so long that the function watches it in place of listing it again.
BALLAST, BALLAST_BYTES = 30, 12_000


def function_binary() -> Path:
    """The function built by `cargo build`, or FUNCTION_BINARY."""
    if "FUNCTION_BINARY" in os.environ:
        return Path(os.environ["FUNCTION_BINARY"])
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--bin", "target-allocator"], cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/target-allocator"


class FaultWorld(World):
    """All running parts, and the faults that tests can cause in them."""

    def __init__(self, environments: int = 4, timeout: str = "30s", **settings: str) -> None:
        super().__init__()
        self.environments, self.timeout, self.settings = environments, timeout, settings
        self.log = self.folder / "function.log"
        self.binary = function_binary()
        # Whether the canary endpoint exists.
        self.canary = False
        self.token = self.folder / "function.token"

    # The network between the function and the API server

    def start_proxy(self) -> str:
        self.prepare_account()
        self.add_ballast()
        own = self.folder / "apiserver"
        self.other = self.serve("proxy", own, self.apiserver_port, self.folder / "fault", own)
        self.toxics = f"http://127.0.0.1:{free_port()}"
        self.entrance = free_port()
        port = self.toxics.rpartition(":")[2]
        self.start("toxiproxy", PEERS / "toxiproxy", "-host", "127.0.0.1", "-port", port, env=dict(os.environ))
        direct = {"name": "api", "listen": f"127.0.0.1:{self.entrance}", "upstream": self.direct, "enabled": True}
        eventually("toxiproxy answers", lambda: self.toxiproxy("GET", "/version"))
        self.toxiproxy("POST", "/proxies", direct)
        return f"https://127.0.0.1:{self.entrance}"

    @property
    def direct(self) -> str:
        return f"127.0.0.1:{self.apiserver_port}"

    def toxiproxy(self, method: str, path: str, body: object = None) -> object:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.toxics + path, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"toxiproxy {method} {path}: {error.code}: {error.read()!r}") from error
        except OSError as error:
            raise AssertionError(f"toxiproxy {method} {path}: {error}") from error
        return json.loads(text) if text[:1] in (b"{", b"[") else text

    def lead_to(self, upstream: str) -> None:
        """Sets the destination of new connections of the function, and ends existing connections."""
        self.toxiproxy("POST", "/proxies/api", {"enabled": False})
        self.toxiproxy("POST", "/proxies/api", {"upstream": upstream.removeprefix("https://"), "enabled": True})

    def poison(self, kind: str, stream: str = "downstream", **attributes: int) -> None:
        toxic = {"name": kind, "type": kind, "stream": stream, "attributes": attributes}
        self.toxiproxy("POST", "/proxies/api/toxics", toxic)

    def cure(self) -> None:
        """Removes all faults of the network."""
        self.fault("")
        self.toxiproxy("POST", "/reset")
        for toxic in self.toxiproxy("GET", "/proxies/api/toxics"):
            self.toxiproxy("DELETE", f"/proxies/api/toxics/{toxic['name']}")
        self.lead_to(self.direct)

    # The function

    def prepare_account(self) -> None:
        self.kubectl("create", "serviceaccount", ACCOUNT, "-n", "monitoring")
        account = f"--serviceaccount=monitoring:{ACCOUNT}"
        self.kubectl("create", "clusterrolebinding", ACCOUNT, "--clusterrole=target-allocator", account)
        self.new_token()

    def new_token(self) -> None:
        """A token that is valid as long as a Secret exists."""
        secret = f"token-{time.time_ns()}"
        self.kubectl("create", "secret", "generic", secret, "-n", "monitoring")
        bound = ["--bound-object-kind", "Secret", "--bound-object-name", secret]
        self.token.write_text(self.kubectl("create", "token", ACCOUNT, "-n", "monitoring", *bound).strip())
        self.token_secret = secret

    def revoke_token(self) -> None:
        self.kubectl("delete", "secret", self.token_secret, "-n", "monitoring")

    def kubeconfig(self, user: str) -> str:
        certificate = str(self.folder / "apiserver/apiserver.crt")
        cluster = {"server": f"https://127.0.0.1:{self.entrance}", "certificate-authority": certificate}
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "faults",
                "contexts": [{"name": "faults", "context": {"cluster": "faults", "user": user}}],
                "clusters": [{"name": "faults", "cluster": cluster}],
                "users": [{"name": user, "user": {"tokenFile": str(self.token)}}],
            }
        )

    def start_function(self, **settings: str) -> str:
        kubeconfig = self.folder / "function.kubeconfig"
        kubeconfig.write_text(self.kubeconfig(ACCOUNT))
        defaults = {
            "CLUSTER": f"kubeconfig:{kubeconfig}",
            "ALLOCATOR_CONFIG_FILE": str(ROOT / "examples/shop/targetallocator.yaml"),
            "SNAPSHOT_TTL": "2",
            "SNAPSHOT_MAX_STALE": "20",
            "SECRETS": "inline",
        }
        environment = {"PATH": os.environ["PATH"]} | defaults | self.settings | settings
        # The function gets the variables of the program that runs it.
        variables = [f"{name}={value}" for name, value in environment.items()]
        self.function = self.serve_with(
            "function", variables, "-environments", self.environments, "-timeout", self.timeout, "-log", self.log
        )
        eventually("the function answers", lambda: get(f"{self.function}/jobs"), 60)
        return self.function

    def serve_with(self, name: str, variables: list[str], *arguments: object) -> str:
        """Starts the program that runs the environments, with only these variables."""
        port = self.function_port
        command = ["env", "-i", *variables, PEERS / "lambda", "-listen", f"127.0.0.1:{port}"]
        process = self.start(name, *command, *arguments, "--", *self.command())
        line = process.stdout.readline().decode().split() if process.stdout else []
        assert line[:1] == ["ready"], f"{name} did not start"
        return line[1]

    def command(self) -> list[object]:
        """The command that an environment runs."""
        return [self.binary]

    def living(self) -> list[dict]:
        """The running environments."""
        return get(f"{self.function}/-/environments")

    def signal(self, number: signal.Signals) -> None:
        for environment in self.living():
            os.killpg(environment["pid"], number)

    def lines(self, since: int = 0) -> list[dict]:
        """The log of the function after this many bytes."""
        with open(self.log, "rb") as log:
            log.seek(since)
            text = log.read().decode(errors="replace")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]

    # The cluster

    def add_ballast(self) -> None:
        """Creates pods and slices that nothing selects, to make their lists long."""
        self.kubectl("create", "namespace", "ballast")
        objects = []
        for number in range(BALLAST):
            metadata = {
                "namespace": "ballast",
                "name": f"ballast-{number}",
                "annotations": {"ballast": "x" * BALLAST_BYTES},
            }
            container = {"name": "none", "image": "none"}
            objects.append(
                {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}
            )
            piece = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata}
            objects.append(
                piece | {"addressType": "IPv4", "endpoints": [{"addresses": [f"10.78.0.{number}"]}], "ports": []}
            )
        self.kubectl("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": objects})

    def web_slice(self) -> dict:
        found = self.kubectl("get", "endpointslices", "-n", "shop", "-l", WEB_SLICE_LABEL, "-o", "json")
        return found["items"][0]

    def prepare_canary(self) -> None:
        """An exporter for the address of the canary endpoint."""
        ports = [port["port"] for port in self.web_slice()["ports"]]
        addresses = [*shop.exporter_addresses(self), *(f"{shop.loopback(CANARY)}:{port}" for port in ports)]
        put(f"{self.exporter}/addresses", "\n".join(addresses))

    def set_canary(self, there: bool) -> None:
        piece = self.web_slice()
        endpoints = [endpoint for endpoint in piece["endpoints"] if CANARY not in endpoint["addresses"]]
        if there:
            endpoint = dict(piece["endpoints"][0], addresses=[CANARY])
            endpoint.pop("targetRef", None)
            endpoints.append(endpoint)
        patch = ["patch", "endpointslice", piece["metadata"]["name"], "-n", "shop", "--type", "merge", "-p"]
        self.kubectl(*patch, json.dumps({"endpoints": endpoints}))

    def knows_canary(self) -> bool:
        targets = [
            target for share in shares(self, WEB).values() for group in share["targets"] for target in group["targets"]
        ]
        return any(target.startswith(CANARY) for target in targets)

    def restart_apiserver(self, while_down=lambda: None) -> None:
        self.stop("kube-apiserver")
        while_down()
        self.start_apiserver()

    def store(self) -> Path:
        return self.folder / "apiserver/etcd"

    def save_store(self) -> None:
        """Saves the current state. The server is down during this time."""
        self.restart_apiserver(lambda: shutil.copytree(self.store(), self.folder / "saved"))

    def bring_back_store(self) -> None:
        shutil.rmtree(self.store())
        shutil.move(self.folder / "saved", self.store())
