"""What the configuration says about an asset, as plain values."""

from dataclasses import dataclass, field
from decimal import Decimal

from anchor.money import FeeSchedule


@dataclass(frozen=True)
class FlowPolicy:
    """What an asset allows one way; amounts in stroops, None is no limit."""

    enabled: bool = False
    min_amount: int | None = None
    max_amount: int | None = None
    fee: FeeSchedule = field(default_factory=lambda: FeeSchedule(0, Decimal(0)))


@dataclass(frozen=True)
class DeliveryPolicy:
    """How deposits of an asset may reach accounts on the ledger.

    An account that is not there is created with `starting_balance` stroops of lumens, for
    `creation_fee` stroops of the asset. A claimable balance is taken back after
    `reclaim_days`. A deposit waits for its trust line for `trust_days`.
    """

    create_accounts: bool = False
    starting_balance: int = 0
    creation_fee: int = 0
    claimable_balances: bool = False
    reclaim_days: int = 30
    trust_days: int = 30


@dataclass(frozen=True)
class AssetPolicy:
    """One Stellar asset that the anchor serves.

    `matching` says how a payment credits a transaction: ``exact`` amount, within
    `tolerance` stroops, or ``collect`` several payments. `decimals` are the rail's.
    """

    code: str
    issuer: str | None
    distribution: str
    rails: tuple[str, ...]
    decimals: int
    matching: str
    tolerance: int
    withdrawal: FlowPolicy
    deposit: FlowPolicy
    send: FlowPolicy
    delivery: DeliveryPolicy = field(default_factory=DeliveryPolicy)
    currency: str | None = None

    @property
    def id(self) -> str:
        """The asset as the ledger names it: ``CODE:ISSUER`` or ``native``."""
        return f"{self.code}:{self.issuer}" if self.issuer else "native"

    @property
    def booked_in(self) -> str:
        """The currency in which rails book money for it, one unit for one of the asset."""
        return self.currency or self.code
