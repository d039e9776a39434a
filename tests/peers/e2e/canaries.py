"""At the end of all cases: no credential of this world is where it should not be."""

import base64
import json
import re
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parts import World

# What somebody who is not known may ask, and whatever is written while all cases run.
PATHS = [
    "/",
    "/scrape_configs",
    "/merged/scrape_configs",
    "/jobs",
    "/debug/report",
    "/debug/jobs",
    "/debug/targets",
    "/debug/scrape_configs",
    "/explain?monitor=ServiceMonitor/payments/fraud",
    "/explain?monitor=ServiceMonitor/payments/payments",
    "/explain?collector=otel-collector-0",
    "/nothing",
]
TOKEN = re.compile(r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.")


def credentials(world: "World") -> set[str]:
    """All that secrets hold now, what they held before they changed, and the tokens of the API server."""
    found = {"example-payments-token", "example-fraud-password"}
    for secret in world.kubectl("get", "secrets", "-A", "-o", "json")["items"]:
        found.update(base64.b64decode(value).decode(errors="replace").strip() for value in (secret.get("data") or {}).values())
    found.update(line.split(",")[0] for line in (world.folder / "apiserver/tokens.csv").read_text().splitlines())
    found.update(path.read_text().strip() for path in world.folder.glob("*.token"))
    encoded = {base64.b64encode(value.encode()).decode() for value in found}
    return {value for value in found | encoded if len(value) >= 10}


def ask(world: "World", path: str, accept: str) -> str:
    request = urllib.request.Request(world.function + path, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()


def find(world: "World") -> str:
    """No credential is in the function's log, nor in what somebody is answered who is not known."""
    wanted = credentials(world)
    texts = {"the log": (world.folder / "function.log").read_text(errors="replace")}
    for path in PATHS:
        for accept in ("application/json", "text/html"):
            texts[f"{path} as {accept}"] = ask(world, path, accept)
    for where, text in texts.items():
        shown = [value for value in wanted if value in text]
        assert not shown, f"{len(shown)} credentials are in {where}"
        assert not TOKEN.search(text), f"a token is in {where}"
    lines = [line for line in texts["the log"].splitlines() if line.startswith("{")]
    assert lines and all(isinstance(json.loads(line), dict) for line in lines), "the log of the function is empty"
    return f"none of {len(wanted)} credentials in {len(texts) - 1} answers and {len(lines)} lines of log"
