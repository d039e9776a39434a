"""Tests the whole way from the function to an EKS cluster, with real parts.

1. The function asks the EKS API for the endpoint of the cluster, and signs a token.
2. It reads a real API server with this token.
3. The API server gives the token to the real aws-iam-authenticator.
4. The authenticator asks STS for the owner of the token, and maps this role to a group.
5. examples/rbac.yaml gives this group its rights.

Only the services of AWS are emulated, see cloud.py.
"""

import base64
import contextlib
import json
import os
import pathlib
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from fronts import EVENTS, event_front
from processes import ROOT, emulator, free_port, running, tool

PEERS = pathlib.Path(os.environ.get("PEERS_CACHE", ROOT / "target/peers"))
REGION = "eu-central-1"
ADVICE = "make an access entry for the function's role"

# Jobs that together discover every kind of object.
SCRAPE_CONFIGS = [
    {
        "job_name": role,
        "kubernetes_sd_configs": [
            {"role": role, "attach_metadata": {"node": True, "namespace": True} if role == "endpoints" else {}}
        ],
    }
    for role in ("endpoints", "endpointslice", "ingress", "node", "service")
] + [
    {
        "job_name": "pods",
        "kubernetes_sd_configs": [{"role": "pod", "attach_metadata": {"deployment": True, "cronjob": True}}],
        "relabel_configs": [
            {"source_labels": [f"__meta_kubernetes_pod_{owner}_name"], "target_label": owner}
            for owner in ("deployment", "cronjob")
        ],
    }
]


def allocator_config():
    """The objects of the example, and more objects to discover."""
    config = (ROOT / "examples/shop/targetallocator.yaml").read_text()
    more = "".join(f"  {kind}_selector: {{}}\n" for kind in ("pod_monitor", "probe", "scrape_config") if f"  {kind}_selector" not in config)
    return config.replace("prometheus_cr:\n", f"prometheus_cr:\n{more}") + "\n" + json.dumps(
        {"scrape_configs": SCRAPE_CONFIGS}
    ).join(["config: ", "\n"])


def large_lists():
    """Two objects of each kind. They make its list so long that the function watches it in place of listing it again."""
    container = {"name": "c", "image": "i"}
    pod = {"containers": [container], "restartPolicy": "Never"}
    template = {"metadata": {"labels": {"app": "large"}}, "spec": pod}
    selector = {"matchLabels": {"app": "large"}}
    backend = {"service": {"name": "large", "port": {"number": 80}}}
    kinds = [
        ("v1", "Namespace", {}),
        ("v1", "Node", {}),
        ("v1", "Pod", {"spec": pod}),
        ("v1", "Service", {"spec": {"ports": [{"port": 80}]}}),
        ("v1", "Endpoints", {}),
        ("discovery.k8s.io/v1", "EndpointSlice", {"addressType": "IPv4", "endpoints": []}),
        ("networking.k8s.io/v1", "Ingress", {"spec": {"defaultBackend": backend}}),
        (
            "apps/v1",
            "ReplicaSet",
            {"spec": {"selector": selector, "template": {**template, "spec": {**pod, "restartPolicy": "Always"}}}},
        ),
        ("batch/v1", "Job", {"spec": {"template": {"spec": pod}}}),
        ("monitoring.coreos.com/v1", "ServiceMonitor", {"spec": {"selector": selector, "endpoints": []}}),
        ("monitoring.coreos.com/v1", "PodMonitor", {"spec": {"selector": selector, "podMetricsEndpoints": []}}),
        ("monitoring.coreos.com/v1", "Probe", {"spec": {"prober": {"url": "prober"}}}),
        ("monitoring.coreos.com/v1alpha1", "ScrapeConfig", {"spec": {}}),
    ]
    return [
        {
            "apiVersion": version,
            "kind": kind,
            "metadata": {
                "name": f"large-{number}",
                **({} if kind in ("Namespace", "Node") else {"namespace": "shop"}),
                "annotations": {"filler": "x" * 150_000},
            },
            **rest,
        }
        for version, kind, rest in kinds
        for number in (0, 1)
    ]


