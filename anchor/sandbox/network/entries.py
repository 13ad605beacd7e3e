"""The ledger's entries, and drafts over them: a change exists once it is committed."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, Self, TypeVar

from stellar_sdk import xdr

from anchor.sandbox.network.values import Asset

AUTH_REQUIRED, AUTH_REVOCABLE, AUTH_IMMUTABLE, AUTH_CLAWBACK = 1, 2, 4, 8
LINE_AUTHORIZED, LINE_MAINTAIN, LINE_CLAWBACK = 1, 2, 4
BASE_RESERVE = 5_000_000
ACCOUNT_UNITS = 2


class Entry(Protocol):
    """What a table holds."""

    modified_ledger: int

    def copy(self) -> Self:
        """Return an independent copy."""


@dataclass(slots=True)
class Account:
    """An account entry; balance in stroops, `seq_at` in seconds since 1970."""

    id: str
    balance: int
    sequence: int
    subentries: int = 0
    flags: int = 0
    home_domain: str = ""
    inflation_destination: str | None = None
    master_weight: int = 1
    low: int = 0
    medium: int = 0
    high: int = 0
    signers: dict[str, int] = field(default_factory=dict)
    data: dict[str, bytes] = field(default_factory=dict)
    sequence_ledger: int | None = None
    sequence_at: int | None = None
    sponsoring: int = 0
    sponsored: int = 0
    sponsor: str | None = None
    signer_sponsors: dict[str, str] = field(default_factory=dict)
    data_sponsors: dict[str, str] = field(default_factory=dict)
    modified_ledger: int = 0

    def copy(self) -> Account:
        """Return an independent copy."""
        return replace(
            self,
            signers=dict(self.signers),
            data=dict(self.data),
            signer_sponsors=dict(self.signer_sponsors),
            data_sponsors=dict(self.data_sponsors),
        )

    def has(self, flag: int) -> bool:
        """Whether an AUTH_ flag is set."""
        return bool(self.flags & flag)

    @property
    def available(self) -> int:
        """What it can spend, in stroops: all but its reserve; negative when below that."""
        units = ACCOUNT_UNITS + self.subentries + self.sponsoring - self.sponsored
        return self.balance - units * BASE_RESERVE


@dataclass(slots=True)
class TrustLine:
    """A trust line; balance and limit in stroops."""

    account: str
    asset: Asset
    limit: int
    flags: int
    balance: int = 0
    sponsor: str | None = None
    modified_ledger: int = 0

    def copy(self) -> TrustLine:
        """Return an independent copy."""
        return replace(self)

    @property
    def is_authorized(self) -> bool:
        """Whether the line may send and receive."""
        return bool(self.flags & LINE_AUTHORIZED)


@dataclass(slots=True)
class ClaimableBalance:
    """A claimable balance; its predicates name absolute times only."""

    id: str
    asset: Asset
    amount: int
    sponsor: str
    claimants: tuple[tuple[str, xdr.ClaimPredicate], ...]
    is_clawback_enabled: bool
    modified_ledger: int = 0

    def copy(self) -> ClaimableBalance:
        """Return an independent copy."""
        return replace(self)


@dataclass(slots=True)
class Holding:
    """What a contract holds of an asset; balance in stroops."""

    contract: str
    asset: Asset
    is_authorized: bool
    allows_clawback: bool
    balance: int = 0
    modified_ledger: int = 0

    def copy(self) -> Holding:
        """Return an independent copy."""
        return replace(self)


@dataclass(slots=True)
class Nonce:
    """A nonce with which somebody authorized a call: it counts once, for ever."""

    address: str
    number: int
    modified_ledger: int = 0

    def copy(self) -> Nonce:
        """Return an independent copy."""
        return replace(self)


K = TypeVar("K")
E = TypeVar("E", bound=Entry)


class Table(Generic[K, E]):
    """Entries by key, over those of a parent: only `commit` changes the parent."""

    def __init__(self, parent: Table[K, E] | None = None) -> None:
        self.parent = parent
        self.entries: dict[K, E | None] = {}

    def read(self, key: K) -> E | None:
        """Return an entry that must not be changed, or None."""
        if key in self.entries:
            return self.entries[key]
        return None if self.parent is None else self.parent.read(key)

    def edit(self, key: K) -> E:
        """Return this draft's own copy of an entry that is known to exist."""
        entry = self.entries.get(key)
        if entry is None:
            known = self.read(key)
            if known is None:
                raise KeyError(key)
            entry = known.copy()
            self.entries[key] = entry
        return entry

    def put(self, key: K, entry: E) -> None:
        """Add or replace an entry."""
        self.entries[key] = entry

    def remove(self, key: K) -> None:
        """Remove an entry."""
        self.entries[key] = None

    def stamp(self, ledger: int) -> None:
        """Note on every changed entry in which ledger that was."""
        for entry in self.entries.values():
            if entry is not None:
                entry.modified_ledger = ledger

    def commit(self) -> None:
        """Hand every change to the parent."""
        if self.parent is not None:
            self.parent.take(self.entries)
            self.entries = {}

    def take(self, changes: dict[K, E | None]) -> None:
        """Receive the changes of a child; the root forgets what was removed."""
        self.entries.update(changes)
        if self.parent is None:
            for key, entry in changes.items():
                if entry is None:
                    self.entries.pop(key, None)


