"""The keeper of a sandbox: a network, a bank and wallets in a folder, while anyone uses them."""

import signal
import socket
import sys
from pathlib import Path
from time import sleep

from anchor.keeping import Post
from anchor.sandbox.bank import Bank, application
from anchor.sandbox.network import Sandbox
from anchor.sandbox.page.application import application as wallets

_LOOK_S = 0.3


def use_port(folder: Path) -> int:
    """Return the port of the last time if it is free, else a free one; keep it."""
    file = folder / "port"
    wanted = int(file.read_text(encoding="utf-8")) if file.exists() else 0
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found = int(probe.getsockname()[1])
        file.write_text(str(found), encoding="utf-8")
        return found
    raise OSError("no port is free on this machine")


def main() -> None:
    """Keep the sandbox of the folder that the command line names."""
    post = Post(Path(sys.argv[1]))
    if not post.take():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    post.keep(lambda: _run(post, sys.argv[2]))


def _run(post: Post, passphrase: str) -> None:
    folder = post.folder
    with Sandbox(
        passphrase,
        close_every_s=1,
        close_on_submit=False,
        state_file=folder / "network.jsonl",
        port=use_port(folder),
        mounts={
            "/bank": application(Bank(folder / "bank.jsonl")),
            "/wallet": wallets(folder),
        },
    ) as sandbox:
        sandbox.network.close_ledger()  # a newest ledger of today, whatever the last time was
        post.publish({"url": sandbox.url})
        while not post.is_alone():
            sleep(_LOOK_S)


if __name__ == "__main__":
    main()
