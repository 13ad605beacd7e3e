"""A Sentry of a test's own: it takes envelopes over HTTP, and reads them."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Sentry:
    """What was told, as it came and as events."""

    port: int
    bodies: list[str] = field(default_factory=list)

    @property
    def dsn(self) -> str:
        return f"http://key@localhost:{self.port}/1"

    @property
    def events(self) -> list[dict[str, Any]]:
        found = []
        for body in self.bodies:
            _, *parts = body.splitlines()
            for header, payload in zip(parts[::2], parts[1::2], strict=True):
                assert json.loads(header)["type"] == "event"
                found.append(json.loads(payload))
        return found


@contextmanager
def sentry() -> Iterator[Sentry]:
    """Listen on a port of its own while the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/api/1/envelope/"
            found.bodies.append(body.decode())
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Sentry(server.server_address[1])
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
