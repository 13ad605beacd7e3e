"""The words that deposits and withdrawals have in common, whichever door shows them."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from marshmallow import fields, validate

from anchor.assets import is_contracts
from anchor.config import Settings
from anchor.fees import fee_of, fixed_part
from anchor.languages import mark as _
from anchor.lifecycle import DEPOSITS, Status
from anchor.money import format_amount, to_decimal
from anchor.policies import FlowPolicy
from anchor.serializers.fields import Instant, Lang, text
from anchor.serializers.query import Query
from anchor.services.quotes import listed
from anchor.services.views import View
from anchor.web_auth import Principal

_INSTANT = Instant()


class InfoQuery(Query):
    """The query of ``GET /info``."""

    lang = Lang()


class OneQuery(Query):
    """The query of ``GET /transaction``."""

    id = text(100)
    stellar_transaction_id = text(100)
    external_transaction_id = text(200)
    lang = Lang()


class ListQuery(Query):
    """The query of ``GET /transactions``, but for the kinds, which each door has its own of."""

    asset_code = text(12, required=True)
    limit = fields.Integer(validate=validate.Range(min=1, max=10_000))
    no_older_than = Instant()
    paging_id = text(100)
    lang = Lang()


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


def features(settings: Settings) -> dict[str, bool]:
    """Return what deposits may do besides, as it is (SEP6-14, SEP24-14)."""
    ways = [policy.delivery for policy in settings.assets.values() if policy.deposit.enabled]
    return {
        "account_creation": any(way.create_accounts for way in ways),
        "claimable_balances": any(way.claimable_balances for way in ways),
    }


def limits(flow: FlowPolicy) -> dict[str, Any]:
    """Return the least and the greatest amount as JSON numbers; nothing where there is none."""
    found = {"min_amount": flow.min_amount, "max_amount": flow.max_amount}
    return {name: number(to_decimal(each)) for name, each in found.items() if each is not None}


def fees(flow: FlowPolicy, rails: Iterable[str], *, minimum: bool = False) -> dict[str, Any]:
    """Return what is kept of what goes by any of these rails, as JSON numbers.

    It is left out where `fee_fixed` and `fee_percent` are not all of it, or not for each rail
    (SEP24-13); with `minimum` there is a word for the least fee too.
    """
    found = flow.fees.all_of(rails)
    fee = next(iter(found))
    told = {
        "fee_fixed": number(to_decimal(fee.fixed)),
        "fee_percent": number(fee.percent),
    }
    if minimum and fee.minimum:
        told["fee_minimum"] = number(to_decimal(fee.minimum))
        fee = replace(fee, minimum=0)
    return told if len(found) == 1 and fee.is_plain else {}


def number(amount: Decimal) -> Any:
    """Return an amount as a JSON number (GEN-31)."""
    # The SEPs want JSON numbers here: the reader's, not ours, is the binary fraction.
    return json.loads(format(amount.normalize(), "f"))


def amounts(view: View) -> dict[str, Any]:
    """Return what comes and what goes, in which assets; null is what is not known yet."""
    row = view.row
    return {
        "amount_in": amount(row.amount_received if row.funded_at else row.amount_expected),
        "amount_in_asset": came_as(view),
        "amount_out": amount(row.amount_out),
        "amount_out_asset": row.amount_out_asset or f"stellar:{row.asset}",
    }


def came_as(view: View) -> str:
    """Return the asset of what comes in, which fees and refunds are in too."""
    return view.row.amount_in_asset or f"stellar:{view.row.asset}"


def fee(view: View, say: Callable[[str], str]) -> dict[str, Any]:
    """Return the fee, as fields of old and as details (SEP24-90); nothing until it is known.

    `say` says the names of its parts in the asker's language.
    """
    row = view.row
    if row.amount_fee is None:
        return {}
    total = format_amount(row.amount_fee)
    told: dict[str, Any] = {"total": total, "asset": came_as(view)}
    if details := _parts(view):
        told["details"] = fee_parts(details, say)
    return {"amount_fee": total, "amount_fee_asset": came_as(view), "fee_details": told}


def fee_parts(
    parts: Iterable[Mapping[str, str]], say: Callable[[str], str]
) -> list[dict[str, str]]:
    """Return parts of a fee with their names in the asker's language."""
    return [{**part, "name": say(part["name"])} for part in parts]


def _parts(view: View) -> list[dict[str, str]]:
    """Return of what a fee is made, where there are several parts; they sum to it (SEP24-90)."""
    row = view.row
    if view.quote is not None:
        return view.quote.fee_details
    if row.amount_in is None or row.amount_fee is None:
        return []
    whole = fee_of(row.fee_schedule, row.amount_in)
    fixed = fixed_part(row.fee_schedule, row.amount_in)
    rest = row.amount_fee - whole
    if rest < 0:
        return []
    why = _("Opening of the account") if is_a_deposit(view) else _("Rounding")
    return listed(fixed, whole - fixed, **{why: rest})


def instants(view: View) -> dict[str, Any]:
    """Return when it began, last changed its status, and ended."""
    row = view.row
    return {
        "started_at": instant(row.started_at),
        "updated_at": instant(row.updated_at),
        "completed_at": instant(row.completed_at),
    }


def instant(moment: datetime | None) -> str | None:
    """Write an instant in UTC, with ``Z`` (GEN-35)."""
    written: str | None = _INSTANT._serialize(moment, None, None)
    return written


def amount(stroops: int | None) -> str | None:
    """Write an amount; None for None."""
    return None if stroops is None else format_amount(stroops)


def refunds(view: View) -> dict[str, Any]:
    """Return what went back to the user, by payment, without its fees (SEP24-80 to 83).

    Nothing where nothing went back.
    """
    if not view.refunds:
        return {}
    told = {
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
    return {"refunds": told}


def is_a_deposit(view: View) -> bool:
    """Tell whether a transaction brings money onto the ledger."""
    return view.row.kind in DEPOSITS


def is_paid_by_contract(view: View) -> bool:
    """Tell whether a contract account is to pay: it knows no memo but the id of an address."""
    return not is_a_deposit(view) and is_contracts(view.row.from_account)


def due(view: View, settings: Settings, waits_for_user: frozenset[Status]) -> dict[str, Any]:
    """Return until when the user has to act: to pay, or to trust the asset once that is due.

    `waits_for_user` are the statuses that a door says this in; nothing in others.
    """
    row = view.row
    due_at = row.deadline_at if row.status in waits_for_user else None
    if row.status == Status.PENDING_TRUST and row.funded_at is not None:
        policy = settings.asset_by_id(row.asset)
        if policy is not None:
            due_at = row.funded_at + timedelta(days=policy.delivery.trust_days)
    return {} if due_at is None else {"user_action_required_by": instant(due_at)}


def of_deposit(view: View) -> dict[str, Any]:
    """Return what only deposits have: who paid, and where they are paid to."""
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


def of_withdrawal(view: View, settings: Settings) -> dict[str, Any]:
    """Return what only withdrawals have: where to pay them, and who is paid."""
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


def masked(account: str | None) -> str | None:
    """Show the last four characters of an account number only (SEP24-102)."""
    if account is None:
        return None
    return "*" * max(len(account) - 4, 0) + account[-4:]
