"""A function that gets requests only from the test."""

import json
import os
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass

from parts import PEERS, ROOT, eventually, free_port, get
from world import CANARY, WEB, FaultWorld

SHARES = f"/jobs/{urllib.request.quote(WEB, safe='')}/targets"


@dataclass
class Answer:
    status: int
    age: int | None
    body: dict
    took: float

    @property
    def message(self) -> str:
        return self.body.get("message", "")


class Quiet:
    """Only requests of the test start its environments. With `jobs`, an answer must have these jobs."""

    def __init__(
        self,
        world: FaultWorld,
        environments: int = 1,
        timeout: float = 30,
        command: tuple = (),
        jobs: set | None = None,
        **settings: str,
    ) -> None:
        self.jobs = jobs
        self.log = world.folder / f"quiet-{time.time_ns()}.log"
        variables = {
            "PATH": os.environ["PATH"],
            "CLUSTER": f"kubeconfig:{world.folder / 'function.kubeconfig'}",
            "ALLOCATOR_CONFIG_FILE": str(ROOT / "examples/shop/targetallocator.yaml"),
            "SNAPSHOT_TTL": "2",
            "SNAPSHOT_MAX_STALE": "600",
            "SECRETS": "inline",
        }
        given = [f"{name}={value}" for name, value in (variables | settings).items() if value]
        address = ["-listen", f"127.0.0.1:{free_port()}", "-environments", environments, "-timeout", f"{timeout}s"]
        runs = [*command, world.binary]
        self.name = f"quiet-{address[1].rpartition(':')[2]}"
        self.process = world.start(
            self.name, "env", "-i", *given, PEERS / "lambda", *address, "-log", self.log, "--", *runs
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().split()[1]

    def ask(self, path: str = "/scrape_configs") -> Answer:
        """An answer: complete, or a failure that no collector reads as a list."""
        began = time.monotonic()
        try:
            with urllib.request.urlopen(self.url + path, timeout=60) as answer:
                status, age, body = answer.status, int(answer.headers["Age"]), json.load(answer)
        except urllib.error.HTTPError as error:
            status, age, body = error.code, None, json.loads(error.read())
            assert list(body) == ["message"] and isinstance(body["message"], str), f"{path}: {status}: {body}"
        answer = Answer(status, age, body, time.monotonic() - began)
        if self.jobs is not None and status == 200 and path == "/scrape_configs":
            assert set(body) == self.jobs, f"another set of jobs: {sorted(set(body) ^ self.jobs)}"
        return answer

    def good(self) -> Answer:
        answer = self.ask()
        assert answer.status == 200, f"{answer.status}: {answer.body}"
        return answer

    def knows_canary(self) -> bool:
        return CANARY in json.dumps(self.ask(SHARES).body)

    def living(self) -> list[dict]:
        return get(f"{self.url}/-/environments")

    def failures(self) -> list[str]:
        lines = [
            json.loads(line)
            for line in self.log.read_text().splitlines()
            if line.startswith("{") and line.endswith("}")
        ]
        return [line["error"] for line in lines if line.get("message") == "the snapshot could not be refreshed"]


@contextmanager
def quiet(world: FaultWorld, **options):
    """Runs a function with the jobs of the world's function. Repairs all faults at the end."""
    # In an earlier case, the API server may have been down for longer than a snapshot serves.
    jobs = eventually("the world's function answers", lambda: set(get(f"{world.function}/scrape_configs")))
    function = Quiet(world, jobs=jobs, **options)
    try:
        yield function
    finally:
        world.stop(function.name)
        world.cure()