class State:
    """All entries of the ledger, or a draft over them (`State(parent)`)."""

    def __init__(self, parent: State | None = None) -> None:
        self.parent = parent
        self.accounts: Table[str, Account] = Table(parent.accounts if parent else None)
        self.lines: Table[tuple[str, Asset], TrustLine] = Table(parent.lines if parent else None)
        self.balances: Table[str, ClaimableBalance] = Table(parent.balances if parent else None)
        self.holdings: Table[tuple[str, Asset], Holding] = Table(
            parent.holdings if parent else None
        )
        self.nonces: Table[tuple[str, int], Nonce] = Table(parent.nonces if parent else None)
        self.assets_held: dict[str, set[Asset]] = {}
        self._assets_seen: set[Asset] = set()

    def draft(self) -> State:
        """Return a draft over this state."""
        return State(self)

    def commit(self, ledger: int) -> None:
        """Hand the draft's changes to its parent, as last modified in `ledger`."""
        if self.parent is not None:
            self.parent.index(self)
        tables: tuple[Table[Any, Any], ...] = (
            self.accounts,
            self.lines,
            self.balances,
            self.holdings,
            self.nonces,
        )
        for table in tables:
            table.stamp(ledger)
            table.commit()

    def index(self, draft: State) -> None:
        """Keep the root's lists of who holds which asset, and of the assets there ever were."""
        if self.parent is not None:
            return
        for (account, asset), line in draft.lines.entries.items():
            held = self.assets_held.setdefault(account, set())
            if line is None:
                held.discard(asset)
            else:
                held.add(asset)
            self._assets_seen.add(asset)
        for balance in draft.balances.entries.values():
            if balance is not None:
                self._assets_seen.add(balance.asset)
        self._assets_seen.update(asset for _, asset in draft.holdings.entries)

    @property
    def assets_seen(self) -> set[Asset]:
        """The assets that anybody ever held or could claim."""
        return self._assets_seen if self.parent is None else self.parent.assets_seen

    def lines_of(self, account: str) -> list[TrustLine]:
        """Return the trust lines of an account in Horizon's order; only on the root."""
        held = self.assets_held.get(account, set())
        found = (self.lines.read((account, asset)) for asset in held)
        lines = [line for line in found if line is not None]
        return sorted(lines, key=lambda line: (line.asset.code, line.asset.issuer))

    def copy(self) -> State:
        """Return an independent copy of a root."""
        return deepcopy(self)
