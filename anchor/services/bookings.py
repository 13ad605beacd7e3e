"""What each fact about money writes into the books: which accounts, and with what sign.

What we hold (``treasury``, ``bank``) grows upwards; what we owe (``customer``, ``suspense``,
``in_transit``) and what we earn (``fees``) grows downwards.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Select,
    Table,
    Text,
    case,
    column,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import insert

from anchor.assets import NATIVE
from anchor.extensions import db
from anchor.matching import Verdict
from anchor.models import ClaimableBalance, Outflow, Payment, Posting
from anchor.policies import HOUSE
from anchor.services import books
from anchor.services.arrivals import Arrival
from anchor.services.transactions import any_of

#: Two claimants, half a lumen for each.
_RESERVES = 2 * 5_000_000
#: Verdicts of money that is a customer's.
_CUSTOMERS = (Verdict.CREDITED, Verdict.RETURNED)
_COLUMNS = ("cause", "account", "asset", "amount", "transaction_id")


def payments_arrived(network_id: int, account_id: str, operation_ids: Iterable[int]) -> None:
    """Book what came in to an account of ours by these operations: credited to customers, or in
    suspense.

    Cause: ``payment <network>/<operation>/<index>``. What came before we were in charge is
    part of what the treasury held then, and is not booked. Needs an open transaction.
    """
    owed = case((Payment.verdict.in_(_CUSTOMERS), "customer"), else_="suspense")
    _book(
        _sides(network_id, account_id, operation_ids, literal("treasury", Text()), owed).where(
            Payment.verdict != Verdict.HISTORY
        )
    )


def payments_judged(network_id: int, account_id: str, operation_ids: Iterable[int]) -> None:
    """Move out of suspense what was kept there unjudged, once it is judged.

    What the same operation brought to another account of ours was booked with that one.
    Cause: ``payment <network>/<operation>/<index> judged``. Needs an open transaction.
    """
    owed = case((Payment.verdict.in_(_CUSTOMERS), "customer"), else_="treasury")
    _book(
        _sides(
            network_id,
            account_id,
            operation_ids,
            literal("suspense", Text()),
            owed,
            suffix=" judged",
        ).where(or_(Payment.verdict.in_(_CUSTOMERS), Payment.verdict == Verdict.HISTORY))
    )


def outflow_opened(*outflows: Outflow) -> None:
    """Book money that is to go out: what we owed is under way, less the fee.

    On a quote it is exchanged on the way: given in one asset, taken in the other.
    Cause: ``outflow <id> opened``. Needs an open transaction, as all of these do.
    """
    books.post_all([row for outflow in outflows for row in _opened(outflow, "opened", 1)])


def rail_payment_done(outflow: Outflow) -> None:
    """Book what left the bank, or the house took back. Cause: ``outflow <id> done``."""
    held_at = held_by(outflow.rail)
    _post(outflow, "done", ("in_transit", outflow.amount), (held_at, -outflow.amount))


def held_by(rail: str | None) -> str:
    """Return the account that money of a rail is in: no bank has the house's own."""
    return HOUSE if rail == HOUSE else "bank"


def outflow_refused(outflow: Outflow) -> None:
    """Take back what `outflow_opened` booked. Cause: ``outflow <id> refused``."""
    books.post_all(_opened(outflow, "refused", -1))


def _opened(outflow: Outflow, event: str, sign: int) -> list[dict[str, object]]:
    given = outflow.gross_asset
    entries = [
        (_owed(outflow), given, sign * outflow.gross),
        ("fees", given, -sign * outflow.amount_fee),
        *_exchanged(outflow, sign),
        ("in_transit", outflow.asset, -sign * outflow.amount),
    ]
    return books.rows(f"outflow {outflow.id} {event}", entries, outflow.transaction_id)


def _exchanged(outflow: Outflow, sign: int) -> list[books.Entry]:
    """Return what a quote turns from one asset into another, or back where `sign` is -1."""
    if outflow.sold is None:
        return []
    return [
        ("exchange", outflow.gross_asset, -sign * outflow.net),
        ("exchange", outflow.asset, sign * outflow.amount),
    ]


def ledger_payment_done(*outflows: Outflow) -> None:
    """Book what left the treasury on the ledger. Cause: ``outflow <id> done``."""
    books.post_all([row for outflow in outflows for row in _ledger_payment(outflow)])


def _ledger_payment(outflow: Outflow) -> list[dict[str, object]]:
    paid_from = "starting_balances" if outflow.only_prepares else "in_transit"
    return _rows(outflow, "done", (paid_from, outflow.amount), ("treasury", -outflow.amount))


