"""Operators: the people who may look at an anchor that runs, or act on it, over HTTP."""

import hashlib
import secrets
from dataclasses import dataclass, field
from enum import StrEnum

_PREFIX = "anchor-operator-"  # by which scanners for secrets may know one
_RANDOM_BYTES = 32


class Role(StrEnum):
    """What an operator may do: only look, or act as well."""

    VIEW = "view"
    ACT = "act"


@dataclass(frozen=True)
class Operator:
    """A person with a token, of which only the SHA-256 (hex) is known here."""

    name: str
    role: Role
    token_hash: str = field(repr=False)

    @property
    def may_act(self) -> bool:
        """Whether they may change anything."""
        return self.role is Role.ACT


def new_token() -> str:
    """Return a token that nobody has: 256 random bits, in letters."""
    return f"{_PREFIX}{secrets.token_urlsafe(_RANDOM_BYTES)}"


def hash_of(token: str) -> str:
    """Return what is kept of a token: its SHA-256, in hex."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
