"""A second address of a server: it can be switched off, cut in the middle, and moved elsewhere."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Front:
    """Hands bytes on to `target` and back; a context manager.

    `is_off` hangs up on everybody; `is_mute` takes requests and answers none. The next
    `swallowed` answers to a POST never arrive, though the target got the request.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.is_off = False
        self.is_mute = False
        self.swallowed = 0
        self.asked: list[bytes] = []
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._posting: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        return f"http://{self.name}"

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    def off(self) -> None:
        """Hang up on everybody, in the middle of whatever they do."""
        self.is_off = True
        self.cut()

    def on(self) -> None:
        self.is_off = False

    def cut(self) -> None:
        """End all connections that are open now."""
        with self._lock:
            left = list(self._open)
        for each in left:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def posts(self) -> int:
        """How many submissions came by."""
        return sum(request.startswith(b"POST /transactions") for request in self.asked)

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.off()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._hand_on, args=(client,), daemon=True).start()

    def _hand_on(self, client: socket.socket) -> None:
        parts = urlsplit(self.target)
        with client, suppress(OSError):
            if self.is_off:
                return
            with socket.create_connection((parts.hostname, parts.port)) as server:
                with self._lock:
                    self._open |= {client, server}
                answers = threading.Thread(target=self._answers, args=(server, client), daemon=True)
                answers.start()
                self._requests(client, server)
                answers.join()
        with self._lock:
            self._open -= {client, server}

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while (data := client.recv(65536)) and not self.is_off:
                if data.startswith((b"GET", b"POST")):
                    self.asked.append(data[:200])
                    (self._posting.add if data[:4] == b"POST" else self._posting.discard)(server)
                server.sendall(data)
        for each in (client, server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if self.is_mute:
                    continue
                if self.swallowed and server in self._posting:
                    self.swallowed -= 1
                    break
                client.sendall(data)
        for each in (client, server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
