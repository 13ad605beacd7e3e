"""What every kind of operation answers: who must sign, what it needs, changes and reads like."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from stellar_sdk import xdr

from anchor.sandbox.network.contracts.registry import Contracts
from anchor.sandbox.network.entries import Account, State
from anchor.sandbox.network.values import Party, ledger_token


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect of an operation as Horizon tells it."""

    party: Party
    type: str
    type_i: int
    fields: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Applied:
    """What a successful operation left: further fields of its result, effects, and who sponsors.

    `sponsor` bears the reserve of the entry that was created, if another than its owner.
    `fields` are those of the record that only its success tells, `parties` the accounts; it
    is a payment if it `pays`, whatever its kind.
    """

    extra: dict[str, Any] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    sponsor: str | None = None
    fields: dict[str, object] = field(default_factory=dict)
    parties: set[str] = field(default_factory=set)
    pays: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """What the operations of one transaction share.

    `sponsors` has for each account whose reserves are sponsored at the moment who
    does it; the instant is in seconds since 1970. `soroban` is what a transaction that
    calls a contract says of the entries it touches and of its costs.
    """

    source: str
    sequence: int
    ledger: int
    close_at: int
    contracts: Contracts
    soroban: xdr.SorobanTransactionData | None
    sponsors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """Where an operation is applied: a draft of the state, its transaction, source and index."""

    state: State
    frame: Frame
    source: Party
    index: int = 0

    @property
    def first_sequence(self) -> int:
        """The sequence number with which an account created in this ledger starts."""
        return ledger_token(self.frame.ledger)

    def sponsor_of(self, account: str) -> Account | None:
        """Return for editing the entry of who sponsors the reserves of an account."""
        sponsor = self.frame.sponsors.get(account)
        return None if sponsor is None else self.state.accounts.edit(sponsor)

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

    def balances(self) -> set[str]:
        """Return the ids of the claimable balances that it belongs to."""
        return set()
