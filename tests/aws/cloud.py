"""AWS as an EKS cluster and its reader see it, in one process of the tool `aws`.

    cloud.py FOLDER

IAM and STS come from moto. This process adds the parts of STS that moto does not have: TLS under the name of STS, the
check of presigned signatures, answers in JSON, and a proxy that leads its clients to this STS. The EKS API knows the
clusters of FOLDER/clusters.json: name → endpoint, certificate authority, public. FOLDER/sts.jsonl gets the URL and the
result of every request to STS.

    cloud.py --token CLUSTER REGION TIME

prints the output of `aws eks get-token` at this time, with the credentials of the environment.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from socket import create_connection
from urllib.parse import parse_qsl, quote, urlsplit

REGION, ACCOUNT = "eu-central-1", "123456789012"
STS = f"sts.{REGION}.amazonaws.com"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def answer(self, status: int, body: dict | bytes, **headers: str) -> None:
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def serve(handler: type, context: ssl.SSLContext | None = None) -> int:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def signature(secret: str, query: dict[str, str], headers: dict[str, str]) -> str:
    """The expected signature of a presigned GET of `/`."""
    _, date, region, service, ending = query["X-Amz-Credential"].split("/")
    signed = query["X-Amz-SignedHeaders"]
    escaped = sorted((quote(n, "-_.~"), quote(v, "-_.~")) for n, v in query.items() if n != "X-Amz-Signature")
    request = [
        "GET",
        "/",
        "&".join(f"{name}={value}" for name, value in escaped),
        *(f"{name}:{headers.get(name, '').strip()}" for name in signed.split(";")),
        "",
        signed,
        hashlib.sha256(b"").hexdigest(),
    ]
    key = b"AWS4" + secret.encode()
    for part in (date, region, service, ending):
        key = hmac.digest(key, part.encode(), "sha256")
    scope = f"{date}/{region}/{service}/{ending}"
    hashed = hashlib.sha256("\n".join(request).encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", query["X-Amz-Date"], scope, hashed])
    return hmac.digest(key, text.encode(), "sha256").hex()


def secret_of(key: str) -> str | None:
    from moto.iam.models import iam_backends
    from moto.sts.models import sts_backends

    keys = [*iam_backends[ACCOUNT]["aws"].access_keys.values()]
    keys += [role for account in sts_backends.values() for backend in account.values() for role in backend.assumed_roles]
    return next((one.secret_access_key for one in keys if one.access_key_id == key), None)


def sts(moto: tuple[str, int], folder: Path) -> type:
    """STS for the authenticator of the cluster, which sends URLs that clients signed."""

    def ask(handler: Handler) -> tuple[int, dict]:
        query = dict(parse_qsl(urlsplit(handler.path).query))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        secret = secret_of(query["X-Amz-Credential"].split("/")[0])
        if secret is None:
            return 403, {"Error": {"Code": "InvalidClientTokenId"}}
        if signature(secret, query, headers) != query["X-Amz-Signature"]:
            return 403, {"Error": {"Code": "SignatureDoesNotMatch"}}
        connection = http.client.HTTPConnection(*moto, timeout=10)
        # moto looks for the service and the key only in a header.
        credential = f"AWS4-HMAC-SHA256 Credential={query['X-Amz-Credential']}, SignedHeaders=host, Signature=checked"
        connection.request("GET", handler.path, headers={"Host": STS, "Authorization": credential})
        response = connection.getresponse()
        text = response.read().decode()
        found = {name: re.search(f"<{name}>(.*)</{name}>", text) for name in ("Account", "Arn", "UserId")}
        result = {name: match[1] if match else None for name, match in found.items()}
        return response.status, {"GetCallerIdentityResponse": {"GetCallerIdentityResult": result}}

    class Front(Handler):
        def do_GET(self) -> None:
            status, answer = ask(self)
            with open(folder / "sts.jsonl", "a") as log:
                log.write(json.dumps({"url": f"https://{STS}{self.path}", "status": status, "answer": answer}) + "\n")
            self.answer(status, answer)

    return Front


def eks(folder: Path) -> type:
    class Eks(Handler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/clusters/")
            cluster = json.loads((folder / "clusters.json").read_text()).get(name)
            if not cluster:
                message = {"message": f"No cluster found for name: {name}."}
                return self.answer(404, message, x_amzn_ErrorType="ResourceNotFoundException")
            return self.answer(
                200,
                {
                    "cluster": {
                        "name": name,
                        "status": "ACTIVE",
                        "endpoint": cluster["endpoint"],
                        "certificateAuthority": {"data": cluster["authority"]},
                        "resourcesVpcConfig": {"endpointPublicAccess": cluster["public"]},
                    }
                },
            )

    return Eks


def proxy(front: int) -> int:
    """A proxy whose connections all lead to STS."""

    class Connect(BaseRequestHandler):
        def handle(self) -> None:
            reader = self.request.makefile("rb")
            while reader.readline().strip():
                pass
            with create_connection(("127.0.0.1", front)) as upstream:
                self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                thread = threading.Thread(target=pipe, args=(upstream, self.request))
                thread.start()
                pipe(self.request, upstream)
                thread.join()

    def pipe(source: object, target: object) -> None:
        try:
            while piece := source.recv(65536):
                target.sendall(piece)
            target.shutdown(1)
        except OSError:
            pass

    ThreadingTCPServer.daemon_threads = True
    server = ThreadingTCPServer(("127.0.0.1", 0), Connect)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def certificate(folder: Path) -> ssl.SSLContext:
    certificate, key = folder / "sts.crt", folder / "sts.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={STS}"]
        + ["-addext", f"subjectAltName=DNS:{STS}", "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def main(folder: Path) -> None:
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    moto = server.get_host_and_port()
    os.environ["AWS_ACCESS_KEY_ID"] = os.environ["AWS_SECRET_ACCESS_KEY"] = "test"
    iam = boto3.client("iam", region_name=REGION, endpoint_url="http://{}:{}".format(*moto))
    iam.create_user(UserName="function")
    key = iam.create_access_key(UserName="function")["AccessKey"]
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    roles = {}
    for role in ("target-allocator", "stranger"):
        roles[role] = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    front = serve(sts(moto, folder), certificate(folder))
    ready = {
        "moto": "http://{}:{}".format(*moto),
        "eks": f"http://127.0.0.1:{serve(eks(folder))}",
        "proxy": f"http://127.0.0.1:{proxy(front)}",
        "authority": str(folder / "sts.crt"),
        "key": key["AccessKeyId"],
        "secret": key["SecretAccessKey"],
        "roles": roles,
    }
    print("ready", json.dumps(ready), flush=True)
    threading.Event().wait()


def token(cluster: str, region: str, time: str) -> None:
    from awscli.clidriver import main as aws
    from freezegun import freeze_time

    sys.argv = ["aws", "eks", "get-token", "--cluster-name", cluster, "--region", region, "--output", "json"]
    with freeze_time(time):
        sys.exit(aws())


if __name__ == "__main__":
    if sys.argv[1] == "--token":
        token(*sys.argv[2:])
    main(Path(sys.argv[1]))
