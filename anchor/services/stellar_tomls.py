"""Reading a stranger's stellar.toml, line by line.

A TOML reader can be kept busy for a minute by 100 KB of dotted keys. What is wanted are texts, each
on a line of its own; a key that stands twice with two values has none.
"""

import re

from anchor.extensions import settings

MAX_BYTES = 100_000
_KEY = re.compile(
    r"""\s*(?:"([A-Za-z0-9_]+)"|'([A-Za-z0-9_]+)'|([A-Za-z0-9_]+))\s*=\s*"""
    r"""(?:"([^"\\]*)"|'([^']*)')\s*(?:\#.*)?"""
)
_TABLE = re.compile(r"\s*(\[\[?)([^\[\],]+)\]\]?\s*(?:#.*)?")


def scheme_of(domain: str) -> str:
    """Return how a domain is asked: https; in development a name with a port is a neighbour."""
    is_near = settings().development and (":" in domain or domain == "localhost")
    return "http" if is_near else "https"


def read(body: bytes) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Return the texts at the top of a stellar.toml, and those of each of its CURRENCIES."""
    top: dict[str, str] = {}
    currencies: list[dict[str, str]] = []
    here: dict[str, str] | None = top
    for line in body.decode("utf-8", errors="replace").splitlines():
        if table := _TABLE.fullmatch(line):
            here = None
            if table[1] == "[[" and table[2].strip() == "CURRENCIES":
                here = {}
                currencies.append(here)
        elif here is not None and (found := _KEY.fullmatch(line)):
            name = found[1] or found[2] or found[3]
            value = found[4] if found[4] is not None else found[5]
            here[name] = value if here.get(name, value) == value else ""
    return top, currencies