def came_back(outflow: Outflow, amount: int) -> None:
    """Book what came back after it had arrived: we owe it again. Cause: ``outflow <id> returned``.

    What the way back cost is missing at the bank, and is the fees' loss.
    """
    entries = [
        ("bank", outflow.asset, amount),
        ("fees", outflow.asset, outflow.amount - amount),
        *_exchanged(outflow, -1),
        (_owed(outflow), outflow.gross_asset, -outflow.net),
    ]
    books.post(f"outflow {outflow.id} returned", entries, outflow.transaction_id)


def credited_by_hand(arrival: Arrival, transaction_id: str, asset: str) -> None:
    """Move what a person credited from suspense to its customer. Cause: ``<arrival> credited``.

    A booking that several assets might have been for becomes one of `asset`.
    """
    entries = [("suspense", arrival.asset, arrival.amount), ("customer", asset, -arrival.amount)]
    if asset != arrival.asset:
        entries += [("bank", arrival.asset, -arrival.amount), ("bank", asset, arrival.amount)]
    books.post(f"{arrival.cause} credited", entries, transaction_id)


def reserves_locked(balance_id: str, transaction_id: str) -> None:
    """Book what a claimable balance locks of our lumens: a base reserve for each claimant.

    Cause: ``balance <id> made``. They stay on our account, and may not leave it.
    """
    _reserves(f"balance {balance_id} made", _RESERVES, transaction_id)


def reserves_released(balance_id: str, transaction_id: str) -> None:
    """Take back what `reserves_locked` booked. Cause: ``balance <id> ended``."""
    _reserves(f"balance {balance_id} ended", -_RESERVES, transaction_id)


def _reserves(cause: str, amount: int, transaction_id: str) -> None:
    entries = [("reserves", NATIVE, amount), ("treasury", NATIVE, -amount)]
    books.post(cause, entries, transaction_id)


def balance_reclaimed(row: ClaimableBalance, outflow: Outflow) -> None:
    """Book what we took back: it is here, and owed to the customer again.

    Cause: ``balance <id> reclaimed``.
    """
    entries = [
        ("treasury", row.asset, row.amount),
        *_exchanged(outflow, -1),
        ("customer", outflow.gross_asset, -outflow.net),
    ]
    books.post(f"balance {row.id} reclaimed", entries, row.transaction_id)


def fees_charged(fees: Mapping[int, int]) -> None:
    """Book what submissions cost, in stroops of lumens by their ids.

    Cause: ``submission <id> fee``.
    """
    entries: list[dict[str, object]] = []
    for submission_id, fee in fees.items():
        sides = [("network_fees", NATIVE, fee), ("treasury", NATIVE, -fee)]
        entries += books.rows(f"submission {submission_id} fee", sides)
    books.post_all(entries)


def custody_charged(transaction_hash: str, fee: int) -> None:
    """Book what a custodian's transaction cost our account, in stroops of lumens.

    Cause: ``transaction <hash> fee``; it is booked once, however many orders it carried.
    """
    cause = f"transaction {transaction_hash} fee"
    books.post(cause, [("network_fees", NATIVE, fee), ("treasury", NATIVE, -fee)])


def _owed(outflow: Outflow) -> str:
    """Return the account of what we owed: a refund of what nobody was credited is in suspense."""
    return "suspense" if outflow.transaction_id is None else "customer"


def _post(outflow: Outflow, event: str, *entries: tuple[str, int]) -> None:
    books.post_all(_rows(outflow, event, *entries))


def _rows(outflow: Outflow, event: str, *entries: tuple[str, int]) -> list[dict[str, object]]:
    return books.rows(
        f"outflow {outflow.id} {event}",
        [(account, outflow.asset, amount) for account, amount in entries],
        outflow.transaction_id,
    )


def _sides(
    network_id: int,
    account_id: str,
    operation_ids: Iterable[int],
    into: Any,
    out_of: Any,
    *,
    suffix: str = "",
) -> Select[Any]:
    """Select two entries for each payment that came in: one into an account, one out of one."""
    signs = func.unnest(literal([1, -1], ARRAY(BigInteger))).table_valued(
        column("sign", BigInteger), name="signs"
    )
    sign = signs.c.sign
    cause = func.concat(
        "payment ", Payment.network_id, "/", Payment.operation_id, "/", Payment.index, suffix
    )
    return (
        select(
            cause,
            case((sign == 1, into), else_=out_of),
            Payment.asset,
            sign * Payment.amount,
            Payment.transaction_id,
        )
        .join(signs, true())
        .where(
            Payment.network_id == network_id,
            Payment.account_id == account_id,
            Payment.operation_id == any_of(set(operation_ids), BigInteger()),
            Payment.direction == "in",
            Payment.asset.is_not(None),
            Payment.amount > 0,
        )
    )


def _book(entries: Select[Any]) -> None:
    table = cast(Table, Posting.__table__)
    db.session.execute(insert(table).from_select(_COLUMNS, entries).on_conflict_do_nothing())
