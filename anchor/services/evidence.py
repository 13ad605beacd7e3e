"""What a ledger shows of a payment that a custodian says it made: nothing is believed unseen."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from anchor.errors import Unavailable
from anchor.extensions import gateway, settings
from anchor.integrations.custody import Paid
from anchor.ledger.gateway import LedgerTransaction
from anchor.ledger.orders import LedgerOrder

_HASH = re.compile(r"[0-9a-f]{64}")
#: The ledger's clock and the database's differ by less.
_CLOCKS = timedelta(minutes=5)


@dataclass(frozen=True)
class Wanted:
    """What a transaction has to show: the order, from `source`, not before `since`."""

    source: str
    order: LedgerOrder
    memo_type: str
    memo: str | None
    since: datetime


@dataclass(frozen=True)
class Evidence:
    """What was found under `hash`; `found` None where no ledger is known to hold it yet.

    `places` are the operations that do what was ordered, `balance_ids` those of claimable
    balances by their place, `fee` the stroops of lumens that the source paid for all of it.
    `differs` says why it is not the payment that was ordered; `is_early` where the only
    reason is that it closed before the order was given.
    """

    hash: str
    found: LedgerTransaction | None = None
    places: tuple[int, ...] = ()
    balance_ids: tuple[str, ...] = ()
    fee: int = 0
    differs: str | None = None
    is_early: bool = False


def look(wanted: Wanted, told: Paid) -> Evidence:
    """Look up what a custodian told, and hold it against the order.

    A source that gives no answer has found nothing yet: what was told is kept all the same.
    """
    told_hash = str(told.transaction_hash).lower()
    if not _HASH.fullmatch(told_hash):
        shown = "".join(letter for letter in told_hash if letter.isprintable())
        return Evidence(shown[:64], differs="what was told is no hash")
    try:
        found = gateway().transaction(told_hash)
    except Unavailable:
        found = None
    if found is None:
        return Evidence(told_hash)
    return _held_against(wanted, told_hash, found)


def _held_against(wanted: Wanted, told_hash: str, found: LedgerTransaction) -> Evidence:
    from anchor.ledger import contents, envelopes  # only who looks needs stellar_sdk

    envelope, passphrase = found.envelope_xdr, settings().network_passphrase
    own = {
        envelopes.hash_of(envelope, passphrase),
        envelopes.inner_hash_of(envelope, passphrase),
    }
    if told_hash not in own or found.hash not in own:
        raise Unavailable(f"the source shows another envelope under {told_hash}")
    places = contents.places_of(envelope, wanted.order, wanted.source, passphrase)
    has_memo = contents.carries_memo(envelope, wanted.memo_type, wanted.memo, passphrase)
    payer = contents.fee_account(envelope, passphrase)
    is_early, differs = False, None
    if not found.successful:
        differs = f"it failed: {found.verdict.code}"
    elif not places:
        differs = "no operation in it does what was ordered"
    elif not has_memo:
        differs = "its memo is another"
    elif found.closed_at < wanted.since - _CLOCKS:
        is_early, differs = True, "it closed before the order was given"
    balance_ids: tuple[str, ...] = ()
    if places and wanted.order.form == "claimable_balance":
        balance_ids = tuple(
            envelopes.claimable_balance_id(envelope, place, passphrase) for place in places
        )
    fee = found.fee_charged if payer == wanted.source else 0
    return Evidence(told_hash, found, places, balance_ids, fee, differs, is_early)
