"""Watches scrapes and answers during a fault."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field

from cases import owners
from world import FaultWorld

# A target without a sample for this many seconds counts as lost. Every target is scraped once a second.
WINDOW = 6


@dataclass
class Seen:
    """The observations during a fault."""

    lost: set = field(default_factory=set)
    statuses: Counter = field(default_factory=Counter)
    oldest: int = 0
    slowest: float = 0.0
    messages: Counter = field(default_factory=Counter)


def ask(world: FaultWorld, path: str = "/scrape_configs", timeout: float = 40) -> tuple[int, int | None, object]:
    """Status, `Age` and body. A failure must have a body that no collector reads as a list."""
    try:
        with urllib.request.urlopen(world.function + path, timeout=timeout) as answer:
            return answer.status, int(answer.headers.get("Age", "-1")), json.load(answer)
    except urllib.error.HTTPError as error:
        body = json.loads(error.read())
        assert list(body) == ["message"] and isinstance(body["message"], str), f"{path}: {error.code}: {body}"
        return error.code, None, body


class Watch:
    """While it is entered, watches who scrapes the `wanted` targets and what a collector gets."""

    def __init__(self, world: FaultWorld, wanted: set) -> None:
        self.world, self.wanted, self.seen = world, wanted, Seen()
        self.over = threading.Event()
        self.errors: list[BaseException] = []
        self.threads = [threading.Thread(target=self._repeat, args=[what]) for what in (self._ask, self._count)]

    def __enter__(self) -> Seen:
        for thread in self.threads:
            thread.start()
        return self.seen

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def _repeat(self, what) -> None:
        while not self.over.wait(0.5):
            try:
                what()
            except BaseException as error:  # handed on by __exit__
                self.errors.append(error)
                return

    def _ask(self) -> None:
        began = time.monotonic()
        status, age, body = ask(self.world)
        self.seen.slowest = max(self.seen.slowest, time.monotonic() - began)
        self.seen.statuses[status] += 1
        if status == 200:
            assert body, "an empty list of jobs"
            self.seen.oldest = max(self.seen.oldest, age or 0)
        else:
            self.seen.messages[body["message"]] += 1

    def _count(self) -> None:
        self.seen.lost |= self.wanted - owners(self.world, WINDOW).keys()
