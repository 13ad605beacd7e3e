"""Where the wallet in the browser is: the anchor that uses this sandbox, as it tells it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from anchor.keeping import write_private

_FILE = "wallet.json"


@dataclass(frozen=True)
class Place:
    """An anchor, its network, the key that gives its asset away, and its bank's secret."""

    anchor_url: str
    network_url: str
    issuer_secret: str = field(repr=False)
    webhook_secret: str = field(default="", repr=False)

    def keep(self, folder: Path) -> None:
        """Tell the sandbox of a folder."""
        write_private(folder / _FILE, json.dumps(asdict(self)))

    @classmethod
    def of(cls, folder: Path) -> Self | None:
        """Return what the sandbox of a folder was told last; None where nobody did."""
        file = folder / _FILE
        return cls(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None
