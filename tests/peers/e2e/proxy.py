"""A proxy between the function and the API server that can be told to fail."""

import http.client
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FORBIDDEN = json.dumps({"kind": "Status", "status": "Failure", "message": "forbidden by the test", "code": 403}).encode()


class FaultProxy:
    """Passes requests on, unless `fault` names something else to do."""

    def __init__(self, apiserver: Path, port: int) -> None:
        self.fault = ""
        context = ssl.create_default_context(cafile=str(apiserver / "apiserver.crt"))
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                try:
                    status, body = proxy.answer(self.path, dict(self.headers), context, port)
                except OSError:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.tokens = (apiserver / "tokens.csv").read_text()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path: str, headers: dict, context: ssl.SSLContext, port: int) -> tuple[int, bytes]:
        if self.fault == "500":
            return 500, b""
        if self.fault == "403":
            return 403, FORBIDDEN
        if self.fault == "empty":
            return 200, b""
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
        try:
            wanted = {name: value for name, value in headers.items() if name.lower() in ("authorization", "accept")}
            connection.request("GET", path, headers=wanted)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if self.fault == "truncated":
            body = body[: len(body) // 2]
        return answer.status, body

    def kubeconfig(self, user: str) -> str:
        token = next(line.split(",")[0] for line in self.tokens.splitlines() if line.split(",")[1] == user)
        server = f"http://127.0.0.1:{self.server.server_port}"
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "e2e",
                "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": user}}],
                "clusters": [{"name": "e2e", "cluster": {"server": server}}],
                "users": [{"name": user, "user": {"token": token}}],
            }
        )
