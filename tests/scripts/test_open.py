"""scripts/open: what it sends to the gateway, and which requests it refuses."""

import base64
import contextlib
import hashlib
import hmac
import http.client
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock
import urllib.parse

from loading import ROOT, script, serving

opening = script("open")

PAGE = b"<!doctype html><p>the pages</p>"


def token(number, lifetime=3600):
    """A token in the form of a service account token. The number makes it distinct."""
    claims = json.dumps({"exp": int(time.time()) + lifetime, "jti": number}).encode()
    return f"head.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.signature"


def number(authorization):
    """The number of the token in this header."""
    payload = authorization.removeprefix("Bearer ").split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["jti"]


class Gateway:
    """Records what it gets. It refuses the tokens in `refused`."""

    def __init__(self):
        self.seen, self.refused, self.answer = [], set(), (200, {"Content-Type": "text/html"}, PAGE)

    def __call__(self, path, headers):
        self.seen.append((path, dict(headers)))
        if headers["Authorization"] in self.refused:
            return 401, {"Content-Type": "application/json"}, b'{"message":"Unauthorized"}'
        return self.answer


@contextlib.contextmanager
def proxied(prefix="", tokens=None):
    """The gateway, the port of the proxy, and the commands that it ran."""
    gateway, commands = Gateway(), []
    tokens = iter(tokens or [token(1)])

    def run(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, next(tokens) + "\n", "")

    with serving(gateway) as url, unittest.mock.patch.object(opening.subprocess, "run", run):
        made = opening.Tokens("ops/viewer", "target-allocator", "prod")
        server = opening.serve(opening.Allocator(opening.parsed(url + prefix), made), 0)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield gateway, server.server_port, commands
        finally:
            server.shutdown()
            server.server_close()