class Chain:
    """Everything that runs beside the function."""

    def __init__(self, folder):
        self.folder = folder
        self._parts = contextlib.ExitStack()

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._parts.close()
            raise
        return self

    def __exit__(self, *_):
        self._parts.close()

    def _start(self):
        python = tool("aws") / "python"
        self.aws = json.loads(self._serve(python, ROOT / "tests/aws/cloud.py", self.folder))
        webhook = self._authenticator()
        port = free_port()
        audit = self.folder / "audit-policy.yaml"
        audit.write_text(json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}))
        server = self.folder / "apiserver"
        self.url = self._serve(
            PEERS / "kube-apiserver", "-data", server, "-port", port, "--",
            f"--authentication-token-webhook-config-file={webhook}",
            "--authentication-token-webhook-cache-ttl=0s",
            f"--audit-policy-file={audit}",
            f"--audit-log-path={self.folder / 'audit.jsonl'}",
        )  # fmt: skip
        self.authority = (server / "apiserver.crt").read_bytes()
        self.admin = server / "admin.kubeconfig"
        large = self.folder / "large.yaml"
        large.write_text("\n---\n".join(json.dumps(one) for one in large_lists()))
        for what in (PEERS / "crds", ROOT / "examples/rbac.yaml", ROOT / "examples/shop/cluster", large):
            subprocess.run([PEERS / "load", "-kubeconfig", self.admin, what], check=True, stdout=subprocess.DEVNULL)
        cluster = {"endpoint": self.url, "authority": base64.b64encode(self.authority).decode(), "public": True}
        # `other` is this cluster under a name that its authenticator does not know.
        clusters = {"shop": cluster, "other": cluster, "inside": {**cluster, "endpoint": "https://127.0.0.1:1", "public": False}}
        (self.folder / "clusters.json").write_text(json.dumps(clusters))

    def _serve(self, *command):
        """Starts a server that prints `ready` and a value when it serves."""
        log = open(self.folder / f"{pathlib.Path(command[0]).name}.log", "wb")
        process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=log, text=True)
        self._parts.callback(process.wait, 30)
        self._parts.callback(process.terminate)
        for line in process.stdout:
            if line.startswith("ready "):
                return line.removeprefix("ready ").strip()
        raise RuntimeError(f"{command[0]} does not start")

    def _authenticator(self):
        """Maps the role of the function to the group of examples/rbac.yaml, like the access entry of the template."""
        config, webhook, port = self.folder / "authenticator.yaml", self.folder / "webhook.kubeconfig", free_port()
        mapping = {"rolearn": self.aws["roles"]["target-allocator"], "username": "target-allocator", "groups": ["target-allocator"]}
        config.write_text(json.dumps({"clusterID": "shop", "server": {"mapRoles": [mapping]}}))
        command = [
            str(PEERS / "aws-iam-authenticator"), "server", "-c", str(config), "--state-dir", str(self.folder),
            "--generate-kubeconfig", str(webhook), "--address", "127.0.0.1", "--port", str(port),
            "--backend-mode", "MountedFile",
        ]  # fmt: skip
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "HTTPS_PROXY": self.aws["proxy"],
            "SSL_CERT_FILE": self.aws["authority"],
        }
        self._parts.enter_context(running(command, self.folder / "authenticator.log", port, env=environment))
        return webhook

    # Actions and observations.

    def kubectl(self, *arguments, stdin=None):
        command = ["kubectl", "--kubeconfig", str(self.admin), *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def settings(self, cluster, **more):
        return {
            "CLUSTER": cluster,
            "ALLOCATOR_CONFIG": allocator_config(),
            "SNAPSHOT_TTL": "0",
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL_EKS": self.aws["eks"],
            "AWS_ENDPOINT_URL_STS": self.aws["moto"],
            "AWS_ACCESS_KEY_ID": self.aws["key"],
            "AWS_SECRET_ACCESS_KEY": self.aws["secret"],
            **more,
        }

    def cluster(self, name="shop", role="target-allocator"):
        return f"eks:{name}?role={self.aws['roles'][role]}"

    def asked_of_sts(self):
        return [json.loads(line) for line in (self.folder / "sts.jsonl").read_text().splitlines()]

    def used(self):
        """The function's requests to the API server, as group, resource and verb. No other request may be refused."""
        found = set()
        for line in (self.folder / "audit.jsonl").read_text().splitlines():
            event = json.loads(line)
            if event["user"].get("username") == "target-allocator" and event["stage"] == "ResponseComplete":
                decision = event["annotations"]["authorization.k8s.io/decision"]
                assert decision == "allow", f"refused: {event['verb']} {event['requestURI']}"
                reference = event["objectRef"]
                found.add((reference.get("apiGroup", ""), reference["resource"], event["verb"]))
        return found

    def granted(self):
        role = json.loads(self.kubectl("get", "clusterrole", "target-allocator", "-o", "json"))
        return {
            (group, resource, verb)
            for rule in role["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }

    def token_status(self, token):
        """The answer of the API server to a token."""
        import ssl

        context = ssl.create_default_context(cadata=self.authority.decode())
        request = urllib.request.Request(f"{self.url}/api/v1/pods?limit=1", headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, context=context, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def cli_token(self, cluster, when, **credentials):
        command = [tool("aws") / "python", ROOT / "tests/aws/cloud.py", "--token", cluster, REGION, when]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **credentials}
        printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return json.loads(printed.stdout)["status"]["token"]

    def own_credentials(self):
        return {"AWS_ACCESS_KEY_ID": self.aws["key"], "AWS_SECRET_ACCESS_KEY": self.aws["secret"]}


def url_of(token):
    encoded = token.removeprefix("k8s-aws-v1.")
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()


@contextlib.contextmanager
def function(chain, bootstrap, cluster, **more):
    with emulator(bootstrap, chain.folder, chain.settings(cluster, **more)) as invoke:
        yield event_front(invoke, EVENTS["http-api"])


def fails(chain, bootstrap, cluster, *texts):
    """The message of the function names the cause, and does not show the token."""
    with function(chain, bootstrap, cluster) as ask:
        answer = ask("/scrape_configs")
        message = answer.json().get("message", "")
        assert answer.status == 503, f"status {answer.status}: {answer.body[:300]!r}"
        for text in texts:
            assert text in message, f"{text!r} is not in {message!r}"
        assert "k8s-aws-v1" not in message, "a token in a message"
        return message


def reads(chain, bootstrap):
    """The function assumes a role of another account. The token shows this role, and it reads what its group may read."""
    with function(chain, bootstrap, chain.cluster()) as ask:
        answer = ask("/jobs")
        assert answer.status == 200, f"{answer.status}: {answer.body[:500]!r}"
        jobs = answer.json()
        wanted = {config["job_name"] for config in SCRAPE_CONFIGS} - {"ingress"} | {"serviceMonitor/shop/web/0"}
        assert wanted <= set(jobs), f"no targets of {wanted - set(jobs)}"
        # Twice, because the function watches from the second refresh on.
        chain.kubectl("annotate", "pod", "-n", "monitoring", "otel-collector-0", "--overwrite", f"at={time.time()}")
        time.sleep(1)
        assert ask("/jobs").status == 200
    asked = chain.asked_of_sts()[-1]
    arn = asked["answer"]["GetCallerIdentityResponse"]["GetCallerIdentityResult"]["Arn"]
    assert arn.endswith(":assumed-role/target-allocator/target-allocator"), arn
    return asked["url"]


def exactly(chain):
    """examples/rbac.yaml grants exactly the rights that the function uses."""
    used, granted = chain.used(), chain.granted()
    assert not used - granted, f"used and not granted: {sorted(used - granted)}"
    assert not granted - used, f"granted and not used: {sorted(granted - used)}"


def missing_verb(chain, bootstrap):
    role = chain.kubectl("get", "clusterrole", "target-allocator", "-o", "json")
    changed = json.loads(role)
    changed["rules"][0]["resources"].remove("pods")
    try:
        chain.kubectl("replace", "-f", "-", stdin=json.dumps(changed))
        # The authorizer of the API server learns of the change by a watch.
        time.sleep(1)
        return fails(
            chain, bootstrap, chain.cluster(),
            "cannot list pods: 403 Forbidden", 'User "target-allocator" cannot list resource "pods"',
            "apply the ClusterRole target-allocator of examples/rbac.yaml",
        )  # fmt: skip
    finally:
        restored = json.loads(role)
        restored["metadata"].pop("resourceVersion")
        chain.kubectl("replace", "-f", "-", stdin=json.dumps(restored))


def equals_the_cli(chain, bootstrap):
    """With equal credentials and times, the function and the AWS CLI make equal tokens, field by field."""
    with function(chain, bootstrap, "eks:shop") as ask:
        ask("/livez")
        ask("/jobs")
    own = chain.asked_of_sts()[-1]["url"]
    fields = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(own).query))
    when = re.sub(r"(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)", r"\1-\2-\3:\4:\5", fields["X-Amz-Date"])
    cli = url_of(chain.cli_token("shop", when, **chain.own_credentials()))
    theirs = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(cli).query))
    assert fields == theirs, f"{fields}, the CLI has {theirs}"
    assert own.split("?")[0] == cli.split("?")[0], f"{own}, the CLI has {cli}"


