"""scripts/compare: what it prints for two allocators that differ, and its exit status."""

import contextlib
import copy
import io
import json
import tempfile
import unittest
import urllib.parse

from loading import ROOT, script, serving

compare = script("compare")

WEB = "serviceMonitor/shop/web/0"
REDIS = "serviceMonitor/shop/redis/0"


def world():
    """Scrape configs, and the targets of each job by collector."""
    rules = [{"action": "keep", "source_labels": ["__meta_kubernetes_service_name"], "regex": "web"}]
    basic = {"username": "u", "password": "<secret>"}
    return {
        "configs": {
            WEB: {"job_name": WEB, "scrape_interval": "30s", "relabel_configs": rules, "basic_auth": basic},
            REDIS: {"job_name": REDIS, "scrape_interval": "30s"},
        },
        "targets": {
            WEB: {
                "a": [group("10.0.0.1:80", __meta_kubernetes_service_name="web", __meta_kubernetes_pod_ip="10.0.0.1")],
                "b": [group("10.0.0.2:80", __meta_kubernetes_service_name="web")],
            },
            REDIS: {"a": [group("10.0.0.3:80", shard="0"), group("10.0.0.3:80", shard="1")], "b": []},
        },
    }


def group(address, **labels):
    return {"targets": [address], "labels": {"__address__": address, **labels}}


def answers(world):
    """Answers as both allocators give them."""

    def answer(path, _):
        path, _, query = path.partition("?")
        match [urllib.parse.unquote(part) for part in path.split("/")[1:]]:
            case ["scrape_configs"]:
                found = world["configs"]
            case ["jobs"]:
                found = {job: {"_link": ""} for job, shares in world["targets"].items() if any(shares.values())}
            case ["jobs", job, "targets"] if query:
                [name] = urllib.parse.parse_qs(query)["collector_id"]
                found = world["targets"].get(job, {}).get(name, [])
            case ["jobs", job, "targets"]:
                shares = world["targets"].get(job, {})
                found = {name: {"_link": "", "targets": groups} for name, groups in shares.items()}
            case _:
                return 404, {}, b'{"message":"no route"}'
        return 200, {"Content-Type": "application/json"}, json.dumps(found).encode()

    return answer


