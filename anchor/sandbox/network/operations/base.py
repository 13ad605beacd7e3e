"""What every kind of operation answers: who must sign, what it needs, changes and reads like."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from stellar_sdk import xdr

from anchor.sandbox.network.entries import Account, State
from anchor.sandbox.network.results import OpCode, Refused
from anchor.sandbox.network.values import Party, ledger_token

BASE_RESERVE = 5_000_000
MAX_SUBENTRIES = 1000


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect of an operation as Horizon tells it."""

    party: Party
    type: str
    type_i: int
    fields: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Applied:
    """What a successful operation left: further fields of its result, and effects."""

    extra: dict[str, Any] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scene:
    """Where an operation is applied: a draft of the state, its ledger and its source."""

    state: State
    ledger: int
    source: Party

    @property
    def first_sequence(self) -> int:
        """The sequence number with which an account created in this ledger starts."""
        return ledger_token(self.ledger)

    def source_account(self) -> Account:
        """Return the source's entry for editing; it is known to exist."""
        return self.state.accounts.edit(self.source.account)


class Operation(ABC):
    """One kind of operation; each reads its body from the XDR."""

    type: ClassVar[xdr.OperationType]
    is_payment: ClassVar[bool] = False

    def __init__(self, body: xdr.OperationBody, source: Party) -> None:
        self.source = source
        self.read(body)

    @abstractmethod
    def read(self, body: xdr.OperationBody) -> None:
        """Take what is needed from the body."""

    def threshold(self, account: Account) -> int:
        """Return the weight that the source's signatures must reach; medium unless told."""
        return account.medium

    def check(self) -> None:
        """Raise Refused for what no ledger could ever accept (nothing is charged for it)."""
        return

    @abstractmethod
    def apply(self, scene: Scene) -> Applied:
        """Change the draft; raises Refused."""

    @abstractmethod
    def fields(self) -> dict[str, object]:
        """Return the fields of its Horizon record."""

    def fields_of_failure(self) -> dict[str, object]:
        """Return the fields of its record when its transaction failed."""
        return self.fields()

    def parties(self) -> set[str]:
        """Return the accounts it belongs to beside its source."""
        return set()


def minimum_balance(account: Account) -> int:
    """Return the reserve in stroops that an account must keep."""
    return (2 + account.subentries) * BASE_RESERVE


def available(account: Account) -> int:
    """Return what an account can spend, in stroops; negative when below its reserve."""
    return account.balance - minimum_balance(account)


def add_subentry(account: Account, low_reserve: Any) -> None:
    """Count one more subentry; raises Refused with `low_reserve` or for too many."""
    if account.subentries >= MAX_SUBENTRIES:
        raise Refused(OpCode.opTOO_MANY_SUBENTRIES)
    if available(account) < BASE_RESERVE:
        raise Refused(low_reserve)
    account.subentries += 1
