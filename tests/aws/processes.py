"""The programs that the tests need. Each listens on loopback and logs to a file."""

import base64
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The output of sam build.
BUILT = ROOT / ".aws-sam/build/template.yaml"


def tool(name):
    """The folder of a tool's commands. Installs the tool if it is missing."""
    return pathlib.Path(subprocess.check_output([ROOT / "scripts/tool", name], text=True).strip())


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def running(command, log, port, **options):
    """Runs a program in its own process group, from the moment when it listens until the end of the block."""
    with open(log, "wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True, **options)
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} does not listen:\n{log.read_text(errors='replace')}")
            time.sleep(0.1)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def emulator(bootstrap, folder, settings):
    """Runs Lambda's Runtime Interface Emulator, and yields a function that invokes it."""
    # Only its place in the package tells where it is. Never run its --help: it
    # treats that as a command to serve.
    rie = next(tool("sam").parent.glob("lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-x86_64"))
    port, api_port = free_port(), free_port()
    command = [
        str(rie),
        "--log-level",
        "error",
        "--runtime-interface-emulator-address",
        f"127.0.0.1:{port}",
        "--runtime-api-address",
        f"127.0.0.1:{api_port}",
        str(bootstrap),
    ]
    environment = {"PATH": os.environ["PATH"], **settings}

    def invoke(event):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(event).encode())
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    # The files of the wheel are not executable.
    rie.chmod(0o755)
    with running(command, folder / "emulator.log", port, cwd=folder, env=environment):
        yield invoke


class Stacks:
    """Runs CloudFormation, Lambda and API Gateway of ministack. `sam deploy` uses them in place of AWS."""

    def __init__(self, port, folder):
        self.port = port
        self._folder = folder
        self._environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "0.5",
        }

    def _sam(self, *arguments):
        return subprocess.run(
            [tool("sam") / "sam", *arguments],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def deploy(self, stack, parameters):
        """Deploys the output of `sam build`. Returns the outputs of the stack, or fails with the message of sam."""
        file = self._folder / f"{stack}.yaml"
        file.write_text(json.dumps(parameters))  # JSON is YAML
        result = self._sam(
            "deploy",
            # sam looks for its config beside the template.
            *("--config-file", str(ROOT / "samconfig.toml")),
            *("--template-file", str(BUILT.with_name("ministack.yaml"))),
            *("--stack-name", stack, "--no-confirm-changeset", "--parameter-overrides", file.as_uri()),
        )
        if result.returncode != 0:
            raise RuntimeError(result.stdout[-3000:] + result.stderr[-3000:])
        listed = self._sam("list", "stack-outputs", "--stack-name", stack, "--output", "json")
        return {output["OutputKey"]: output["OutputValue"] for output in json.loads(listed.stdout)}


@contextlib.contextmanager
def stacks(folder, trusted):
    port = free_port()
    environment = {
        **os.environ,
        # By default it listens on every address, for MQTT too.
        "BIND_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",
        "GATEWAY_PORT": str(port),
        "TMPDIR": str(folder),
        "STATE_DIR": str(folder / "state"),
        "SSL_CERT_FILE": str(trusted),
    }
    command = [tool("sam") / "python", ROOT / "tests/aws/transform.py", "for-ministack", BUILT]
    subprocess.run([*command, BUILT.with_name("ministack.yaml")], check=True)
    python = str(tool("ministack") / "python")
    with running([python, "-m", "ministack"], folder / "ministack.log", port, cwd=folder, env=environment):
        yield Stacks(port, folder)


class Issuer:
    """An OIDC issuer like that of an EKS cluster: discovery, keys, and tokens for service accounts."""

    def __init__(self, folder):
        self._key = folder / "issuer.key"
        self.certificate = folder / "issuer.crt"
        _openssl("genrsa", "-out", str(self._key), "2048")
        _openssl(
            "req", "-x509", "-key", str(self._key), "-out", str(self.certificate), "-days", "2",
            "-subj", "/CN=issuer", "-addext", "subjectAltName=IP:127.0.0.1",
        )  # fmt: skip
        modulus = _openssl("rsa", "-in", str(self._key), "-noout", "-modulus").decode().strip().split("=")[1]
        self._jwk = {
            "kid": "key-1",
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "n": _base64(bytes.fromhex(modulus)),
            "e": "AQAB",
        }

        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                documents = {
                    "/id/SHOP/.well-known/openid-configuration": {
                        "issuer": issuer.url,
                        "jwks_uri": issuer.url + "/keys",
                    },
                    "/id/SHOP/keys": {"keys": [issuer._jwk]},
                }
                body = json.dumps(documents.get(self.path, {})).encode()
                self.send_response(200 if self.path in documents else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self._key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_port}/id/SHOP"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()

    def token(self, pod="otel-collector-0", **claims):
        """A token as the API server projects it into a pod. Arguments replace claims."""
        now = int(time.time())
        payload = {
            "iss": self.url,
            "aud": ["target-allocator"],
            "sub": "system:serviceaccount:monitoring:otel-collector",
            "iat": now - 60,
            "nbf": now - 60,
            "exp": now + 3600,
            "kubernetes.io": {
                "namespace": "monitoring",
                "pod": {"name": pod, "uid": "6f6f1a1e-3f0d-4a8f-9a52-2c1f35a8a001"},
                "serviceaccount": {"name": "otel-collector", "uid": "6f6f1a1e-3f0d-4a8f-9a52-2c1f35a8a002"},
            },
            **claims,
        }
        signed = ".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "key-1"}, payload))
        return signed + "." + _base64(_openssl("dgst", "-sha256", "-sign", str(self._key), input=signed.encode()))


def _openssl(*arguments, input=None):
    return subprocess.run(["openssl", *arguments], input=input, capture_output=True, check=True).stdout


def _base64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def newest_glibc(binary):
    """The newest version of glibc that a program needs, for example (2, 34)."""
    versions = re.findall(rb"GLIBC_(\d+)\.(\d+)", binary.read_bytes())
    return max((int(major), int(minor)) for major, minor in versions)
