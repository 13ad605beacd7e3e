"""What a job is called, who holds it, and how it can end: the words of `services.jobs`."""

from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True)
class Address:
    """What a job is about: there is one job at most for each kind and subject."""

    kind: str
    subject_id: str


@dataclass(frozen=True)
class Claim:
    """A job in somebody's hands; `token` tells these hands from all others."""

    kind: str
    subject_id: str
    lane: str
    attempts: int
    token: int


class Ran(IntEnum):
    """What became of a job that was asked for."""

    NOTHING = 0
    DONE = 1
    POSTPONED = 2
    PARKED = 3


class Park(Exception):
    """Do this job no more until a person says so; the case that says why is open already."""


class Later(Exception):
    """This is not the time: do the job again in `seconds`. Nothing failed.

    `counts` keeps counting the attempts, for a wait that grows with them.
    """

    def __init__(self, seconds: int, why: str, *, counts: bool = False) -> None:
        super().__init__(why)
        self.seconds = seconds
        self.counts = counts


class Untried(Exception):
    """The turn of this job did not come: it stays as often tried as it was, and says what it said.

    It stays as due as it was, too, or is due again in `seconds`.
    """

    def __init__(self, seconds: int = 0) -> None:
        super().__init__("its turn did not come")
        self.seconds = seconds


class Superseded(Exception):
    """The lease ran out and somebody else holds the job: nothing may be written."""
