"""What SEP-24 asks and shows: the words on the wire."""

from collections.abc import Callable, Sequence
from typing import Any

from marshmallow import fields, validate

from anchor.config import Settings
from anchor.lifecycle import Status
from anchor.policies import FlowPolicy
from anchor.serializers import transaction_words as words
from anchor.serializers.fields import Address, Amount, Lang, MemoText, text
from anchor.serializers.query import Query
from anchor.services.views import View

#: Statuses that SEP-24 has no word for, in its nearest one (SEP24-108).
_WORDS = {
    Status.PENDING_CUSTOMER_INFO_UPDATE: Status.PENDING_USER,
    Status.PENDING_TRANSACTION_INFO_UPDATE: Status.PENDING_USER,
}
#: Statuses in which the user has to do something by a deadline.
_WAITS_FOR_USER = frozenset(
    {Status.INCOMPLETE, Status.PENDING_USER_TRANSFER_START, Status.PENDING_USER}
)

InfoQuery = words.InfoQuery
OneQuery = words.OneQuery


class WithdrawBody(Query):
    """The body of ``POST /transactions/withdraw/interactive``."""

    asset_code = text(12, required=True)
    asset_issuer = Address()
    amount = Amount()
    account = Address()
    lang = Lang()
    quote_id = text(100)
    customer_id = text(100)
    destination_asset = text(100)
    refund_memo = MemoText()
    refund_memo_type = text(10)


class DepositBody(Query):
    """The body of ``POST /transactions/deposit/interactive``."""

    asset_code = text(12, required=True)
    asset_issuer = Address()
    source_asset = text(100)
    amount = Amount()
    account = text(100)
    memo = MemoText()
    memo_type = text(10)
    lang = Lang()
    quote_id = text(100)
    customer_id = text(100)
    claimable_balance_supported = fields.Boolean(load_default=False)


class ListQuery(words.ListQuery):
    """The query of ``GET /transactions``."""

    kind = fields.String(validate=validate.OneOf(["deposit", "withdrawal"]))


def info(settings: Settings) -> dict[str, Any]:
    """Return the body of ``GET /info`` (SEP24-10 to 14)."""
    policies = settings.assets
    return {
        "deposit": {
            code: _flow(policy.deposit, policy.rails)
            for code, policy in policies.items()
            if policy.deposit.enabled
        },
        "withdraw": {
            code: _flow(policy.withdrawal, policy.rails)
            for code, policy in policies.items()
            if policy.withdrawal.enabled
        },
        "fee": {"enabled": False},
        "features": words.features(settings),
    }


def _flow(flow: FlowPolicy, rails: Sequence[str]) -> dict[str, Any]:
    told = words.limits(flow) | words.fees(flow, rails, minimum=True)
    return {"enabled": True} | told


def one(
    view: View,
    settings: Settings,
    more_info_url: Callable[[str], str],
    say: Callable[[str], str] = str,
) -> dict[str, Any]:
    """Return a transaction as SEP-24 shows it; what is not known yet is null or absent.

    `say` says its message in the asker's language.
    """
    row = view.row
    status = Status(row.status)
    is_deposit = words.is_a_deposit(view)
    body: dict[str, Any] = {
        "id": row.id,
        "kind": "deposit" if is_deposit else "withdrawal",
        "status": _WORDS.get(status, status).value,
        "more_info_url": more_info_url(row.id),
        **words.amounts(view),
        **words.instants(view),
        "stellar_transaction_id": row.stellar_transaction_id,
        "external_transaction_id": row.external_transaction_id,
        "message": say(row.message) if row.message else None,
        "refunded": status is Status.REFUNDED,
        **_fee(view, say),
    }
    if view.quote is not None:
        body["quote_id"] = view.quote.id
    body |= words.refunds(view) | words.due(view, settings, _WAITS_FOR_USER)
    return body | (words.of_deposit(view) if is_deposit else words.of_withdrawal(view, settings))


def _fee(view: View, say: Callable[[str], str]) -> dict[str, Any]:
    """Return the fee; its parts also by the name that SEP-24 alone has for them (SEP24-91)."""
    told = words.fee(view, say)
    if parts := told.get("fee_details", {}).get("details"):
        told["fee_details"]["breakdown"] = parts
    return told
