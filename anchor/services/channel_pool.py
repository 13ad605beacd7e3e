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
from anchor.integrations.custody import Declined, Signature, Signed, Signer, SigningRequest
from anchor.ledger.gateway import Gateway, LedgerAccount
from anchor.ledger.orders import LedgerOrder, Unsigned
from anchor.models import Channel
from anchor.services import networks, own_submissions
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
    knows at once whom we have paid, and a crash on the way forgets none. Raises as
    `own_submissions.carry_out` does: the same again does what is missing.
    """
    networks.stamp(gateway, settings().network_passphrase)
    new = {keys_of(number).account: number for number in range(_next_number(), count)}
    for account_id, number in new.items():
        _add(number, account_id)
    missing = [account for _, account in _pool() if gateway.account(account) is None]
    _fill(source, missing, lumens)
    return len(new.keys() | set(missing))


def top_up(gateway: Gateway, source: str, lumens: int) -> int:
    """Bring each channel that holds less than `lumens` stroops up to that; return how many.

    Raises as `grow` does.
    """
    low = [each.account_id for each in look(gateway) if (each.lumens or 0) < lumens]
    _fill(source, low, lumens)
    return len(low)


def _fill(source: str, accounts: Sequence[str], lumens: int) -> None:
    """Give each of some channels what it lacks of `lumens`, in as many envelopes as it takes."""
    for start in range(0, len(accounts), _ORDERS_MAX):
        some = accounts[start : start + _ORDERS_MAX]

        def wanted(
            node: Gateway, _source: LedgerAccount | None, some: Sequence[str] = some
        ) -> list[LedgerOrder]:
            orders = (_order(each, node.account(each), lumens) for each in some)
            return [order for order in orders if order is not None]

        own_submissions.carry_out(source, wanted, _sign)


def _order(account_id: str, account: LedgerAccount | None, lumens: int) -> LedgerOrder | None:
    """Return what a channel needs to hold `lumens`; None where it does."""
    if account is None:
        return LedgerOrder("establish", destination=account_id, starting_balance=lumens)
    line = account.balance(NATIVE)
    lacks = lumens - (line.amount if line else 0)
    return LedgerOrder("payment", destination=account_id, amount=lacks) if lacks > 0 else None


def _sign(unsigned: Unsigned, max_time: int) -> Sequence[Signature]:
    custody = house().custody
    if not isinstance(custody, Signer):
        raise Misconfigured("No custody signs for the distribution accounts here.")
    answer = custody.sign(
        SigningRequest(
            key=f"channels-{unsigned.hash}",
            transaction_id="channels",
            envelope_xdr=unsigned.envelope_xdr,
            hash=unsigned.hash,
            network_passphrase=settings().network_passphrase,
            accounts=unsigned.sources,
            valid_until=datetime.fromtimestamp(max_time, UTC),
        )
    )
    if isinstance(answer, Declined):
        raise Rejected(f"custody declined: {answer.reason}")
    if not isinstance(answer, Signed):
        raise Unavailable("custody has not signed; try again later")
    return answer.signatures


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
