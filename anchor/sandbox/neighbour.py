"""Another anchor of this package, beside the first one on the same sandbox: it sends by SEP-31.

It has a folder, keys and a database of its own, and the same asset. Nobody comes to it, so it is
what a remittance needs and no more: a stream runner, and `flask anchor send`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import IO, Any

from anchor import keeping
from anchor.sandbox import CODE, ground

_FLASK = (str(Path(sys.executable).parent / "flask"), "--app", "anchor:create_app()", "anchor")
_CAP = "100000"
_READY_S = 60
_WAIT_S = 120
_LEAVE_S = 20


class NeighbourError(Exception):
    """A command of the other anchor failed; the text is what it said last."""


class Neighbour:
    """The other anchor, in a folder below that of the first one."""

    def __init__(self, below: Path, issuer_secret: str, log: Path) -> None:
        """Prepare nothing yet; its asset is that of the issuer, and `log` gets what it says."""
        self._folder = below / "neighbour"
        self._issuer = issuer_secret
        self._log = log
        self._lock = Lock()
        self._is_over = False
        self._processes: list[subprocess.Popen[str]] = []

    def prepare(self, domain: str) -> None:
        """Make its keys, accounts, database and file, once; it may send to `domain` then."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        shared = self._folder / "sandbox"
        if not shared.is_symlink():
            shared.symlink_to(Path("..") / "sandbox")
        kept = self._folder / "secrets.json"
        if not kept.exists():
            keys = replace(ground.new_keys(), issuer=self._issuer)
            keeping.write_private(kept, json.dumps(asdict(keys)))
        self._say("migrate")
        file = self._folder / "anchor.toml"
        table, text = f'[receiving_anchors."{domain}"]', file.read_text(encoding="utf-8")
        if table not in text:
            keeping.write_private(file, f'{text}\n{table}\ncap = "{_CAP}"\n')

    @contextmanager
    def following(self) -> Iterator[None]:
        """Have it follow its account while the block runs; all of it is over afterwards."""
        try:
            with (
                self._log.open("a", encoding="utf-8") as log,
                self._running("watch-transactions", out=log),
            ):
                yield
        finally:
            keeping.wait_for_end(self._folder / "servers", _LEAVE_S)

    def close(self) -> None:
        """End what runs of it, and let nothing begin any more."""
        with self._lock:
            self._is_over = True
            for process in self._processes:
                process.terminate()

    def send(self, domain: str, amount: str, details: Mapping[str, Any]) -> dict[str, Any]:
        """Send the house's own money to a receiver at `domain`; return how it ended.

        Needs `following`, and waits until that has begun. Raises `NeighbourError`.
        """
        order = ["--to", domain, "--asset", CODE, "--amount", amount, "--details", "-"]
        deadline = monotonic() + _READY_S
        while True:
            try:
                said = self._say(
                    *("send", *order, "--house", "--wait", str(_WAIT_S), "--json"),
                    given=json.dumps(details),
                )
            except NeighbourError as error:
                if "follow" not in str(error) or monotonic() > deadline:
                    raise
                sleep(1)
            else:
                found: dict[str, Any] = json.loads(said)
                return found

    def _say(self, *words: str, given: str = "") -> str:
        with self._running(*words, out=subprocess.PIPE) as process:
            out, trouble = process.communicate(given, _READY_S + _WAIT_S)
        if process.returncode:
            raise NeighbourError((trouble or out).strip()[-300:])
        return str(out)

    @contextmanager
    def _running(self, *words: str, out: IO[str] | int) -> Iterator[subprocess.Popen[str]]:
        """Run a command while the block does, and end it then if it still runs."""
        inherited = {name: value for name, value in os.environ.items() if name[:7] != "ANCHOR_"}
        with self._lock:
            if self._is_over:
                raise NeighbourError("the demo is over")
            process = subprocess.Popen(  # noqa: S603
                [*_FLASK, *words],
                env=inherited | {"ANCHOR_DATA_DIR": str(self._folder)},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                text=True,
            )
            self._processes.append(process)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(_LEAVE_S)
