"""What the configuration says about an asset, as plain values."""

from dataclasses import dataclass, field
from decimal import Decimal

from anchor.fees import Fees


@dataclass(frozen=True)
class FlowPolicy:
    """What an asset allows one way; amounts in stroops, None is no limit.

    `daily_limit` and `monthly_limit` are what one customer may move in 24 hours and in 30 days.
    """

    enabled: bool = False
    min_amount: int | None = None
    max_amount: int | None = None
    fees: Fees = field(default_factory=Fees)
    daily_limit: int | None = None
    monthly_limit: int | None = None


@dataclass(frozen=True)
class DeliveryPolicy:
    """How deposits of an asset may reach accounts on the ledger.

    An account that is not there is created with `starting_balance` stroops of lumens, for
    `creation_fee` stroops of the asset; for that fee one that lacks lumens for a trust line is
    sent them, so many at most. With `authorize_trustlines` the issuer authorizes lines that are
    new. A claimable balance is taken back after
    `reclaim_days`. A deposit waits for its trust line for `trust_days`.
    """

    create_accounts: bool = False
    starting_balance: int = 0
    creation_fee: int = 0
    claimable_balances: bool = False
    reclaim_days: int = 30
    trust_days: int = 30
    authorize_trustlines: bool = False


@dataclass(frozen=True)
class RefundPolicy:
    """What an asset's refunds cost, and which are made by themselves.

    `fee` (stroops) is kept of each. `automatic` are the verdicts of payments on the ledger that
    are sent back without a person, none by default, from `min_amount` stroops on and no more
    than `daily_count` and `daily_amount` (stroops) in 24 hours. With `after_trust_days` a
    deposit that waited for its trust line in vain is sent back.
    """

    fee: int = 0
    automatic: frozenset[str] = frozenset()
    min_amount: int = 10_000_000
    daily_count: int = 20
    daily_amount: int = 10_000_000_000
    after_trust_days: bool = False


@dataclass(frozen=True)
class SendPolicy:
    """What sending anchors are asked for with a send of an asset.

    `sender_types` and `receiver_types` are the types as one of which a customer has to be
    accepted; none asks for nobody. With `waits_for_customers` a send is opened before they are, and
    is not paid for until they are; else it is refused.
    """

    quotes_required: bool = False
    waits_for_customers: bool = True
    sender_types: tuple[str, ...] = ()
    receiver_types: tuple[str, ...] = ()


@dataclass(frozen=True)
class SendingAnchor:
    """A business with which it is agreed that it sends: its accounts, and how it settles.

    `settlement` is ``stellar``: it pays on the ledger; or ``rail``: its money comes by rail.
    """

    name: str
    accounts: tuple[str, ...]
    settlement: str = "stellar"


#: The rail of the house's own money.
HOUSE = "house"


@dataclass(frozen=True)
class ReceivingAnchor:
    """An anchor that we send to: at most `cap` stroops of an asset may be under way to it."""

    domain: str
    cap: int


@dataclass(frozen=True)
class AssetPolicy:
    """One Stellar asset that the anchor serves.

    `matching` says how a payment credits a transaction: ``exact`` amount, within
    `tolerance` stroops or `tolerance_percent` of it, or ``collect`` several payments. `decimals`
    are the rail's. No more than `outflow_cap` stroops go out in an hour.
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
    refund: RefundPolicy = field(default_factory=RefundPolicy)
    sends: SendPolicy = field(default_factory=SendPolicy)
    currency: str | None = None
    outflow_cap: int | None = None
    tolerance_percent: Decimal | int = 0

    def slack(self, amount: int | None) -> int:
        """Return by how many stroops a payment may differ from `amount`, where it may at all."""
        share = int((amount or 0) * self.tolerance_percent / 100)
        return max(self.tolerance, share)

    @property
    def id(self) -> str:
        """The asset as the ledger names it: ``CODE:ISSUER`` or ``native``."""
        return f"{self.code}:{self.issuer}" if self.issuer else "native"

    @property
    def booked_in(self) -> str:
        """The currency in which rails book money for it, one unit for one of the asset."""
        return self.currency or self.code


@dataclass(frozen=True)
class LimitPolicy:
    """How many requests are answered in a minute; 0 is no limit.

    `costly` ones are those that sign, ask others or write: they count in both. `proxies` is
    how many of ours stand in front and tell the address of whoever asks.
    """

    proxies: int = 0
    address_per_minute: int = 6_000
    account_per_minute: int = 1_200
    client_domain_per_minute: int = 60_000
    costly_address_per_minute: int = 1_200
    costly_account_per_minute: int = 240
    costly_client_domain_per_minute: int = 12_000
