"""The state file: one JSON line for each thing that happened, replayed at the next start."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TextIO

FORMAT = "stellar-sandbox-network-1"


class Journal:
    """An append-only file; a torn last line is cut off, replacing it is atomic."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None

    def read(self) -> list[dict[str, Any]]:
        """Return the lines of the file, the genesis first; raises ValueError for a foreign file."""
        if not self.path.exists():
            return []
        lines: list[dict[str, Any]] = []
        good = 0
        with self.path.open("rb") as file:
            for raw in file:
                if not raw.endswith(b"\n"):
                    break
                lines.append(json.loads(raw))
                good += len(raw)
        if lines and lines[0].get("format") != FORMAT:
            raise ValueError(f"{self.path} is not a state file of this sandbox network")
        if good < self.path.stat().st_size:
            os.truncate(self.path, good)
        return lines

    def begin(self, genesis: dict[str, Any]) -> None:
        """Replace the file by one that holds the genesis alone."""
        self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.write_text(json.dumps({"format": FORMAT} | genesis) + "\n")
        fresh.replace(self.path)

    def append(self, line: dict[str, Any]) -> None:
        """Add a line; it survives the end of the process."""
        if self._file is None:
            self._file = self.path.open("a")
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
