"""A real Prometheus scrapes `/metrics` with the config and the rules of examples/monitoring."""

import json
import shutil
import subprocess
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from parts import World

# The values of the example that are replaced by the values of this world.
HOST = "abc123.execute-api.eu-central-1.amazonaws.com"
TOKEN = "/var/run/secrets/target-allocator/token"
# The name of a job in `config.scrape_configs` can be any text.
HOSTILE = 'quote " backslash \\ line\nend } 7'


def example(world: "World") -> str:
    """The config of the example, with the values of this world and short intervals."""
    from parts import COLLECTORS, ROOT

    folder = ROOT / "examples/monitoring"
    shutil.copy(folder / "alerts.yaml", world.folder)
    config = (folder / "prometheus.yaml").read_text()
    replaced = {
        HOST: world.gateway.removeprefix("http://"),
        TOKEN: str(world.token_file(COLLECTORS[0])),
        "scheme: https": "scheme: http",
        "scrape_interval: 60s": "scrape_interval: 1s",
    }
    for example, value in replaced.items():
        assert config.count(example) == 1, f"prometheus.yaml does not have {example} once"
        config = config.replace(example, value)
    return "global: {evaluation_interval: 1s}\n" + config


def only(found: list) -> dict:
    """The one element of a list, which Prometheus fills after a moment."""
    assert len(found) == 1, f"one expected: {found}"
    return found[0]


def vector(url: str, query: str, *labels: str) -> dict:
    """The values of an instant query, by these labels."""
    from parts import get

    result = get(f"{url}/api/v1/query?{urlencode({'query': query})}")["data"]["result"]
    values = {tuple(one["metric"].get(label, "") for label in labels): float(one["value"][1]) for one in result}
    assert len(values) == len(result), f"{query}: {labels} do not distinguish the series"
    return values


def served(world: "World") -> tuple[dict, dict]:
    """The number of targets of each job and of each collector, as `/jobs` and the lists say."""
    from parts import get

    of_jobs, of_collectors = {}, {}
    for job in get(f"{world.function}/jobs"):
        for collector, share in get(f"{world.function}/jobs/{quote(job, safe='')}/targets").items():
            count = len(share["targets"])
            of_jobs[job,] = of_jobs.get((job,), 0) + count
            of_collectors[collector,] = of_collectors.get((collector,), 0) + count
    return of_jobs, of_collectors


def text(world: "World") -> str:
    with urllib.request.urlopen(f"{world.function}/metrics", timeout=20) as answer:
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8", answer.headers
        return answer.read().decode()


def scraped(world: "World") -> str:
    """The target is up, and its metrics are what the other routes say, also for a job with a hostile name."""
    from parts import ROOT, eventually, get

    own = (ROOT / "examples/shop/targetallocator.yaml").read_text()
    job = {"job_name": HOSTILE, "static_configs": [{"targets": ["192.0.2.1:80", "192.0.2.2:80"]}]}
    config = world.folder / "with-a-hostile-job.yaml"
    config.write_text(f"{own}config: {json.dumps({'scrape_configs': [job]})}\n")
    world.stop("function")
    try:
        world.start_function(ALLOCATOR_CONFIG_FILE=str(config))
        of_jobs, of_collectors = served(world)
        assert of_jobs[HOSTILE,] == 2, of_jobs
        names = {line.split()[2] for line in text(world).splitlines() if line.startswith("# TYPE")}
        prometheus = world.start_prometheus(example(world))

        def same() -> None:
            target = only(get(f"{prometheus}/api/v1/targets?state=active")["data"]["activeTargets"])
            assert (target["health"], target["lastError"]) == ("up", ""), target
            assert vector(prometheus, 'up{job="target-allocator"}') == {(): 1.0}
            found = vector(prometheus, "opentelemetry_allocator_targets", "job_name")
            # Jobs without targets are not in /jobs.
            found = {job: count for job, count in found.items() if count or job in of_jobs}
            assert found == of_jobs, f"{found} of {of_jobs}"
            found = vector(prometheus, "opentelemetry_allocator_targets_per_collector", "collector_name")
            assert found == of_collectors, f"{found} of {of_collectors}"
            assert vector(prometheus, "opentelemetry_allocator_collectors_allocatable") == {(): 3.0}
            series = {name for name, in vector(prometheus, 'count by (__name__) ({otel_scope_name=~".*",job="target-allocator"})', "__name__")}
            assert names <= series, f"not scraped: {names - series}"

        eventually("Prometheus has the metrics", same)

        def evaluated() -> int:
            group = only(get(f"{prometheus}/api/v1/rules")["data"]["groups"])
            bad = [(rule["name"], rule["health"], rule.get("lastError")) for rule in group["rules"] if rule["health"] != "ok"]
            assert not bad, f"{bad}"
            return len(group["rules"])

        rules = eventually("Prometheus evaluates the rules", evaluated)
        query = urlencode({"match_target": '{job="target-allocator"}'})
        metadata = get(f"{prometheus}/api/v1/targets/metadata?{query}")["data"]
        assert {one["metric"] for one in metadata} == names and {one["type"] for one in metadata} == {"gauge"}, metadata
        world.stop("prometheus")
    finally:
        world.stop("function")
        world.start_function()
    return f"{len(names)} metrics of {len(of_jobs)} jobs and {len(of_collectors)} collectors, and {rules} rules evaluated"


def alerts(world: "World") -> str:
    """promtool accepts the config and the rules, their tests pass, and it has nothing to say about the metrics."""
    from parts import PEERS, ROOT

    folder = ROOT / "examples/monitoring"
    commands = [
        ["check", "config", "--syntax-only", "prometheus.yaml"],
        ["check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml"],
        ["test", "rules", "alerts_test.yaml"],
        ["check", "metrics"],
    ]
    for command in commands:
        given = text(world) if command == ["check", "metrics"] else None
        done = subprocess.run([PEERS / "promtool", *command], cwd=folder, input=given, capture_output=True, text=True)
        assert done.returncode == 0, f"promtool {' '.join(command)}: {done.stdout}{done.stderr}"
    rules = (folder / "alerts.yaml").read_text().count("- alert:")
    tests = (folder / "alerts_test.yaml").read_text()
    untested = rules - tests.count("exp_alerts:")
    assert untested == 0, f"{untested} of {rules} rules have no test in which they fire"
    return f"{rules} rules pass their tests"
