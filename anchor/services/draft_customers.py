"""Who the customer of an interactive transaction is, and what is asked of that one."""

import logging
from collections.abc import Mapping
from contextlib import suppress

from anchor.customers.fields import FIELDS
from anchor.customers.file_types import sniff
from anchor.customers.values import read as read_value
from anchor.errors import Rejected
from anchor.extensions import house
from anchor.lifecycle import DEPOSITS
from anchor.models import Transaction
from anchor.services import customer_uploads, customers, views
from anchor.services.customer_standings import CustomerView
from anchor.services.customer_uploads import Upload
from anchor.services.customers import Target
from anchor.services.transactions import owner_of

log = logging.getLogger(__name__)


def customer_of(row: Transaction) -> CustomerView | None:
    """Return how the customer stands for this transaction; None where nobody asks."""
    type_ = customer_type(row.kind)
    if type_ is None:
        return None
    return customer_uploads.look(target_of(row), type_, row.id)


def hold(row: Transaction) -> None:
    """Lock whoever the customer of a transaction is, so that no verdict comes in between.

    Called before the transaction is locked, as everywhere: a verdict locks its customer, and
    refers to the transaction then. Needs an open transaction.
    """
    if customer_type(row.kind) is not None:
        customers.hold(target_of(row))


def prefill(transaction_id: str, given: Mapping[str, object], files: Mapping[str, bytes]) -> None:
    """Hand what a wallet knows of its customer to the store, as far as that is asked for and good.

    What the store has already stays as it is (SEP24-26). Nothing is raised: the transaction is
    open, and its page asks for what was not kept.
    """
    if house().customers is None or not (given.keys() | files.keys()) & _askable():
        return
    try:
        _prefill(transaction_id, given, files)
    except Exception:  # the store is a plug-in, which may raise anything
        log.exception("what its wallet knows of the customer of %s was not kept", transaction_id)


def _prefill(transaction_id: str, given: Mapping[str, object], files: Mapping[str, bytes]) -> None:
    row = views.get(transaction_id).row
    customer = customer_of(row)
    if customer is None:
        return
    texts, good = {}, {}
    for need in customer.missing:
        own = None if need.name in FIELDS else need.type
        with suppress(Rejected):
            if need.type == "binary" and need.name in files:
                sniff(need.name, files[need.name])
                good[need.name] = files[need.name]
            elif need.type != "binary" and need.name in given:
                texts[need.name] = read_value(need.name, given[need.name], own_type=own)
    if texts or good:
        with suppress(Rejected):
            upload = Upload(texts, good, customer_type(row.kind), row.id)
            customer_uploads.put(target_of(row), upload)


def _askable() -> set[str]:
    """Return the names of all that may be asked of a customer."""
    plugin = house().customers
    rules = plugin.rules.values() if plugin is not None else ()
    return {rule.need.name for each in rules for rule in each.fields} | FIELDS.keys()


def customer_type(kind: str) -> str | None:
    """Return as what type of customer somebody is asked for a kind, by the most exact name."""
    plugin = house().customers
    own = "sep24-deposit" if kind in DEPOSITS else "sep24-withdrawal"
    known = plugin.types() if plugin is not None else ()
    return next((name for name in (own, "sep24") if name in known), None)


def target_of(row: Transaction) -> Target:
    """Return who the customer of a transaction is."""
    return customers.target_of(owner_of(row), row.customer_id)
