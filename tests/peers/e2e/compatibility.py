"""Other versions of the peers: the receiver of older collectors, and the operator's allocator during a move."""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from parts import World

# The protocols that docs/compatibility.md and docs/troubleshooting.md name for older collectors.
OLD_PROTOCOLS = "[OpenMetricsText1.0.0, OpenMetricsText0.0.1, PrometheusText0.0.4]"


def old_receiver(world: "World") -> str:
    """Collectors before 0.120 refuse the default protocols, and accept the protocols of the document."""
    from cases import as_before, expected
    from parts import PEERS, ROOT, get

    wanted = expected(world)
    document = (ROOT / "docs/compatibility.md").read_text()
    assert OLD_PROTOCOLS in document, f"docs/compatibility.md does not name {OLD_PROTOCOLS}"

    def read() -> str:
        answer = world.folder / "scrape_configs.json"
        answer.write_text(json.dumps(get(f"{world.function}/scrape_configs")))
        done = subprocess.run([PEERS / "receiver-v0.118", answer], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    default = read()
    assert default.startswith("refused all jobs: ") and "unknown scrape protocol PrometheusText1.0.0" in default, default
    config = world.folder / "old-receiver.yaml"
    shop = (ROOT / "examples/shop/targetallocator.yaml").read_text()
    config.write_text(f"{shop}  scrape_protocols: {OLD_PROTOCOLS}\n")
    try:
        world.stop("function")
        world.start_function(ALLOCATOR_CONFIG_FILE=str(config))
        jobs = len(get(f"{world.function}/scrape_configs"))
        found = read()
        assert found == f"accepted {jobs} jobs", found
    finally:
        as_before(world, wanted)
    return f"refused with the default protocols, {jobs} jobs accepted with those of the document"


@contextlib.contextmanager
def operator(folder) -> Iterator[str]:
    """Serves a recording of the operator's allocator, as the allocator served it."""
    configs = json.loads((folder / "scrape_configs.json").read_text())
    targets = json.loads((folder / "targets.json").read_text())
    for shares in targets.values():
        # This entry only names the collectors.
        shares.pop("all")

    def answer(path: str, collector: str | None) -> object:
        match [unquote(part) for part in path.split("/")[1:]]:
            case ["scrape_configs"]:
                return configs
            case ["jobs"]:
                return {job: {"_link": ""} for job, shares in targets.items() if any(shares.values())}
            case ["jobs", job, "targets"] if collector is None:
                return {name: {"targets": groups} for name, groups in targets.get(job, {}).items()}
            case ["jobs", job, "targets"]:
                return targets.get(job, {}).get(collector, [])
        raise AssertionError(f"no such route: {path}")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            body = json.dumps(answer(url.path, parse_qs(url.query).get("collector_id", [None])[0])).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def compare(world: "World") -> str:
    """scripts/compare finds no difference between the operator's answers for the shop and ours, and names a changed strategy."""
    from cases import as_before, expected
    from parts import ROOT

    wanted = expected(world)
    recording = ROOT / "tests/golden/shop"
    # The objects as they were when the operator's allocator was recorded, with their UIDs.
    manifests = {"CLUSTER": f"manifests:{recording}/cluster.json", "SECRETS": "omit"}
    other = world.folder / "other-strategy.yaml"
    other.write_text((recording / "targetallocator.yaml").read_text().replace("consistent-hashing", "least-weighted"))

    def run(url: str) -> subprocess.CompletedProcess:
        command = [sys.executable, ROOT / "scripts/compare", url, world.function]
        return subprocess.run(command, capture_output=True, text=True)

    try:
        with operator(recording) as url:
            world.stop("function")
            world.start_function(**manifests, ALLOCATOR_CONFIG_FILE=str(recording / "targetallocator.yaml"))
            equal = run(url)
            assert equal.returncode == 0, f"{equal.returncode}: {equal.stdout[-2000:]}{equal.stderr}"
            world.stop("function")
            world.start_function(**manifests, ALLOCATOR_CONFIG_FILE=str(other))
            moved = run(url)
            last = moved.stdout.splitlines()[-1:]
            assert moved.returncode == 1 and "assigned elsewhere" in moved.stdout, f"{moved.returncode}: {last}{moved.stderr}"
            kinds = {line.split(":")[0].strip() for line in moved.stdout.splitlines() if line.startswith("  ")}
            assert kinds == {"assigned elsewhere"}, f"other differences: {kinds}"
    finally:
        as_before(world, wanted)
    return f"{equal.stdout.strip()}; another strategy: {last[0].partition(':')[0]}"
