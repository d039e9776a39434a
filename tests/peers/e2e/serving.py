"""An HTTP server that passes requests on: what the proxy and the gateway have in common."""

import ssl
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What is said of the connection, not of the answer.
HOP = ("content-length", "connection", "transfer-encoding")


def serve(answer: Callable[[str, dict], tuple[int, dict, bytes]], context: ssl.SSLContext | None = None) -> None:
    """Answers each GET by `answer(path, headers)`: status, headers and body; where that raises an OSError, by none."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body leave in one piece.
        wbufsize = -1

        def do_GET(self) -> None:
            try:
                status, headers, body = answer(self.path, dict(self.headers))
            except OSError:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Clients that go away are what these tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    if context is not None:
        # The handshake is done by the thread that reads.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    scheme = "http" if context is None else "https"
    print(f"ready {scheme}://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
