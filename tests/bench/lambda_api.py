"""A Lambda Runtime API for one function at a time."""

import base64
import json
import queue
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class RuntimeApi:
    """Serves events to a function; `get` is an HTTP API's request for a path."""

    def __init__(self) -> None:
        self.events: queue.Queue = queue.Queue()
        self.answers: dict[str, queue.Queue] = {}
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                event = api.events.get()
                body = json.dumps(event["event"]).encode()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", event["id"])
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + 29) * 1000)))
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:1:function:bench")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = b"".join(self._chunks())
                else:
                    body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()
                parts = self.path.split("/")
                if "invocation" in parts:
                    api.answers[parts[parts.index("invocation") + 1]].put(body)

            def _chunks(self):
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    yield self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """A function that was killed breaks its connection."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def get(self, path: str, query: str = "") -> tuple[float, int, bytes]:
        """Seconds, status and body."""
        request = {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "bench"}
        context = {"http": request, "stage": "$default", "accountId": "1", "apiId": "a", "domainName": "d", "requestId": "r"}
        event = {
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
            "headers": {"host": "d"}, "requestContext": context | {"timeEpoch": 0}, "isBase64Encoded": False,
        }
        if query:
            event["queryStringParameters"] = dict(part.split("=") for part in query.split("&"))
        identity = str(uuid.uuid4())
        self.answers[identity] = queue.Queue()
        began = time.perf_counter()
        self.events.put({"id": identity, "event": event})
        answer = json.loads(self.answers[identity].get(timeout=60))
        took = time.perf_counter() - began
        del self.answers[identity]
        body = answer.get("body") or ""
        return took, answer["statusCode"], base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
