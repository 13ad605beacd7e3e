"""The words of the admin API: what operators ask, and how it is shown to them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from anchor.errors import NotFound, Rejected
from anchor.lifecycle import Kind, statuses_of
from anchor.money import format_amount
from anchor.policies import HOUSE, AssetPolicy
from anchor.serializers.fields import Amount, Instant, plain, text
from anchor.serializers.messages import Message, invalid
from anchor.services import callback_replays, remittance_orders, remittance_views
from anchor.services.callback_replays import Owed, Replayed
from anchor.services.remittance_orders import Chosen, Details, Wanted
from anchor.services.remittance_views import Shown, Story

STATUSES = sorted(each.value for each in statuses_of(Kind.REMITTANCE))
MAX_NOTE = 500
_MAX_IDS = 100
_MAX_ROW_ID = 2**63 - 1
_PAGE = 50


def _limit(most: int) -> fields.Integer:
    return fields.Integer(load_default=_PAGE, validate=validate.Range(1, most))


class RowId(fields.Field[int]):
    """The number of a row, as a JSON number or as text."""

    openapi = {"type": "integer", "minimum": 1, "maximum": _MAX_ROW_ID}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, Decimal) and value == value.to_integral_value():
            value = str(int(value))
        if not isinstance(value, str) or not value.isascii() or not value.isdigit():
            raise invalid("must be the number of a row")
        if len(value) > len(str(_MAX_ROW_ID)) or not 1 <= int(value) <= _MAX_ROW_ID:
            raise invalid("must be the number of a row")
        return int(value)


def known_row(text: str) -> int:
    """Return the number of a row out of a path; `NotFound` for whatever else it is."""
    try:
        return int(RowId().deserialize(text))
    except ValidationError as error:
        raise NotFound("there is nothing of this number") from error


class PartyDetails(fields.Field[Details]):
    """What is known of sender, receiver and transaction: objects of texts."""

    openapi = {
        "type": "object",
        "properties": {
            part: {"type": "object", "additionalProperties": {"type": "string"}}
            for part in remittance_orders.PARTS
        },
        "additionalProperties": False,
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Details:
        try:
            found = remittance_orders.read_details(value)
        except Rejected as error:
            raise ValidationError(Message.of(error)) from error
        for given in found.values():
            for told in (*given, *given.values()):
                plain(told.replace("\n", " "))
        return found


class RemittancesQuery(Schema):
    """Which remittances are shown; `after` is the id of the last one of the page before."""

    status = fields.String(validate=validate.OneOf(STATUSES))
    domain = text(255)
    is_resting = fields.Boolean()
    after = text(100)
    limit = _limit(remittance_views.MAX_PAGE)


class IdempotencyHeader(Schema):
    """What the asker tells one order from others by: the same again begins nothing anew."""

    PATTERN: ClassVar = validate.Regexp(r"^[!-~]([ -~]{0,253}[!-~])?$")

    key = fields.String(required=True, data_key="Idempotency-Key", validate=PATTERN)


class OrderBody(Schema):
    """What is to be sent."""

    domain = text(255, required=True)
    asset_code = text(12, required=True)
    amount = Amount(required=True)
    details = PartyDetails(required=True)
    house = fields.Boolean(load_default=False)
    rail = text(100)
    funding_method = text(100)
    sender_type = text(100)
    receiver_type = text(100)
    buy_asset = text(100)
    least_out = Amount()

    @validates_schema
    def _one_source(self, data: dict[str, Any], **_: Any) -> None:
        if data["house"] and "rail" in data:
            raise invalid("its money is the house's or comes by a rail: not both")


class SendOrderBody(OrderBody):
    """What is to be sent, and why."""

    note = text(MAX_NOTE)


class AmendBody(Schema):
    """What is known of the parties, all of it anew, and why."""

    details = PartyDetails(required=True)
    note = text(MAX_NOTE)


class CallbacksQuery(Schema):
    """Which callbacks are shown; `after` is the id of the last one of the page before."""

    delivered = fields.Boolean(load_default=False)
    transaction_id = text(100)
    after = RowId()
    limit = _limit(callback_replays.MAX_PAGE)


class ReplayBody(Schema):
    """What is told again: some callbacks, all of a transaction, or all since an instant."""

    ids = fields.List(RowId(), validate=validate.Length(1, _MAX_IDS))
    transaction_id = text(100)
    since = Instant()
    note = text(MAX_NOTE)

    @validates_schema
    def _one_choice(self, data: dict[str, Any], **_: Any) -> None:
        if len(data.keys() - {"note"}) != 1:
            raise invalid("name ids, a transaction_id, or since: one of them")


def order(body: Mapping[str, Any], key: str | None = None) -> tuple[AssetPolicy, Wanted]:
    """Return what is to be sent, and of which asset; `Rejected` for one that is not served."""
    policy = remittance_orders.policy_of(body["asset_code"])
    wanted = Wanted(
        domain=body["domain"],
        amount=body["amount"],
        rail=HOUSE if body["house"] else body.get("rail") or policy.rails[0],
        details=body["details"],
        funding_method=body.get("funding_method"),
        sender_type=body.get("sender_type"),
        receiver_type=body.get("receiver_type"),
        buys=body.get("buy_asset"),
        least_out=body.get("least_out"),
        key=key,
    )
    return policy, wanted


def chosen(found: Chosen) -> dict[str, Any]:
    """Show as what an order would be sent."""
    return {
        "funding_method": found.method or None,
        "sender_type": found.sender_type or None,
        "receiver_type": found.receiver_type or None,
    }


def page(found: Sequence[Shown], limit: int) -> dict[str, Any]:
    """Show a page of remittances, and after which one the next begins."""
    is_full = len(found) == limit
    return {"remittances": [remittance(each) for each in found], "next": _next(found, is_full)}


def remittance(found: Shown) -> dict[str, Any]:
    """Show a remittance."""
    return {
        "id": found.id,
        "domain": found.domain,
        "asset_code": found.asset,
        "amount": format_amount(found.amount),
        "status": found.status,
        "is_resting": found.is_resting,
        "rail": found.rail,
        "reference": found.reference,
        "pay_before": _instant(found.deadline_at),
        "funding_method": found.funding_method,
        "buy_asset": found.buys,
        "least_out": None if found.least_out is None else format_amount(found.least_out),
        "remote_id": found.remote_id,
        "remote_status": found.remote_status,
        "stellar_transaction_id": found.stellar_transaction_id,
        "amount_paid": format_amount(found.amount_paid),
        "amount_refunded": format_amount(found.amount_refunded),
        "message": found.message,
        "idempotency_key": found.key,
        "opened_at": _instant(found.opened_at),
    }


def story(found: Story) -> dict[str, Any]:
    """Show a remittance with what it waits for and what happened to it."""
    events = [
        {
            "at": _instant(each.at),
            "what": each.what,
            "status": each.status,
            "who": each.who,
            "note": each.note,
        }
        for each in found.entries
    ]
    return remittance(found.shown) | {
        "trouble": found.shown.trouble,
        "cases": [vars(each) for each in found.cases],
        "details": found.details,
        "may_be_amended": found.may_be_amended,
        "events": events,
    }


def callbacks(found: Sequence[Owed], limit: int) -> dict[str, Any]:
    """Show a page of callbacks, and after which one the next begins."""
    shown = [
        vars(each)
        | {"owed_at": _instant(each.owed_at), "delivered_at": _instant(each.delivered_at)}
        for each in found
    ]
    return {"callbacks": shown, "next": _next(found, len(found) == limit)}


def replayed(found: Replayed) -> dict[str, int]:
    """Show what a replay comes to."""
    return {"tried_again": found.due, "told_anew": found.anew, "not_kept": found.gone}


def _next(found: Sequence[Any], is_full: bool) -> Any:
    return found[-1].id if is_full else None


def _instant(at: datetime | None) -> Any:
    return Instant().serialize("at", {"at": at})
