"""Makes the metric of each alarm of template.yaml, and evaluates the alarm on it as CloudWatch does.

The function under Lambda's emulator makes its own metrics, answers and durations. Only the counts that Lambda alone
makes are numbers in this file: throttles, concurrency, and no invocations at all.
"""

import json
import math
import re
import shutil
import time

from fronts import EVENTS, event_front
from processes import ROOT, emulator
from templates import Stack

SHOP = {
    "CLUSTER": f"manifests:{ROOT}/examples/shop/cluster",
    "ALLOCATOR_CONFIG_FILE": f"{ROOT}/examples/shop/targetallocator.yaml",
}
GUARDED = {"Cluster": "eks:prod", "JwtIssuer": "https://oidc.example.com/id/A"}
# The function writes its metrics at most once in this many seconds.
INTERVAL = 10


# Evaluation.


def statistic(alarm_or_metric, values):
    """The value of a period, or None if it has no values."""
    if not values:
        return None
    name = alarm_or_metric.get("Statistic") or alarm_or_metric.get("Stat") or alarm_or_metric["ExtendedStatistic"]
    match name:
        case "Sum":
            return sum(values)
        case "Maximum":
            return max(values)
        case "Average":
            return sum(values) / len(values)
        case "p99":
            return sorted(values)[math.ceil(0.99 * len(values)) - 1]
    raise AssertionError(f"this test does not know the statistic {name}")


def read_by(alarm):
    """The metrics that an alarm reads."""
    return [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one] or [alarm]


def period_value(alarm, metrics, quota):
    """The value that the alarm compares. `metrics` has the values of a period by name of the metric."""
    if "Metrics" not in alarm:
        return statistic(alarm, metrics.get(alarm["MetricName"], []))
    names = {}
    for one in alarm["Metrics"]:
        if "MetricStat" in one:
            found = metrics.get(one["MetricStat"]["Metric"]["MetricName"], [])
            names[one["Id"]] = statistic(one["MetricStat"], found)
    [shown] = [one for one in alarm["Metrics"] if one.get("ReturnData", True)]
    expression = re.sub(r"SERVICE_QUOTA\(\w+\)", str(quota), shown["Expression"])
    assert re.fullmatch(r"[\w\s*/.]+", expression), expression
    if None in names.values():
        return None
    return eval(expression, {"__builtins__": {}}, names)


def fires(alarm, metrics, quota=10):
    """Whether the alarm fires if every period has these values."""
    value = period_value(alarm, metrics, quota)
    threshold = float(alarm["Threshold"])
    if value is None:
        breaches = alarm["TreatMissingData"] == "breaching"
    else:
        compare = {
            "GreaterThanThreshold": value > threshold,
            "LessThanThreshold": value < threshold,
        }
        breaches = compare[alarm["ComparisonOperator"]]
    assert 0 < alarm["DatapointsToAlarm"] <= alarm["EvaluationPeriods"]
    return breaches


# Metrics.


def embedded(text):
    """The values of all metrics in the embedded metric format of a log, by namespace, name and dimensions."""
    found = {}
    for line in text.splitlines():
        if not line.startswith('{"_aws"'):
            continue
        document = json.loads(line)
        for directive in document["_aws"]["CloudWatchMetrics"]:
            for dimensions in directive["Dimensions"]:
                for metric in directive["Metrics"]:
                    value = document[metric["Name"]]
                    values = value if isinstance(value, list) else [value]
                    # CloudWatch takes 100 values in a list.
                    assert len(values) <= 100, f"{metric['Name']} has {len(values)} values"
                    place = directive["Namespace"], metric["Name"], frozenset(dimensions)
                    found.setdefault(place, []).extend(values)
    return found


class Run:
    """A function under the emulator, and what its gateway and Lambda count."""

    def __init__(self, invoke, log):
        self.statuses, self.errors, self._log = [], [], log
        self._invoke = invoke
        self._ask = event_front(invoke, EVENTS["http-api"])

    def ask(self, path, times=1):
        for _ in range(times):
            answer = self._ask(path)
            self.statuses.append(answer.status)
            self.errors.append(1 if b'"invocation"' in answer.body else 0)
        return answer

    def crash(self):
        """An event that the function cannot read."""
        result = self._invoke({"no": "event"})
        assert "errorMessage" in result, result
        self.errors.append(1)

    def metrics(self):
        text = self._log.read_text(errors="replace")
        # The alarms on the function's own metrics have no dimension besides its name.
        found = embedded(text).items()
        own = {name: values for (_, name, dimensions), values in found if dimensions == {"FunctionName"}}
        return {
            **own,
            "Duration": [float(one) for one in re.findall(r"\tDuration: ([\d.]+) ms", text)],
            "Errors": self.errors,
            "Invocations": [1] * len(self.errors),
            "Count": [1] * len(self.statuses),
            "4xx": [1 if 400 <= status < 500 else 0 for status in self.statuses],
            "5xx": [1 if status >= 500 else 0 for status in self.statuses],
        }


def healthy(run, _folder):
    assert run.ask("/scrape_configs").status == 200
    run.ask("/readyz")


def no_answers(run, _folder):
    assert run.ask("/scrape_configs").status == 500


def refuses(run, _folder):
    assert run.ask("/scrape_configs", times=2).status == 401


def crashes(run, _folder):
    healthy(run, _folder)
    run.crash()


def cannot_read(run, folder):
    healthy(run, folder)
    shutil.rmtree(folder / "cluster")
    time.sleep(INTERVAL + 1)
    answer = run.ask("/scrape_configs")
    assert answer.status == 200, f"the last snapshot does not serve: {answer.body[:300]}"


