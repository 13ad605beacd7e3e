"""A Horizon in a process of its own that knows one account, and tells of it at no cost.

A real one is another machine's work; the sandbox would take its time from the cores that are
measured. Run as a script it serves the answer in a file until its standard input ends.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests


@contextmanager
def serving(account_url: str, file: Path) -> Iterator[str]:
    """Answer all questions as `account_url` answers now; yield the URL of whom to ask."""
    answer = requests.get(account_url, timeout=30)
    answer.raise_for_status()
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/hal+json\r\nLatest-Ledger: 9\r\n"
    length = f"Content-Length: {len(answer.content)}\r\n\r\n"
    file.write_bytes((head + length).encode() + answer.content)
    process = subprocess.Popen(
        [sys.executable, __file__, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


class _Answering(asyncio.Protocol):
    """Says the same to each request, which comes in one piece: they are short and have no body."""

    answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            self.transport.write(self.answer)


async def _serve() -> None:
    _Answering.answer = Path(sys.argv[1]).read_bytes()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
