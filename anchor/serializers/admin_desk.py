"""The words of the admin API about the desk: cases, what is done about them, what came of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import Schema, fields, validate, validates_schema

from anchor.assets import StellarAsset
from anchor.money import format_amount
from anchor.reasons import Reason
from anchor.serializers.admin import MAX_NOTE, IdempotencyHeader, RowId
from anchor.serializers.fields import Amount, Instant, text
from anchor.serializers.messages import invalid
from anchor.services import desk
from anchor.services.act_views import Concerned, Going
from anchor.services.desk import Desk
from anchor.services.refund_orders import Terms
from anchor.services.refunds import Begun

_HASH = validate.Regexp(r"^[0-9a-f]{64}$")
_WHAT = ("case_id", "transaction_id", "cause")


class CasesQuery(Schema):
    """Which cases are shown; `after` is the number of the last one of the page before."""

    reason = text(100)
    closed = fields.Boolean(load_default=False)
    after = RowId()
    limit = fields.Integer(load_default=50, validate=validate.Range(1, desk.MAX_PAGE))


class OptionalIdempotencyHeader(Schema):
    """What the asker tells one act from others by: the same again is done once."""

    key = fields.String(data_key="Idempotency-Key", validate=IdempotencyHeader.PATTERN)


class NoteBody(Schema):
    """Why."""

    note = text(MAX_NOTE)


class CloseBody(Schema):
    """How a case was answered."""

    note = text(MAX_NOTE, required=True)


class CreditBody(NoteBody):
    """Whose the money of a case is."""

    transaction_id = text(100, required=True)


class RefundTerms(NoteBody):
    """How much goes back, fee included, and how; all that is left by default."""

    amount = Amount()
    without_fee = fields.Boolean(load_default=False)
    by_hand = fields.Boolean(load_default=False)
    to_contract = text(56)


class RefundBody(RefundTerms):
    """What goes back: money of a case, of a transaction, or by its own name (`cause`)."""

    case_id = RowId()
    transaction_id = text(100)
    cause = text(300)

    @validates_schema
    def _one_name(self, data: dict[str, Any], **_: Any) -> None:
        if len(data.keys() & set(_WHAT)) != 1:
            raise invalid("name case_id, transaction_id or cause: one of them")
        if any(data.get(name, "").isdecimal() for name in _WHAT[1:]):
            raise invalid("a number is that of a case: name it as case_id")


class SettleBody(NoteBody):
    """What became of an order; `paid_by` is the transaction on the ledger by which a custodian
    paid it."""

    paid = fields.Boolean(required=True)
    paid_by = fields.String(validate=_HASH)

    @validates_schema
    def _paid_by_what(self, data: dict[str, Any], **_: Any) -> None:
        if "paid_by" in data and not data["paid"]:
            raise invalid("what was not paid was paid by nothing")


class RetryBody(NoteBody):
    """Which work is done again: one job, or all parked ones of a kind whose error says so."""

    kind = text(100, required=True)
    subject = text(300)
    parked = fields.Boolean(load_default=False)
    because = text(200)

    @validates_schema
    def _one_choice(self, data: dict[str, Any], **_: Any) -> None:
        if data["parked"] == ("subject" in data) or ("because" in data and not data["parked"]):
            raise invalid("name a subject, or say parked (and because)")


def named(body: Mapping[str, Any]) -> str:
    """Return the name of what is to go back."""
    [what] = [body[name] for name in _WHAT if name in body]
    return str(what)


def terms(body: Mapping[str, Any]) -> Terms:
    """Return how much is to go back, and how."""
    return Terms(body.get("amount"), body["without_fee"], body["by_hand"], body.get("to_contract"))


def code(asset: str | None) -> str:
    """Return the code of an asset, or of a bank's currency, as the books name it."""
    if asset is None or asset == "?":
        return ""
    return asset[5:] if asset.startswith("rail:") else StellarAsset.parse(asset).code


def cases(found: Sequence[Desk], limit: int) -> dict[str, Any]:
    """Show a page of cases, and after which one the next begins."""
    following = found[-1].id if len(found) == limit else None
    return {"cases": [_case(each) for each in found], "next": following}


def _case(found: Desk) -> dict[str, Any]:
    return {
        "id": found.id,
        "reason": found.reason,
        "about": found.cause,
        "note": found.note,
        "transaction_id": found.transaction_id,
        "asset_code": code(found.asset) or None,
        "amount_owed": None if found.amount_owed is None else format_amount(found.amount_owed),
        "opened_at": _instant(found.opened_at),
        "closed_at": _instant(found.closed_at),
    }


def case(found: Desk) -> dict[str, Any]:
    """Show a case with what its reason means, and the acts that may answer it or have done."""
    reason = Reason.named(found.reason)
    return _case(found) | {
        "means": reason.means if reason else None,
        "answer": reason.answer if reason else None,
        "acts": list(found.acts),
        "done": [vars(each) | {"done_at": _instant(each.done_at)} for each in found.done],
    }


def transaction(found: Concerned) -> dict[str, Any]:
    """Show how a transaction stands after an act."""
    return {
        "id": found.id,
        "status": found.status,
        "is_resting": found.is_resting,
        "acts": list(found.acts),
    }


def outflow(found: Going) -> dict[str, Any]:
    """Show how what goes out stands after an act."""
    return {
        "key": found.key,
        "kind": found.kind,
        "state": found.state,
        "transaction_id": found.transaction_id,
    }


def refund(found: Begun) -> dict[str, Any]:
    """Show a refund that was begun."""
    amount, fee = format_amount(found.amount), format_amount(found.fee)
    return {"key": found.key, "amount": amount, "fee": fee}


def _instant(at: Any) -> Any:
    return Instant().serialize("at", {"at": at})
