"""What SEP-24 asks and shows: the words on the wire."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from anchor.config import Settings
from anchor.lifecycle import Kind, Status
from anchor.money import format_amount, to_decimal
from anchor.policies import FlowPolicy
from anchor.serializers.values import Address, Amount, Instant, Lang, plain
from anchor.services.views import View
from anchor.web_auth import Principal

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


class InfoQuery(_Query):
    """The query of ``GET /info``."""

    lang = Lang()


class WithdrawBody(_Query):
    """The body of ``POST /transactions/withdraw/interactive``."""

    asset_code = _text(12, required=True)
    asset_issuer = Address()
    amount = Amount()
    account = Address()
    lang = Lang()
    quote_id = _text(100)
    destination_asset = _text(100)


class DepositBody(_Query):
    """The body of ``POST /transactions/deposit/interactive``."""

    asset_code = _text(12, required=True)
    asset_issuer = Address()
    source_asset = _text(100)
    amount = Amount()
    account = _text(100)
    memo = _text(64)
    memo_type = _text(10)
    lang = Lang()
    quote_id = _text(100)
    claimable_balance_supported = fields.Boolean(load_default=False)


def destination(body: Mapping[str, Any], principal: Principal) -> dict[str, str | None]:
    """Return where the wallet wants a deposit to go: to whom it says, or to who logged in.

    A customer below a shared account (``G…`` with a memo) is paid under the memo that logged
    in where the wallet names neither account nor memo: else nobody could tell whose it is.
    """
    memo_type, memo = body.get("memo_type"), body.get("memo")
    address = body.get("account") or principal.address
    is_shared = address == principal.account_id and principal.subaccount_id is not None
    if is_shared and not (body.get("account") or memo_type or memo):
        memo_type, memo = "id", str(principal.subaccount_id)
    return {
        "destination": address,
        "destination_memo_type": memo_type,
        "destination_memo": memo,
    }


class ListQuery(_Query):
    """The query of ``GET /transactions``."""

    asset_code = _text(12, required=True)
    kind = fields.String(validate=validate.OneOf(["deposit", "withdrawal"]))
    limit = fields.Integer(validate=validate.Range(min=1, max=10_000))
    no_older_than = Instant()
    paging_id = _text(100)
    lang = Lang()


class OneQuery(_Query):
    """The query of ``GET /transaction``."""

    id = _text(100)
    stellar_transaction_id = _text(100)
    external_transaction_id = _text(200)
    lang = Lang()


def info(settings: Settings) -> dict[str, Any]:
    """Return the body of ``GET /info`` (SEP24-10 to 14)."""
    policies = settings.assets
    ways = [policy.delivery for policy in policies.values() if policy.deposit.enabled]
    return {
        "deposit": {
            code: _flow(policy.deposit)
            for code, policy in policies.items()
            if policy.deposit.enabled
        },
        "withdraw": {
            code: _flow(policy.withdrawal)
            for code, policy in policies.items()
            if policy.withdrawal.enabled
        },
        "fee": {"enabled": False},
        "features": {
            "account_creation": any(way.create_accounts for way in ways),
            "claimable_balances": any(way.claimable_balances for way in ways),
        },
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
    is_deposit = is_a_deposit(view)
    came_as = row.amount_in_asset or f"stellar:{row.asset}"
    body: dict[str, Any] = {
        "id": row.id,
        "kind": "deposit" if is_deposit else "withdrawal",
        "status": _WORDS.get(status, status).value,
        "more_info_url": more_info_url(row.id),
        "amount_in": _amount(row.amount_received if row.funded_at else row.amount_expected),
        "amount_in_asset": came_as,
        "amount_out": _amount(row.amount_out),
        "amount_out_asset": row.amount_out_asset or f"stellar:{row.asset}",
        "started_at": _INSTANT._serialize(row.started_at, None, None),
        "updated_at": _INSTANT._serialize(row.updated_at, None, None),
        "completed_at": _INSTANT._serialize(row.completed_at, None, None),
        "stellar_transaction_id": row.stellar_transaction_id,
        "external_transaction_id": row.external_transaction_id,
        "message": row.message,
        "refunded": status is Status.REFUNDED,
    }
    if row.amount_fee is not None:
        fee = format_amount(row.amount_fee)
        body["amount_fee"] = fee
        body["amount_fee_asset"] = came_as
        body["fee_details"] = {"total": fee, "asset": came_as}
    if view.quote is not None:
        body["quote_id"] = view.quote.id
        if view.quote.fee_details:
            body["fee_details"]["details"] = view.quote.fee_details
    if view.refunds:
        body["refunds"] = _refunds(view)
    due = _due_at(view, settings)
    if due is not None:
        body["user_action_required_by"] = _INSTANT._serialize(due, None, None)
    return body | (_deposit(view) if is_deposit else _withdrawal(view, settings))


def _refunds(view: View) -> dict[str, Any]:
    """Return what went back to the user, by payment, without its fees (SEP24-80 to 83)."""
    return {
        "amount_refunded": format_amount(sum(each.amount for each in view.refunds)),
        "amount_fee": format_amount(sum(each.amount_fee for each in view.refunds)),
        "payments": [
            {
                "id": each.reference or each.key,
                "id_type": "external" if each.rail else "stellar",
                "amount": format_amount(each.amount),
                "fee": format_amount(each.amount_fee),
            }
            for each in view.refunds
        ],
    }


def is_a_deposit(view: View) -> bool:
    """Tell whether a transaction brings money onto the ledger."""
    return view.row.kind in (Kind.DEPOSIT, Kind.DEPOSIT_EXCHANGE)


def _due_at(view: View, settings: Settings) -> datetime | None:
    """Return until when the user has to act: to pay, or to trust the asset once that is due."""
    row = view.row
    if row.status == Status.PENDING_TRUST:
        policy = settings.asset_by_id(row.asset)
        if policy is None or row.funded_at is None:
            return None
        return row.funded_at + timedelta(days=policy.delivery.trust_days)
    return row.deadline_at if row.status in _WAITS_FOR_USER else None


def _deposit(view: View) -> dict[str, Any]:
    row = view.row
    memo = row.destination_memo
    if memo is not None and row.destination_memo_type == "hash":
        memo = b64encode(bytes.fromhex(memo)).decode()
    return {
        "from": masked(row.from_account),
        "to": row.destination,
        "deposit_memo": memo,
        "deposit_memo_type": row.destination_memo_type,
        "claimable_balance_id": row.claimable_balance_id,
    }


def _withdrawal(view: View, settings: Settings) -> dict[str, Any]:
    policy = settings.asset_by_id(view.row.asset)
    return {
        "from": view.row.from_account,
        "to": masked(view.row.details.get("bank_account_number")),
        "withdraw_anchor_account": (
            view.memo.account_id if view.memo else policy.distribution if policy else None
        ),
        "withdraw_memo": view.memo.memo if view.memo else None,
        "withdraw_memo_type": view.memo.memo_type if view.memo else "id",
    }


def _amount(stroops: int | None) -> str | None:
    return None if stroops is None else format_amount(stroops)


def masked(account: str | None) -> str | None:
    """Show the last four characters of an account number only (SEP24-102)."""
    if account is None:
        return None
    return "*" * max(len(account) - 4, 0) + account[-4:]