def ask(port, path="/", method="GET", headers=None, host=None):
    """Status, headers and body of a request to the proxy."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or f"127.0.0.1:{port}")
    for name, value in (headers or {}).items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.headers, answer.read()
    connection.close()
    return found


class Open(unittest.TestCase):
    def test_a_request_has_the_token_and_the_answer_arrives(self):
        with proxied() as (gateway, port, commands):
            status, headers, body = ask(port, "/debug/jobs?q=a%2Fb", headers={"Accept": "text/html"})
            self.assertEqual((status, headers["Content-Type"], body), (200, "text/html", PAGE))
            [(path, sent)] = gateway.seen
            self.assertEqual(path, "/debug/jobs?q=a%2Fb")
            self.assertEqual(number(sent["Authorization"]), 1)
            self.assertEqual(sent["accept"], "text/html")
        wanted = "kubectl --context prod create token viewer --namespace ops --audience target-allocator"
        self.assertEqual(commands, [wanted.split()])

    def test_the_proxy_listens_on_loopback_only(self):
        with proxied() as (_, port, _):
            listening = pathlib.Path("/proc/net/tcp").read_text() + pathlib.Path("/proc/net/tcp6").read_text()
            local = [line.split()[1] for line in listening.splitlines() if line.split()[3] == "0A"]
            found = [address for address in local if address.endswith(f":{port:04X}")]
            self.assertEqual(found, [f"0100007F:{port:04X}"])

    def test_foreign_requests_never_reach_the_gateway(self):
        with proxied(prefix="/live") as (gateway, port, _):
            table = [
                ("another host", {"host": "evil.example"}, 403),
                ("another host with the port", {"host": f"evil.example:{port}"}, 403),
                ("a host that begins like loopback", {"host": f"127.0.0.1.evil.example:{port}"}, 403),
                ("no port", {"host": "127.0.0.1"}, 403),
                ("another port", {"host": f"127.0.0.1:{port + 1}"}, 403),
                ("two hosts", {"headers": {"Host": "evil.example"}}, 403),
                ("a page of another site", {"headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
                ("a page of another port", {"headers": {"Sec-Fetch-Site": "same-site"}}, 403),
                ("a URL in place of a path", {"path": "http://evil.example/live/"}, 400),
                ("a path outside of the prefix", {"path": "/other"}, 404),
                ("a path that begins like the prefix", {"path": "/lively"}, 404),
                ("POST", {"path": "/live/", "method": "POST"}, 405),
                ("PUT", {"path": "/live/", "method": "PUT"}, 405),
                ("DELETE", {"path": "/live/", "method": "DELETE"}, 405),
                ("OPTIONS", {"path": "/live/", "method": "OPTIONS"}, 405),
                ("CONNECT", {"path": "/live/", "method": "CONNECT"}, 405),
            ]
            for name, request, wanted in table:
                with self.subTest(name):
                    self.assertEqual(ask(port, **{"path": "/live/", **request})[0], wanted)
            self.assertEqual(gateway.seen, [])
            for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
                self.assertEqual(ask(port, "/live/jobs", host=host)[0], 200)
            self.assertEqual([path for path, _ in gateway.seen], ["/live/jobs"] * 2)

    def test_only_some_headers_pass(self):
        with proxied() as (gateway, port, _):
            gateway.answer = (
                200,
                {"Content-Type": "text/html", "Set-Cookie": "a=b", "Strict-Transport-Security": "max-age=9", "ETag": '"1"'},
                PAGE,
            )
            own = {"Cookie": "a=b", "Authorization": "Basic x", "Origin": "http://x", "If-None-Match": '"1"'}
            _, headers, _ = ask(port, headers=own)
            self.assertEqual(headers["ETag"], '"1"')
            for name in ("Set-Cookie", "Strict-Transport-Security", "Authorization"):
                self.assertIsNone(headers[name], name)
            [(_, sent)] = gateway.seen
            names = {name.lower() for name in sent}
            self.assertEqual(names, {"host", "accept-encoding", "connection", "authorization", "if-none-match"})
            self.assertNotIn("Basic", sent["Authorization"])

    def test_head_has_no_body(self):
        with proxied() as (_, port, _):
            status, headers, body = ask(port, method="HEAD")
            self.assertEqual((status, headers["Content-Length"], body), (200, str(len(PAGE)), b""))

    def test_a_redirect_is_not_followed(self):
        elsewhere = Gateway()
        with serving(elsewhere) as other, proxied() as (gateway, port, _):
            gateway.answer = (302, {"Location": f"{other}/"}, b"")
            status, headers, body = ask(port)
            self.assertEqual((status, headers["Location"]), (502, None))
            self.assertIn("redirect", json.loads(body)["message"])
        self.assertEqual(elsewhere.seen, [])

    def test_tokens_are_replaced_before_they_expire(self):
        with proxied(tokens=[token(1, opening.MARGIN - 1), token(2), token(3)]) as (gateway, port, commands):
            for _ in range(3):
                ask(port)
            numbers = [number(sent["Authorization"]) for _, sent in gateway.seen]
            self.assertEqual(numbers, [1, 2, 2])
            self.assertEqual(len(commands), 2)

    def test_a_refused_token_is_replaced_once(self):
        first, second = token(1), token(2)
        with proxied(tokens=[first, second, token(3)]) as (gateway, port, commands):
            gateway.refused = {f"Bearer {first}"}
            self.assertEqual(ask(port)[0], 200)
            gateway.refused |= {f"Bearer {second}"}
            self.assertEqual(ask(port)[0], 200)
            self.assertEqual(len(commands), 3)
        with proxied(tokens=[first, second]) as (gateway, port, commands):
            gateway.refused = {f"Bearer {first}", f"Bearer {second}"}
            self.assertEqual(ask(port)[0], 401)
            self.assertEqual(len(commands), 2)

    def test_an_allocator_that_does_not_answer_is_reported(self):
        made = unittest.mock.Mock(headers=lambda _: {})
        server = opening.serve(opening.Allocator(opening.parsed("http://127.0.0.1:1"), made), 0)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        status, _, body = ask(server.server_port)
        server.shutdown()
        server.server_close()
        self.assertEqual(status, 502)
        self.assertIn("the allocator does not answer", json.loads(body)["message"])


class Command(unittest.TestCase):
    """The script as a command, with a kubectl of the test."""

    def run_script(self, *arguments, kubectl="echo no such account >&2; exit 1", options=()):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "kubectl"
            program.write_text(f"#!/bin/sh\n{kubectl}\n")
            program.chmod(0o755)
            environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
            command = [sys.executable, *options, ROOT / "scripts/open", *arguments]
            return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    def test_mistakes_are_explained(self):
        account = ("--service-account", "ops/viewer")
        table = [
            ("no credentials", ["https://a"], "one of the arguments --service-account --sigv4 is required"),
            ("no TLS", [*account, "http://a.example"], "would send credentials without TLS"),
            ("no URL", [*account, "a.example"], "is not the URL of an allocator"),
            ("a user in the URL", [*account, "https://u@a.example"], "is not the URL of an allocator"),
            ("no namespace", ["--service-account", "viewer", "https://a"], "write NAMESPACE/NAME"),
            ("kubectl fails", [*account, "https://a"], "kubectl cannot make a token: no such account"),
        ]
        for name, arguments, message in table:
            with self.subTest(name):
                done = self.run_script(*arguments)
                self.assertEqual(done.returncode, 2)
                self.assertIn(message, done.stderr)
        done = self.run_script(*account, "https://a", kubectl="echo something else")
        self.assertIn("kubectl did not print a service account token", done.stderr)

    def test_sigv4_without_botocore_is_explained(self):
        # -S leaves out all packages besides the standard library.
        done = self.run_script("--sigv4", "https://a", options=["-S"])
        self.assertEqual(done.returncode, 2)
        self.assertIn("SigV4 needs botocore", done.stderr)


KEY, SECRET = "AKIDEXAMPLE", "an example of a secret key"
# No file and no variable of this machine gives other credentials or a region.
OWN = {
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


def signed(path, query, sent, region, service):
    """The signature that AWS computes for this request, by its description of Signature Version 4."""
    date, names = sent["X-Amz-Date"], "host;x-amz-date"
    canonical = [
        "GET",
        # Every service except S3 encodes the path a second time.
        urllib.parse.quote(path, safe="/~"),
        "&".join(sorted(query.split("&"))),
        f"host:{sent['Host']}",
        f"x-amz-date:{date}",
        "",
        names,
        hashlib.sha256(b"").hexdigest(),
    ]
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256("\n".join(canonical).encode()).hexdigest()])
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={signature}"


@unittest.skipUnless(importlib.util.find_spec("botocore"), "scripts/test --peers runs this with botocore")
class SigV4(unittest.TestCase):
    def test_the_gateway_can_verify_the_signature(self):
        with unittest.mock.patch.dict(os.environ, OWN, clear=True), serving(gateway := Gateway()) as url:
            made = opening.Signatures("abc.execute-api.eu-central-1.amazonaws.com", None)
            server = opening.serve(opening.Allocator(opening.parsed(f"{url}/live"), made), 0)
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            path, query = "/live/jobs/serviceMonitor%2Fshop%2Fweb%2F0/targets", "collector_id=a%2Fb&a=1"
            self.assertEqual(ask(server.server_port, f"{path}?{query}")[0], 200)
            server.shutdown()
            server.server_close()
        [(asked, sent)] = gateway.seen
        self.assertEqual(asked, f"{path}?{query}")
        self.assertEqual(sent["Authorization"], signed(path, query, sent, "eu-central-1", "execute-api"))

    def test_the_service_and_the_region_come_from_the_host(self):
        table = [
            ("abc.execute-api.eu-central-1.amazonaws.com", None, "execute-api", "eu-central-1"),
            ("abc.lambda-url.us-east-1.on.aws", None, "lambda", "us-east-1"),
            ("allocator.example.com", "eu-west-1", "execute-api", "eu-west-1"),
        ]
        with unittest.mock.patch.dict(os.environ, OWN, clear=True):
            for host, region, service, wanted in table:
                made = opening.Signatures(host, region)
                self.assertEqual((made.service, made.region), (service, wanted))
            with self.assertRaisesRegex(opening.Failure, "set --region"):
                opening.Signatures("allocator.example.com", None)


if __name__ == "__main__":
    unittest.main()
