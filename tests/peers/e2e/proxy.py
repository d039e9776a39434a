"""A proxy between the function and the API server that can be told to answer otherwise.

    proxy.py APISERVER_FOLDER PORT FAULT_FILE [CERTIFICATE_FOLDER]

It passes requests on to the API server at PORT, unless FAULT_FILE names something else to do, and where a resource
stands behind it, for that alone: `403`, `403 pods`. The names of WRONG_LISTS replace each list by something else, with
status 200. With a folder of apiserver.crt and apiserver.key it speaks TLS.
It is a process of its own: the tests' own work must not slow it down.
"""

import http.client
import json
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from serving import Answer, serve

JSON = {"Content-Type": "application/json"}


def status(code: int, message: str) -> bytes:
    return json.dumps({"kind": "Status", "status": "Failure", "message": message, "code": code}).encode()


def enveloped(kind: str, message: bytes) -> bytes:
    """A short protobuf message in an envelope."""

    def field(number: int, value: bytes) -> bytes:
        return bytes([number << 3 | 2, len(value)]) + value

    return b"k8s\0" + field(1, field(1, b"v1") + field(2, kind.encode())) + field(2, message)


def unreadable(items: list) -> list:
    """The same objects, whose metadata can be read as far as the name."""
    return [item | {"metadata": item["metadata"] | {"labels": 7}, "spec": 7} for item in items]


def first_of_two(body: dict) -> dict:
    """A page behind which another one follows: the proxy answers it with a Status."""
    return body | {"metadata": body["metadata"] | {"continue": NEXT}}


NEXT = "the-next-page"

# What stands in place of a list, made of the true one.
WRONG_LISTS = {
    "list-status": lambda _: {"kind": "Status", "apiVersion": "v1", "metadata": {}, "message": "no", "code": 500},
    "list-null": lambda _: None,
    "list-empty-object": lambda _: {},
    "list-of-another-kind": lambda body: body | {"kind": "ConfigMapList", "apiVersion": "v1", "items": []},
    "list-without-items": lambda body: {name: body[name] for name in body if name != "items"},
    "list-items-object": lambda body: body | {"items": {}},
    "list-items-text": lambda body: body | {"items": ["text"]},
    "list-items-null": lambda body: body | {"items": [None]},
    "list-items-unnamed": lambda body: body | {"items": [{"spec": {}}]},
    "list-items-unreadable": lambda body: body | {"items": unreadable(body["items"])},
    "list-without-version": lambda body: body | {"metadata": {}, "items": []},
    "list-later-page": first_of_two,
    "list-empty-protobuf": lambda body: enveloped(body["kind"], b""),
    "list-protobuf-of-another-kind": lambda _: enveloped("ConfigMapList", b"\x0a\x03\x12\x011"),
}


class Faults:
    def __init__(self, file: Path) -> None:
        self.file = file
        # The first list of each kind, which a server that lags behind goes on answering.
        self.first: dict[str, tuple[dict, bytes]] = {}

    def of(self, path: str) -> str:
        fault, _, resource = self.file.read_text().partition(" ")
        return fault if not resource or urlsplit(path).path.endswith(f"/{resource}") else ""

    def before(self, fault: str, path: str) -> tuple[int, dict, bytes] | None:
        """The answer to a request that the API server does not get to see."""
        watches, cached = kind_of(path)
        match fault:
            case "500":
                return 500, JSON, b""
            case "403":
                return 403, JSON, status(403, "forbidden by the test")
            case "429":
                return 429, JSON | {"Retry-After": "3"}, status(429, "too many requests, says the test")
            case "empty":
                return 200, JSON, b""
            case "watch-410" if watches:
                return 410, JSON, status(410, "too old resource version, says the test")
            case "watch-error" if watches:
                event = {"type": "ERROR", "object": json.loads(status(410, "too old resource version, says the test"))}
                return 200, JSON, json.dumps(event).encode() + b"\n"
            case "lagging" if watches:
                # It does not have yet what the watch is to begin with.
                time.sleep(1)
                return 200, JSON, b""
            case "lagging" if cached and urlsplit(path).path in self.first:
                return 200, *self.first[urlsplit(path).path]
            case "list-later-page" if NEXT in path:
                return 200, JSON, status(500, "no, says the test")
            case "no-discovery" if path == MONITORING:
                return 403, JSON, status(403, "forbidden by the test")
        return None

    def after(self, fault: str, path: str, code: int, kind: dict, body: bytes) -> tuple[dict, bytes]:
        """What becomes of the API server's answer."""
        watches, cached = kind_of(path)
        if fault == "truncated":
            return kind, body[: len(body) // 2]
        if fault in WRONG_LISTS and not watches and code == 200:
            return wrong_list(fault, kind, body)
        if cached and code == 200:
            self.first.setdefault(urlsplit(path).path, (kind, body))
            if fault == "nothing":
                # A cache that has just begun; what is asked of the store itself is as it was.
                return kind, json.dumps(json.loads(body) | {"items": []}).encode()
        return kind, body


MONITORING = "/apis/monitoring.coreos.com/v1"


def wrong_list(fault: str, kind: dict, body: bytes) -> tuple[dict, bytes]:
    """Something else than the list that was asked for; an answer that is no list stays as it is."""
    true = json.loads(body)
    if not true["kind"].endswith("List") or true["kind"] == "APIResourceList":
        return kind, body
    wrong = WRONG_LISTS[fault](true)
    if isinstance(wrong, bytes):
        return {"Content-Type": "application/vnd.kubernetes.protobuf"}, wrong
    return JSON, json.dumps(wrong).encode()


def kind_of(path: str) -> tuple[bool, bool]:
    """Whether it is a watch, and whether a list that any cache may answer."""
    query = parse_qs(urlsplit(path).query)
    return "watch" in query, "watch" not in query and query.get("resourceVersion") == ["0"]


def pieces(connection: http.client.HTTPSConnection, response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body, as it arrives."""
    with closing(connection):
        while piece := response.read1():
            yield piece


def main(apiserver: Path, port: int, fault_file: Path, certificate: Path | None = None) -> None:
    context = ssl.create_default_context(cafile=str(apiserver / "apiserver.crt"))
    faults = Faults(fault_file)

    def answer(path: str, headers: dict) -> Answer:
        fault = faults.of(path)
        known = faults.before(fault, path)
        if known is not None:
            return known
        wanted = {name.lower(): value for name, value in headers.items()}
        wanted = {name: wanted[name] for name in ("authorization", "accept") if name in wanted}
        if fault == "nothing" or fault in WRONG_LISTS:
            # Its answer is changed, which is easy in JSON.
            wanted |= {"accept": "application/json"}
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
        try:
            connection.request("GET", path, headers=wanted)
            response = connection.getresponse()
            kind = {"Content-Type": response.headers["Content-Type"]}
            if response.status == 200 and fault != "truncated" and kind_of(path)[0]:
                # A client of a watch must not wait for its end.
                connection, watch = None, pieces(connection, response)
                return 200, kind, watch
            body = response.read()
        finally:
            if connection is not None:
                connection.close()
        return response.status, *faults.after(fault, path, response.status, kind, body)

    own = None
    if certificate is not None:
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        own.load_cert_chain(certificate / "apiserver.crt", certificate / "apiserver.key")
    serve(answer, own)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *map(Path, sys.argv[3:]))
