"""A small threaded HTTP/1.1 server for WSGI: keep-alive, chunked streams, many open at once."""

from __future__ import annotations

import io
import socket
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote
from wsgiref.types import WSGIApplication, WSGIEnvironment

from anchor.sandbox.network.http import ConnectionCut

IDLE_S = 75


class _Handler(BaseHTTPRequestHandler):
    """One connection; answers one request after the other."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_S
    server: Server

    def handle_one_request(self) -> None:
        """Read one request and run the application."""
        try:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            length = int(self.headers.get("Content-Length") or 0)
            self._answer(self.rfile.read(length) if length else b"")
        except (ConnectionError, TimeoutError, ValueError):
            self.close_connection = True

    def _answer(self, body: bytes) -> None:
        self._started: tuple[str, list[tuple[str, str]]] | None = None
        parts = self.server.application(self._environ(body), self._start_response)
        try:
            self._send(parts)
        except ConnectionCut:
            self.close_connection = True
        finally:
            if hasattr(parts, "close"):
                parts.close()

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], _exc_info: Any = None, /
    ) -> Any:
        self._started = status, headers
        return self.wfile.write

    def _environ(self, body: bytes) -> WSGIEnvironment:
        path, _, query = self.path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": self.server.host,
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)) if body else "",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            key = "HTTP_" + name.upper().replace("-", "_")
            if key not in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
                environ[key] = f"{environ[key]}, {value}" if key in environ else value
        return environ

    def _send(self, parts: Iterable[bytes]) -> None:
        head: bytes | None = None
        chunked = False
        for part in parts:
            if head is None:
                head, chunked = self._head()
                self._write(head, part, chunked=chunked)
            elif part:
                self._write(b"", part, chunked=chunked)
        if head is None:
            head, chunked = self._head()
            self.wfile.write(head)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _write(self, head: bytes, part: bytes, *, chunked: bool) -> None:
        if chunked and part:
            part = b"%x\r\n%s\r\n" % (len(part), part)
        self.wfile.write(head + part)

    def _head(self) -> tuple[bytes, bool]:
        if self._started is None:
            raise RuntimeError("the application did not start its response")
        status, headers = self._started
        names = {name.lower() for name, _ in headers}
        sized = "content-length" in names or status[:3] in ("204", "304")
        chunked = not sized and self.request_version == "HTTP/1.1"
        lines = [f"HTTP/1.1 {status}", f"Date: {self.date_time_string()}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if chunked:
            lines.append("Transfer-Encoding: chunked")
        if not sized and not chunked:
            self.close_connection = True
        if self.close_connection:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), chunked


class Server(ThreadingHTTPServer):
    """Listens from the start; `run` serves until `stop`."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, application: WSGIApplication, host: str, port: int) -> None:
        self.application = application
        self.host = host
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        self._is_ending = False
        self._is_idle = threading.Event()
        self._is_idle.set()
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """The address without a slash at the end."""
        return f"http://{self.host}:{self.server_port}"

    def server_bind(self) -> None:
        """Bind without asking the resolver for this machine's name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.host, self.socket.getsockname()[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Keep the connection to close it at the end."""
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that ended."""
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to report; anything else is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def run(self) -> None:
        """Serve until `stop`."""
        self._is_idle.clear()
        try:
            while not self._is_ending:
                self.handle_request()
        finally:
            self._is_idle.set()

    def stop(self) -> None:
        """Stop listening and close every connection."""
        self._is_ending = True
        with suppress(OSError):  # it waits for somebody to come
            socket.create_connection((self.host, self.server_port), 1).close()
        self._is_idle.wait()
        self.server_close()
        with self._open_lock:
            left = list(self._open)
        for connection in left:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def mounted(main: WSGIApplication, mounts: dict[str, WSGIApplication]) -> WSGIApplication:
    """Return an application that hands what lies under a prefix to another application."""

    def dispatch(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        for prefix, application in mounts.items():
            if path == prefix or path.startswith(prefix + "/"):
                environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + prefix
                environ["PATH_INFO"] = path[len(prefix) :]
                return application(environ, start_response)
        return main(environ, start_response)

    return dispatch
