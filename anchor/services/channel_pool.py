"""The pool of channel accounts: made, topped up and shown, as an operator asks.

All of it can be repeated: an account that is there is not made again, and one that has
enough is given nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from anchor.assets import NATIVE
from anchor.errors import Misconfigured, Rejected, Unavailable
from anchor.extensions import atomic, db, house, settings
from anchor.integrations.custody import Signed, Signer, SigningRequest
from anchor.ledger.gateway import Gateway
from anchor.ledger.orders import LedgerOrder
from anchor.models import Channel
from anchor.services import networks
from anchor.services.channels import keys_of

#: What one transaction can hold.
_ORDERS_MAX = 100


@dataclass(frozen=True)
class Found:
    """A channel of the pool as the ledger has it; `lumens` in stroops, None where it is not."""

    number: int
    account_id: str
    lumens: int | None


def look(gateway: Gateway) -> list[Found]:
    """Return the channels of the pool with what they hold."""
    found = []
    for number, account_id in _pool():
        account = gateway.account(account_id)
        line = account.balance(NATIVE) if account else None
        found.append(Found(number, account_id, line.amount if line else None))
    return found


def grow(gateway: Gateway, source: str, count: int, lumens: int) -> int:
    """Make the pool `count` channels large, each with `lumens` stroops; return how many came.

    `source` pays for them. They are noted before the ledger hears of them: who follows it
    knows at once whom we have paid, and a crash on the way forgets none. Raises
    `Unavailable` where the outcome is unknown: the same again does what is missing.
    """
    new = {keys_of(number).account: number for number in range(_next_number(), count)}
    for account_id, number in new.items():
        _add(number, account_id)
    missing = [account for _, account in _pool() if gateway.account(account) is None]
    orders = [
        LedgerOrder("establish", destination=each, starting_balance=lumens) for each in missing
    ]
    for start in range(0, len(orders), _ORDERS_MAX):
        _carry_out(gateway, source, orders[start : start + _ORDERS_MAX])
    return len(new.keys() | set(missing))


def top_up(gateway: Gateway, source: str, lumens: int) -> int:
    """Bring each channel that holds less than `lumens` stroops up to that; return how many."""
    low = [each for each in look(gateway) if (each.lumens or 0) < lumens]
    orders = [
        LedgerOrder("payment", destination=each.account_id, amount=lumens - each.lumens)
        if each.lumens is not None
        else LedgerOrder("establish", destination=each.account_id, starting_balance=lumens)
        for each in low
    ]
    for start in range(0, len(orders), _ORDERS_MAX):
        _carry_out(gateway, source, orders[start : start + _ORDERS_MAX])
    return len(low)


def _carry_out(gateway: Gateway, source: str, orders: Sequence[LedgerOrder]) -> None:
    """Do what is ordered in one transaction of the source account itself."""
    from anchor.ledger import envelopes  # only who signs needs stellar_sdk

    if not orders:
        return
    account, state = gateway.account(source), gateway.network()
    if account is None:
        raise Rejected(f"{source} does not exist on the ledger")
    custody = house().custody
    if not isinstance(custody, Signer):
        raise Misconfigured("No custody signs for the distribution accounts here.")
    max_time = int(state.latest_closed_at.timestamp()) + settings().time_bound_s
    unsigned = envelopes.build(
        source,
        account.sequence + 1,
        source,
        orders,
        fee_per_operation=min(gateway.fee_stats().base_fee, settings().base_fee_max),
        max_time=max_time,
        passphrase=settings().network_passphrase,
    )
    answer = custody.sign(
        SigningRequest(
            key=f"channels-{unsigned.hash}",
            transaction_id="channels",
            envelope_xdr=unsigned.envelope_xdr,
            hash=unsigned.hash,
            network_passphrase=settings().network_passphrase,
            accounts=(source,),
            valid_until=datetime.fromtimestamp(max_time, UTC),
        )
    )
    if not isinstance(answer, Signed):
        raise Unavailable("custody has not signed; try again later")
    signed = envelopes.add_signatures(
        unsigned.envelope_xdr, answer.signatures, settings().network_passphrase
    )
    gateway.submit(signed)


@atomic
def _pool() -> list[tuple[int, str]]:
    query = (
        select(Channel.number, Channel.account_id)
        .where(
            Channel.network_id == networks.current_id(),
            Channel.number.is_not(None),
            Channel.retired_at.is_(None),
        )
        .order_by(Channel.number)
    )
    return [(int(number or 0), account_id) for number, account_id in db.session.execute(query)]


@atomic
def _next_number() -> int:
    query = select(func.coalesce(func.max(Channel.number), -1) + 1).where(
        Channel.network_id == networks.current_id()
    )
    return int(db.session.execute(query).scalar_one() or 0)


@atomic
def _add(number: int, account_id: str) -> None:
    db.session.execute(
        insert(Channel)
        .values(network_id=networks.current_id(), account_id=account_id, number=number)
        .on_conflict_do_nothing()
    )
