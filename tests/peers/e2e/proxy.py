"""A proxy between the function and the API server that can be told to fail.

    proxy.py APISERVER_FOLDER PORT FAULT_FILE

It passes requests on to the API server at PORT, unless FAULT_FILE names something
else to do. It is a process of its own: the tests' own work must not slow it down.
"""

import http.client
import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FORBIDDEN = json.dumps({"kind": "Status", "status": "Failure", "message": "forbidden by the test", "code": 403}).encode()


def answer(fault: str, path: str, headers: dict, context: ssl.SSLContext, port: int) -> tuple[int, bytes]:
    if fault == "500":
        return 500, b""
    if fault == "403":
        return 403, FORBIDDEN
    if fault == "empty":
        return 200, b""
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    try:
        wanted = {name: value for name, value in headers.items() if name.lower() in ("authorization", "accept")}
        connection.request("GET", path, headers=wanted)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    return response.status, body[: len(body) // 2] if fault == "truncated" else body


def main(apiserver: Path, port: int, fault: Path) -> None:
    context = ssl.create_default_context(cafile=str(apiserver / "apiserver.crt"))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body leave in one piece.
        wbufsize = -1

        def do_GET(self) -> None:
            try:
                status, body = answer(fault.read_text(), self.path, dict(self.headers), context, port)
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

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"ready http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