def expired(chain):
    """A token is refused fifteen minutes after it was signed. The test moves the clock of the CLI that signs it."""
    role = json.loads(
        subprocess.run(
            [tool("aws") / "python", "-c", ASSUME, chain.aws["moto"], chain.aws["roles"]["target-allocator"]],
            env={"PATH": os.environ["PATH"], "HOME": str(chain.folder), **chain.own_credentials()},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
    for age, wanted in ((0, 200), (13, 200), (16, 401)):
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60 * age))
        status = chain.token_status(chain.cli_token("shop", when, **role))
        assert status == wanted, f"a token of {age} minutes: {status}"
    assert "X-Amz-Date parameter is expired" in (chain.folder / "authenticator.log").read_text()


ASSUME = """
import boto3, json, sys
sts = boto3.client("sts", region_name="eu-central-1", endpoint_url=sys.argv[1])
found = sts.assume_role(RoleArn=sys.argv[2], RoleSessionName="test")["Credentials"]
names = {"AWS_ACCESS_KEY_ID": "AccessKeyId", "AWS_SECRET_ACCESS_KEY": "SecretAccessKey", "AWS_SESSION_TOKEN": "SessionToken"}
print(json.dumps({name: found[field] for name, field in names.items()}))
"""


def section(results, folder, bootstrap):
    subprocess.run([ROOT / "tests/peers/build", "kube-apiserver", "load", "crds", "aws-iam-authenticator"], check=True)
    folder = folder / "eks"
    folder.mkdir()
    with Chain(folder) as chain:
        cases = {
            "a role that is mapped to the group reads the cluster": lambda: reads(chain, bootstrap),
            "the ClusterRole grants exactly what is used": lambda: exactly(chain),
            "a verb that is missing": lambda: missing_verb(chain, bootstrap),
            "a token is the AWS CLI's": lambda: equals_the_cli(chain, bootstrap),
            "a token expires": lambda: expired(chain),
            "a role without an access entry": lambda: fails(
                chain, bootstrap, chain.cluster(role="stranger"), "401 Unauthorized", ADVICE
            ),
            "another cluster's name in the token": lambda: fails(
                chain, bootstrap, chain.cluster("other"), "401 Unauthorized", ADVICE, "check the cluster's name"
            ),
            "a cluster that is not there": lambda: fails(
                chain, bootstrap, "eks:nowhere", "there is no cluster of that name in the account and region"
            ),
            "a private endpoint": lambda: fails(
                chain, bootstrap, "eks:inside", "its endpoint is private: put the function into the cluster's VPC"
            ),
        }
        for name, case in cases.items():
            results.check(f"eks: {name}", case)
        log = (folder / "authenticator.log").read_text()
        for name, text in {"unmapped": "is not mapped", "of another cluster": "SignatureDoesNotMatch"}.items():
            results.check(f"eks: the authenticator saw the role {name}", mentions, log, text)


def mentions(log, text):
    assert text in log, f"{text!r} is not in {log[-2000:]}"
