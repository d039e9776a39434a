"""An HTTP server that passes requests on. The proxy and the gateway share it."""

import ssl
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Headers that describe the connection, not the answer.
HOP = ("content-length", "connection", "transfer-encoding")


# Status, headers and body. A body in pieces is sent piece by piece.
Answer = tuple[int, dict, bytes | Iterator[bytes]]


def serve(answer: Callable[[str, dict], Answer], context: ssl.SSLContext | None = None) -> None:
    """Answers each GET with the result of `answer(path, headers)`. An OSError gives no answer."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Sends head and body in one piece.
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
            if isinstance(body, bytes):
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            else:
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.send_pieces(body)

        def send_pieces(self, pieces: Iterator[bytes]) -> None:
            self.wfile.flush()
            for piece in pieces:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Ignores clients that disconnect, because these tests disconnect on purpose."""

    server = Server(("127.0.0.1", 0), Handler)
    if context is not None:
        # The reading thread does the handshake.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    scheme = "http" if context is None else "https"
    print(f"ready {scheme}://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
