"""Operators: the people who may look at an anchor that runs, or act on it, over HTTP."""

from dataclasses import dataclass, field
from enum import StrEnum


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