def config(**changes):
    """The config of the shop with other keys, as JSON."""
    monitors = {"enabled": True, "service_monitor_selector": {}, "pod_monitor_selector": {}}
    collectors = {"matchLabels": {"app.kubernetes.io/name": "otel-collector"}}
    base = {"collector_namespace": "monitoring", "collector_selector": collectors, "prometheus_cr": monitors}
    return {"CLUSTER": SHOP["CLUSTER"], "ALLOCATOR_CONFIG": json.dumps(base | changes)}


SELECTED = {"enabled": True, "service_monitor_selector": {}, "deny_namespaces": ["payments"]}
# Each alarm: the settings and the requests that make it fire, and parameters of the stack.
FAULTS = {
    "ErrorsAlarm": (SHOP, crashes, {}),
    "ServerErrorsAlarm": ({"CLUSTER": SHOP["CLUSTER"], "ALLOCATOR_CONFIG": "{colector_namespace"}, no_answers, {}),
    "GatewayErrorsAlarm": (SHOP, lambda run, folder: (healthy(run, folder), gateway_failure(run)), {}),
    "ClientErrorsAlarm": (config(allowed_subjects=["nobody"]), refuses, {}),
    "StaleAlarm": ({**SHOP, "CLUSTER": "a copy", "SNAPSHOT_TTL": "1"}, cannot_read, {"StaleAfter": "5"}),
    "SlowAlarm": (SHOP, healthy, {"SlowAfter": "1"}),
    "UnassignedAlarm": (config(collector_selector={"matchLabels": {"app": "nobody"}}), healthy, {}),
    # The shop has a monitor whose Secret is missing.
    "SkippedAlarm": (SHOP, healthy, {}),
}
# The counts that only Lambda makes: those that fire, and those that do not.
COUNTS = {
    "ThrottlesAlarm": ({"Throttles": [3]}, {"Throttles": [0]}, {}),
    "ConcurrencyAlarm": ({"ResourceCount": [9]}, {"ResourceCount": [7]}, {}),
    "ConcurrencyAlarm of reserved concurrency": (
        {"ConcurrentExecutions": [17]},
        {"ConcurrentExecutions": [15]},
        {"ReservedConcurrency": "20"},
    ),
    "NoRequestsAlarm": ({}, {"Invocations": [1, 1]}, {}),
}


def gateway_failure(run):
    """A request that the gateway answers itself, because the function gives no answer."""
    run.crash()
    run.statuses.append(502)


def alarms(**parameters):
    return Stack(**{**GUARDED, **parameters}).of_type("AWS::CloudWatch::Alarm")


def fault(folder, bootstrap, name):
    settings, act, parameters = FAULTS[name]
    copy = folder / name
    shutil.copytree(ROOT / "examples/shop/cluster", copy / "cluster")
    if settings["CLUSTER"] == "a copy":
        settings = {**settings, "CLUSTER": f"manifests:{copy}/cluster"}
    with emulator(bootstrap, copy, settings) as invoke:
        run = Run(invoke, copy / "emulator.log")
        act(run, copy)
        metrics = run.metrics()
    alarm = alarms(**parameters)[name]
    for metric in read_by(alarm):
        if metric["Namespace"] == "TargetAllocator":
            assert metric["MetricName"] in metrics, f"the function does not write {metric}: {sorted(metrics)}"
            assert {one["Name"] for one in metric["Dimensions"]} == {"FunctionName"}, metric
    assert fires(alarm, metrics), f"does not fire: {alarm}\n{metrics}"


def quiet(folder, bootstrap):
    copy = folder / "quiet"
    copy.mkdir()
    with emulator(bootstrap, copy, config(prometheus_cr=SELECTED)) as invoke:
        run = Run(invoke, copy / "emulator.log")
        healthy(run, copy)
        metrics = {**run.metrics(), "Throttles": [0], "ResourceCount": [1]}
    fired = {name for name, alarm in alarms().items() if fires(alarm, metrics)}
    assert not fired, f"{fired}: {metrics}"


def count(name):
    bad, good, parameters = COUNTS[name]
    alarm = alarms(**parameters)[name.split(" ")[0]]
    assert fires(alarm, bad), f"does not fire: {alarm}"
    assert not fires(alarm, good), f"fires: {alarm}"


def described():
    runbook = (ROOT / "docs/runbook.md").read_text()
    rows = set(re.findall(r"^## (\w+Alarm):", runbook, re.MULTILINE))
    tested = set(FAULTS) | {name.split(" ")[0] for name in COUNTS}
    for name, found in {"runbook": rows, "tests": tested}.items():
        assert set(alarms()) == found, f"only in one of template and {name}: {set(alarms()) ^ found}"


def priced():
    """CloudWatch charges for each metric that an alarm reads."""
    read = sum(len(read_by(alarm)) for alarm in alarms().values())
    [priced] = re.findall(r"^ALARMS = (\d+)$", (ROOT / "scripts/cost").read_text(), re.MULTILINE)
    assert read == int(priced), f"the alarms read {read} metrics, and scripts/cost counts {priced}"


def section(results, folder, bootstrap):
    results.check("alarms: each is in the runbook and in this test", described)
    results.check("alarms: scripts/cost counts them", priced)
    results.check("alarms: none fires without a fault", quiet, folder, bootstrap)
    for name in FAULTS:
        results.check(f"alarms: {name}", fault, folder, bootstrap, name)
    for name in COUNTS:
        results.check(f"alarms: {name}", count, name)