def run(*arguments):
    """The exit status, and what the script prints."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = compare.main([*arguments])
    return status, out.getvalue(), err.getvalue()


def compared(old, new, *options):
    with serving(answers(old)) as before, serving(answers(new)) as after:
        return run(*options, before, after)


def change(path, value):
    """A change of a world: sets what is at a path, or removes it."""

    def apply(world):
        *parents, last = path
        for name in parents:
            world = world[name]
        if value is None:
            del world[last]
        else:
            world[last] = value

    return apply


def moved(world):
    shares = world["targets"][WEB]
    shares["b"].append(shares["a"].pop())


def swapped(world):
    shares = world["targets"][WEB]
    shares["a"], shares["b"] = shares["b"], shares["a"]


# A name, a change of the new world, and the lines that must appear.
DIFFERENT = [
    ("a job is missing", change(["configs", REDIS], None), [f"job {REDIS}", "scrape config: NEW has no scrape config"]),
    ("a job is new", change(["configs", "more"], {}), ["job more", "scrape config: OLD has no scrape config"]),
    (
        "a job has no targets",
        change(["targets", REDIS, "a"], []),
        ["list of jobs: only OLD has the job in /jobs", 'missing: 10.0.0.3:80 {"shard": "1"} of a is missing in NEW'],
    ),
    ("a target is missing", change(["targets", WEB, "b"], []), ["missing: 10.0.0.2:80 of b is missing in NEW"]),
    (
        "a target is new",
        lambda world: world["targets"][REDIS]["b"].append(group("10.0.0.9:80")),
        ["extra: 10.0.0.9:80 of b is only in NEW"],
    ),
    (
        "a target is served twice",
        lambda world: world["targets"][WEB]["b"].append(world["targets"][WEB]["b"][0]),
        ["extra: 10.0.0.2:80 of b is only in NEW"],
    ),
    ("a target has moved", moved, ["assigned elsewhere: 10.0.0.1:80: a in OLD, b in NEW"]),
    ("two targets have moved", swapped, ["(assigned elsewhere 2)"]),
    (
        "a label that the target keeps",
        change(["targets", REDIS, "a", 0, "labels", "shard"], "7"),
        ['extra: 10.0.0.3:80 {"shard": "7"} of a is only in NEW'],
    ),
    (
        "a discovery label",
        change(["targets", WEB, "a", 0, "labels", "__meta_kubernetes_service_name"], "other"),
        ['label: __meta_kubernetes_service_name of 10.0.0.1:80: "web" in OLD, "other" in NEW'],
    ),
    (
        "a field",
        change(["configs", WEB, "scrape_interval"], "1m"),
        ['scrape config: scrape_interval: "30s" in OLD, "1m" in NEW'],
    ),
    (
        "a field of a rule",
        change(["configs", WEB, "relabel_configs", 0, "regex"], "cart"),
        ['scrape config: relabel_configs[0].regex: "web" in OLD, "cart" in NEW'],
    ),
    (
        "a field that is gone",
        change(["configs", WEB, "scrape_interval"], None),
        ['scrape config: scrape_interval: "30s" in OLD, absent in NEW'],
    ),
]

ROTATED = {"action": "replace", "target_label": "__tmp_credentials_version", "regex": "v1"}
# Changes of the new world that are no differences.
EQUAL = [
    ("nothing", lambda world: None),
    ("a discovery label is not served", change(["targets", WEB, "a", 0, "labels", "__meta_kubernetes_pod_ip"], None)),
    ("a masked password is shown", change(["configs", WEB, "basic_auth", "password"], "hunter2")),
    ("the rule of rotated credentials", lambda world: world["configs"][WEB]["relabel_configs"].insert(0, ROTATED)),
    ("it is the only rule", lambda world: world["configs"][REDIS].update(relabel_configs=[ROTATED])),
    ("the order of a share", lambda world: world["targets"][REDIS]["a"].reverse()),
]


class Compare(unittest.TestCase):
    def test_differences_are_printed(self):
        for name, apply, lines in DIFFERENT:
            with self.subTest(name):
                new = copy.deepcopy(world())
                apply(new)
                status, out, err = compared(world(), new)
                self.assertEqual((status, err), (1, ""), out)
                for line in lines:
                    self.assertIn(line, out)

    def test_these_are_no_differences(self):
        for name, apply in EQUAL:
            with self.subTest(name):
                new = copy.deepcopy(world())
                apply(new)
                status, out, err = compared(world(), new)
                self.assertEqual((status, err), (0, ""), out)
                self.assertEqual(
                    out, "equal: OLD has 2 jobs and 4 targets, NEW has 2 jobs and 4 targets, for 2 collectors\n"
                )

    def test_credentials_are_never_printed(self):
        old, new = world(), world()
        old["configs"][WEB]["basic_auth"]["password"] = "hunter1"
        new["configs"][WEB]["basic_auth"]["password"] = "hunter2"
        new["configs"][WEB]["authorization"] = {"type": "Bearer", "credentials": "hunter3"}
        new["configs"][WEB]["http_headers"] = {"X-Key": {"secrets": ["hunter4"]}}
        new["configs"][WEB]["proxy_url"] = "http://me:hunter5@proxy:3128"
        status, out, _ = compared(old, new)
        self.assertEqual(status, 1)
        for field in ("basic_auth.password", "authorization", "http_headers", "proxy_url"):
            self.assertIn(f"scrape config: {field}: ", out)
        self.assertNotIn("hunter", out)

    def test_a_collector_that_only_one_side_knows_is_asked_for(self):
        new = copy.deepcopy(world())
        new["targets"][WEB]["c"] = new["targets"][WEB].pop("b")
        status, out, _ = compared(world(), new)
        self.assertEqual(status, 1)
        self.assertIn("assigned elsewhere: 10.0.0.2:80: b in OLD, c in NEW", out)

    def test_lines_are_limited(self):
        new = copy.deepcopy(world())
        new["targets"][REDIS]["a"] += [group(f"10.1.0.{at}:80") for at in range(9)]
        _, out, _ = compared(world(), new, "--limit", "2")
        self.assertEqual(out.count(" is only in NEW"), 2)
        self.assertIn("  extra: 7 more\n", out)

    def test_faults_have_status_2(self):
        def broken(status, body, headers=None):
            return lambda *_: (status, headers or {}, body)

        table = [
            ("a failure", broken(503, b'{"message":"no snapshot"}'), 'status 503: {"message":"no snapshot"}'),
            ("a page", broken(200, b"<html>"), "the answer is not JSON"),
            ("a list", broken(200, b"[]"), "/scrape_configs: the answer is not a JSON object"),
            ("a redirect", broken(302, b"", {"Location": "http://127.0.0.1:1/"}), "status 302"),
            ("no jobs", broken(200, b"{}"), "OLD has no targets"),
        ]
        for name, answer, message in table:
            with self.subTest(name), serving(answer) as old, serving(answers(world())) as new:
                status, out, err = run(old, new)
                self.assertEqual((status, out), (2, ""))
                self.assertIn(message, err)
        for name, url in [("no scheme", "localhost:8080"), ("a query", "http://127.0.0.1/?a=b"), ("a file", "file:///etc")]:
            with self.subTest(name):
                status, _, err = run(url, "http://127.0.0.1:1")
                self.assertEqual(status, 2)
                self.assertIn("is not the URL of an allocator", err)

    def test_a_token_goes_only_to_its_allocator(self):
        seen = {"old": set(), "new": set()}

        def recording(name):
            def answer(path, headers):
                seen[name].add(headers["Authorization"])
                return answers(world())(path, headers)

            return answer

        with tempfile.NamedTemporaryFile("w") as token, serving(recording("old")) as old, serving(recording("new")) as new:
            token.write("abc\n")
            token.flush()
            self.assertEqual(run("--new-token", token.name, old, new)[0], 0)
        self.assertEqual(seen, {"old": {None}, "new": {"Bearer abc"}})

    def test_the_recording_of_the_operator_equals_itself_and_not_another_strategy(self):
        golden = ROOT / "tests/golden/shop"
        shares = json.loads((golden / "targets.json").read_text())
        old = {
            "configs": json.loads((golden / "scrape_configs.json").read_text()),
            # The entry `all` only names the collectors.
            "targets": {job: {name: groups for name, groups in of_job.items() if name != "all"} for job, of_job in shares.items()},
        }
        self.assertEqual(compared(old, old)[0], 0)
        new = copy.deepcopy(old)
        for of_job in new["targets"].values():
            names = sorted(of_job)
            of_job.update(dict(zip(names, [of_job[name] for name in names[1:] + names[:1]])))
        status, out, _ = compared(old, new)
        self.assertEqual(status, 1)
        count = sum(len(groups) for of_job in old["targets"].values() for groups in of_job.values())
        self.assertIn(f"assigned elsewhere {count})", out)


if __name__ == "__main__":
    unittest.main()
