"""What SEP-24 asks and shows: the words on the wire."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from anchor.config import FlowPolicy, Settings
from anchor.lifecycle import Kind, Status
from anchor.money import format_amount, to_decimal
from anchor.serializers.values import Address, Amount, Instant, plain
from anchor.services.withdrawals import View

_INSTANT = Instant()
#: Statuses that SEP-24 has no word for, in its nearest one (SEP24-108).
_WORDS = {
    Status.PENDING_CUSTOMER_INFO_UPDATE: Status.PENDING_USER,
    Status.PENDING_TRANSACTION_INFO_UPDATE: Status.PENDING_USER,
}
#: Statuses in which the user has to do something by a deadline.
_WAITS_FOR_USER = {Status.INCOMPLETE, Status.PENDING_USER_TRANSFER_START, Status.PENDING_USER}


class _Query(Schema):
    class Meta:
        unknown = EXCLUDE


def _text(length: int = 200, **kwargs: Any) -> fields.String:
    return fields.String(validate=[validate.Length(1, length), plain], **kwargs)


class WithdrawBody(_Query):
    """The body of ``POST /transactions/withdraw/interactive``."""

    asset_code = _text(12, required=True)
    asset_issuer = Address()
    amount = Amount()
    account = Address()
    lang = _text(35)
    quote_id = _text(100)
    destination_asset = _text(100)


class ListQuery(_Query):
    """The query of ``GET /transactions``."""

    asset_code = _text(12, required=True)
    kind = fields.String(validate=validate.OneOf(["deposit", "withdrawal"]))
    limit = fields.Integer(validate=validate.Range(min=1, max=10_000))
    no_older_than = Instant()
    paging_id = _text(100)
    lang = _text(35)


class OneQuery(_Query):
    """The query of ``GET /transaction``."""

    id = _text(100)
    stellar_transaction_id = _text(100)
    external_transaction_id = _text(200)
    lang = _text(35)


def info(settings: Settings) -> dict[str, Any]:
    """Return the body of ``GET /info``."""
    return {
        "deposit": {},
        "withdraw": {
            code: _flow(policy.withdrawal)
            for code, policy in settings.assets.items()
            if policy.withdrawal.enabled
        },
        "fee": {"enabled": False},
        "features": {"account_creation": False, "claimable_balances": False},
    }


def _flow(flow: FlowPolicy) -> dict[str, Any]:
    body: dict[str, Any] = {"enabled": True}
    if flow.min_amount is not None:
        body["min_amount"] = _number(to_decimal(flow.min_amount))
    if flow.max_amount is not None:
        body["max_amount"] = _number(to_decimal(flow.max_amount))
    body["fee_fixed"] = _number(to_decimal(flow.fee.fixed))
    body["fee_percent"] = _number(flow.fee.percent)
    return body


def _number(amount: Decimal) -> Any:
    # SEP-24 wants JSON numbers here: the reader's, not ours, is the binary fraction.
    return json.loads(format(amount.normalize(), "f"))


def one(view: View, settings: Settings, more_info_url: Callable[[str], str]) -> dict[str, Any]:
    """Return a transaction as SEP-24 shows it; what is not known yet is null or absent."""
    row = view.row
    status = Status(row.status)
    body: dict[str, Any] = {
        "id": row.id,
        "kind": "withdrawal" if Kind(row.kind).value.startswith("withdrawal") else "deposit",
        "status": _WORDS.get(status, status).value,
        "more_info_url": more_info_url(row.id),
        "amount_in": _amount(row.amount_in if row.amount_in is not None else row.amount_expected),
        "amount_in_asset": f"stellar:{row.asset}",
        "amount_out": _amount(row.amount_out),
        "amount_out_asset": f"stellar:{row.asset}",
        "started_at": _INSTANT._serialize(row.started_at, None, None),
        "updated_at": _INSTANT._serialize(row.updated_at, None, None),
        "completed_at": _INSTANT._serialize(row.completed_at, None, None),
        "stellar_transaction_id": row.stellar_transaction_id,
        "external_transaction_id": row.external_transaction_id,
        "message": row.message,
        "refunded": status is Status.REFUNDED,
        "from": row.from_account,
        "to": _masked(row.details.get("bank_account_number")),
    }
    if row.amount_fee is not None:
        fee = format_amount(row.amount_fee)
        body["amount_fee"] = fee
        body["amount_fee_asset"] = f"stellar:{row.asset}"
        body["fee_details"] = {"total": fee, "asset": f"stellar:{row.asset}"}
    if status in _WAITS_FOR_USER and row.deadline_at is not None:
        body["user_action_required_by"] = _INSTANT._serialize(row.deadline_at, None, None)
    policy = settings.asset_by_id(row.asset)
    body["withdraw_anchor_account"] = (
        view.memo.account_id if view.memo else policy.distribution if policy else None
    )
    body["withdraw_memo"] = view.memo.memo if view.memo else None
    body["withdraw_memo_type"] = view.memo.memo_type if view.memo else "id"
    return body


def _amount(stroops: int | None) -> str | None:
    return None if stroops is None else format_amount(stroops)


def _masked(account: str | None) -> str | None:
    if account is None:
        return None
    return "*" * max(len(account) - 4, 0) + account[-4:]
