"""What a token may request, with tokens of the real API server behind the gateway."""

import base64
import json
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parts import World

ACCOUNT, AUDIENCE = "otel-collector", "target-allocator"
WEB = "serviceMonitor%2Fshop%2Fweb%2F0"


def prepare(world: "World") -> None:
    """Creates the service accounts, and makes the issuer public, as on EKS."""
    for account in (ACCOUNT, "grafana"):
        world.kubectl("create", "serviceaccount", account, "-n", "monitoring")
    role = ["clusterrolebinding", "issuer", "--clusterrole=system:service-account-issuer-discovery"]
    world.kubectl("create", *role, "--group=system:unauthenticated")


def make(world: "World", account: str = ACCOUNT, pod: str | None = None, audience: str = AUDIENCE) -> str:
    bound = ["--bound-object-kind", "Pod", "--bound-object-name", pod] if pod else []
    return world.kubectl("create", "token", account, "-n", "monitoring", "--audience", audience, *bound).strip()


def write(world: "World", pod: str) -> None:
    """Replaces the file of a projected token, like the kubelet."""
    path = world.token_file(pod)
    fresh = path.with_suffix(".new")
    fresh.write_text(make(world, pod=pod))
    fresh.replace(path)


def ask(world: "World", path: str, token: str | None = None) -> tuple[int, object]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(world.gateway + path, headers=headers), timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def access(world: "World") -> str:
    """A collector's token gives access to its own share. No token, another's token and another's share do not."""
    own, alone = make(world, pod="otel-collector-0"), make(world)
    grafana, other = make(world, account="grafana"), make(world, pod="otel-collector-0", audience="other")
    forged = ".".join([*own.split(".")[:2], base64.urlsafe_b64encode(b"x" * 256).decode().rstrip("=")])
    share = f"/jobs/{WEB}/targets?collector_id=otel-collector-"
    table = [
        ("no token", "/scrape_configs", None, 401),
        ("another audience", "/scrape_configs", other, 401),
        ("a forged signature", "/scrape_configs", forged, 401),
        ("another account", "/scrape_configs", grafana, 403),
        ("another account", f"{share}0", grafana, 403),
        ("a token that is no pod's", f"{share}0", alone, 403),
        ("a token that is no pod's", "/scrape_configs", alone, 200),
        ("another pod's share", f"{share}1", own, 403),
        ("its own share", f"{share}0", own, 200),
        ("its own scrape configs", "/scrape_configs", own, 200),
    ]
    for name, path, token, wanted in table:
        status, body = ask(world, path, token)
        assert status == wanted, f"{name}: {status} for {path}: {str(body)[:300]}"
        if wanted != 200:
            assert list(body) == ["message"] and isinstance(body["message"], str), f"{name}: {body}"
    _, implied = ask(world, f"/jobs/{WEB}/targets", own)
    _, named = ask(world, f"{share}0", own)
    assert implied == named, "without a collector_id the share is another"
    _, configs = ask(world, "/scrape_configs", own)
    assert configs["serviceMonitor/payments/fraud/0"]["basic_auth"]["password"] != "<secret>", "no credentials"
    return f"{len(table)} requests, each answered as it should be"


def rotation(world: "World") -> str:
    """Running collectors continue with new tokens after their old tokens expired."""
    from cases import check_owners, expected
    from parts import COLLECTORS, eventually

    wanted = expected(world)
    # Tokens have times in whole seconds.
    time.sleep(1.1)
    issued = int(time.time())
    for pod in COLLECTORS:
        write(world, pod)
    world.tokens_valid_since(issued)

    def all_are_asked_with_new_ones() -> None:
        lately = [seen for seen in world.seen() if seen["at"] > time.time() - 5]
        refused = [seen for seen in lately if seen["status"] != 200]
        assert lately and not refused, f"{len(refused)} of {len(lately)} refused: {refused[:2]}"
        for path in ("/scrape_configs", "/targets"):
            assert any(seen["path"].endswith(path) for seen in lately), f"nobody asks for {path}"
        assert all(seen["issued"] >= issued for seen in lately), "an old token is let through"

    eventually("the collectors come with their new tokens", all_are_asked_with_new_ones)
    eventually("every target is scraped", lambda: check_owners(world, wanted))
    refused = sum(seen["status"] == 401 for seen in world.seen() if seen["at"] > issued)
    return f"{len(wanted)} scrapes go on, {refused} requests with old tokens were refused meanwhile"


def secrets(world: "World") -> str:
    """A changed password reaches running collectors, and through them the exporters."""
    from canaries import MARK
    from cases import WINDOW
    from parts import eventually

    secret = world.kubectl("get", "secret", "fraud-scrape", "-n", "payments", "-o", "json")["data"]

    def sent(password: bytes) -> None:
        wanted = "Basic " + base64.b64encode(base64.b64decode(secret["username"]) + b":" + password).decode()
        series = world.series("exporter_request_info", WINDOW)
        found = {one["attributes"].get("authorization", "") for one in series}
        assert wanted in found, f"{wanted} is not among {sorted(found)}"

    before = base64.b64decode(secret["password"])
    sent(before)
    after = f"rotated-{time.time_ns()}-{MARK}".encode()
    patch = json.dumps({"data": {"password": base64.b64encode(after).decode()}})
    started = time.monotonic()
    world.kubectl("patch", "secret", "fraud-scrape", "-n", "payments", "--type", "merge", "-p", patch)
    eventually("the new password is sent", lambda: sent(after))
    return f"the new password was sent {time.monotonic() - started:.0f} s after it changed"
