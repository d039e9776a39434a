"""Marks all credentials, and checks after all cases that none leaked."""

import base64
import json
import re
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import tokens

if TYPE_CHECKING:
    from parts import World

# Requests of an anonymous caller. The check also covers all output of all cases.
PATHS = [
    "/",
    "/scrape_configs",
    "/merged/scrape_configs",
    "/jobs",
    "/metrics",
    "/debug/report",
    "/debug/jobs",
    "/debug/targets",
    "/debug/scrape_configs",
    "/explain?monitor=ServiceMonitor/payments/fraud",
    "/explain?monitor=ServiceMonitor/payments/payments",
    "/explain?collector=otel-collector-0",
    "/nothing",
]
# The processes that write the output of functions.
LOGS = ("function", "quiet")
# Requests of a collector whose answers contain credentials.
OPEN = ("/scrape_configs", "/merged/scrape_configs")
MARK = "canary-of-this-world"
TOKEN = re.compile(r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.")


def mark(world: "World") -> None:
    """Marks all values in the Secrets of the shop, except user names, which are not secret."""
    for secret in world.kubectl("get", "secrets", "-A", "-o", "json")["items"]:
        values = {name: base64.b64decode(value) for name, value in secret.get("data", {}).items() if name != "username"}
        marked = {name: base64.b64encode(value + f"-{MARK}".encode()).decode() for name, value in values.items()}
        patch = json.dumps({"data": marked})
        name, namespace = secret["metadata"]["name"], secret["metadata"]["namespace"]
        world.kubectl("patch", "secret", name, "-n", namespace, "--type", "merge", "-p", patch)


def credentials(world: "World") -> set[str]:
    """The mark, all current and former values of Secrets, and the tokens of the API server."""
    found = {MARK, "example-payments-token", "example-fraud-password"}
    for secret in world.kubectl("get", "secrets", "-A", "-o", "json")["items"]:
        found.update(base64.b64decode(value).decode(errors="replace").strip() for value in (secret.get("data") or {}).values())
    found.update(line.split(",")[0] for line in (world.folder / "apiserver/tokens.csv").read_text().splitlines())
    found.update(path.read_text().strip() for path in world.folder.glob("*.token"))
    encoded = {base64.b64encode(value.encode()).decode() for value in found}
    return {value for value in found | encoded if len(value) >= 10}


def ask(url: str, accept: str, token: str | None) -> str:
    headers = {"Accept": accept} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()


def answers(world: "World") -> dict[str, str]:
    """Answers to callers that may not have credentials: pages, reports, explanations, failures."""
    share = f"/jobs/{tokens.WEB}/targets?collector_id=otel-collector-1"
    own = tokens.make(world, pod="otel-collector-0")
    askers = [
        ("nobody known", world.function, None, [*PATHS, share]),
        ("without a token", world.gateway, None, [*PATHS, share]),
        ("another account", world.gateway, tokens.make(world, account="grafana"), [*PATHS, share]),
        ("a collector", world.gateway, own, [path for path in [*PATHS, share] if path not in OPEN]),
    ]
    for path in OPEN:
        assert MARK in ask(world.gateway + path, "application/json", own), f"the mark is not in {path} for a collector"
    return {
        f"{path} as {accept} for {asker}": ask(base + path, accept, token)
        for asker, base, token, paths in askers
        for path in paths
        for accept in ("application/json", "text/html")
    }


def find(world: "World") -> str:
    """No credential is in the output of functions, in metrics, or in answers to callers that may not have it."""
    wanted = credentials(world)
    logs = {log.name: log.read_text(errors="replace") for log in world.folder.glob("*.log") if log.name.startswith(LOGS)}
    texts = logs | answers(world)
    for where, text in texts.items():
        shown = [value for value in wanted if value in text]
        assert not shown, f"{len(shown)} credentials are in {where}"
        assert not TOKEN.search(text), f"a token is in {where}"
    lines = [line for line in logs["function.log"].splitlines() if line.startswith("{") and line.endswith("}")]
    assert any("_aws" in json.loads(line) for line in lines), "no metrics are in the log of the function"
    return f"none of {len(wanted)} credentials in {len(texts) - len(logs)} answers, {len(logs)} logs and {len(lines)} lines"
