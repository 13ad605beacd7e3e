"""Embedded servers: a real PostgreSQL and a real Valkey in a folder, owned by a keeper."""

from dataclasses import dataclass, field
from pathlib import Path

from anchor import keeping


@dataclass(frozen=True)
class Servers:
    """The servers of a folder, as they run now."""

    folder: Path
    database_url: str = field(repr=False)
    broker_url: str = field(repr=False)


def use(folder: Path, *, durable: bool = True, timeout_s: int = 60) -> Servers:
    """Find the servers of `folder`, or start them, and keep them for the life of this process.

    `durable=False` trades safety against a power failure for speed, for tests. Raises
    `Unavailable` where a server is missing or does not start in time, with the reason.
    """
    ready = keeping.use(folder, "anchor.embedded.keeper", str(int(durable)), timeout_s=timeout_s)
    return Servers(folder, ready["database_url"], ready["broker_url"])
