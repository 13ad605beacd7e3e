"""The words of SEP-31: what sending anchors ask, and how sends are shown to them."""

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from marshmallow import fields

from anchor.config import Settings
from anchor.integrations.protocols import Field
from anchor.languages import mark as _
from anchor.lifecycle import Status
from anchor.models import Memo
from anchor.policies import AssetPolicy
from anchor.serializers import transaction_words as words
from anchor.serializers.fields import Address, Amount, Lang, MemoText, plain, text
from anchor.serializers.messages import invalid
from anchor.serializers.query import Query
from anchor.services import callbacks, send_customers, sends
from anchor.services.sends import Wanted
from anchor.services.views import View

Say = Callable[..., str]

_MAX_FIELDS = 50
_HOW_BY_RAIL = _("Pay by bank transfer, and write {reference} on it.")
_TYPES = {
    "sender": _("A customer of the sending anchor who sends money."),
    "receiver": _("A customer who is sent money."),
}
_ASKED = frozenset({Status.PENDING_TRANSACTION_INFO_UPDATE, Status.PENDING_CUSTOMER_INFO_UPDATE})


class _Details(fields.Field[dict[str, str]]):
    """Details of a transaction, flat, each a text: ``{"transaction": {name: text}}``."""

    openapi = {
        "type": "object",
        "properties": {
            "transaction": {"type": "object", "additionalProperties": {"type": "string"}}
        },
    }

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> dict[str, str]:
        found = value.get("transaction", {}) if isinstance(value, dict) else None
        if not isinstance(found, dict) or len(found) > _MAX_FIELDS:
            raise invalid("must be an object with an object named transaction in it")
        for name, told in found.items():
            if not isinstance(told, str):
                raise invalid("must have texts only")
            plain(name)
            plain(told)
        return found


class SendBody(Query):
    """The body of ``POST /transactions``."""

    amount = Amount(required=True)
    asset_code = text(12, required=True)
    asset_issuer = Address()
    funding_method = text(100)
    destination_asset = text(100)
    quote_id = text(100)
    sender_id = text(100)
    receiver_id = text(100)
    refund_memo = MemoText()
    refund_memo_type = text(10)
    fields_ = _Details(data_key="fields", attribute="fields")
    lang = Lang()


class PatchBody(Query):
    """The body of ``PATCH /transactions/:id``."""

    fields_ = _Details(data_key="fields", attribute="fields", required=True)
    lang = Lang()


class CallbackBody(Query):
    """The body of ``PUT /transactions/:id/callback``."""

    url = text(callbacks.MAX_URL_CHARS, required=True)
    lang = Lang()


def wanted(body: Mapping[str, Any]) -> Wanted:
    """Return what a sending anchor asks for."""
    return Wanted(
        amount=body["amount"],
        rail=body.get("funding_method"),
        quote_id=body.get("quote_id"),
        other_asset=body.get("destination_asset"),
        sender_id=body.get("sender_id"),
        receiver_id=body.get("receiver_id"),
        refund_memo_type=body.get("refund_memo_type"),
        refund_memo=body.get("refund_memo"),
        details=body.get("fields", {}),
    )


def info(settings: Settings, say: Say) -> dict[str, Any]:
    """Return the body of ``GET /info`` (SEP31-10 to 14)."""
    received = {
        code: _asset(policy, settings, say)
        for code, policy in settings.assets.items()
        if policy.send.enabled
    }
    return {"receive": received}


def _asset(policy: AssetPolicy, settings: Settings, say: Say) -> dict[str, Any]:
    asked = {
        name: told
        for rail in policy.rails
        for name, told in _fields(send_customers.asked_of_sender(policy, rail), say).items()
    }
    parties = {"sender": policy.sends.sender_types, "receiver": policy.sends.receiver_types}
    return {
        "enabled": True,
        "funding_methods": list(policy.rails),
        **words.limits(policy.send),
        **words.fees(policy.send, policy.rails),
        "quotes_supported": _is_quoted(policy, settings),
        "quotes_required": policy.sends.quotes_required,
        "sep12": {name: _types(types, _TYPES[name], say) for name, types in parties.items()},
        **({"fields": {"transaction": asked}} if asked else {}),
    }


def _is_quoted(policy: AssetPolicy, settings: Settings) -> bool:
    pairs = settings.quotes.pairs
    return 38 in settings.seps and any(
        pair.asset == policy.code and pair.withdrawal is not None for pair in pairs
    )


def _types(types: Iterable[str], description: str, say: Say) -> dict[str, Any]:
    """Return the types of a party; an empty object where nobody has to be known (SEP31-14)."""
    found = {name: {"description": say(description)} for name in types}
    return {"types": found} if found else {}


def _fields(asked: Iterable[Field], say: Say) -> dict[str, Any]:
    return {
        field.name: {"description": say(field.description or field.label)}
        | ({"optional": True} if field.optional else {})
        for field in asked
    }


def info_needed(found: Mapping[str, str], say: Say) -> dict[str, Any]:
    """Return fields that are wanted, as ``/info`` shows them (SEP31-24)."""
    return {"transaction": {name: {"description": say(text)} for name, text in found.items()}}


def opened(transaction_id: str, memo: Memo | None) -> dict[str, Any]:
    """Return what a send that was just opened is paid under, once that is said (SEP31-20)."""
    return {"id": transaction_id, **(_where(memo) if memo else {})}


def _where(memo: Memo) -> dict[str, str]:
    text = memo.memo
    if memo.memo_type == "hash":
        text = b64encode(bytes.fromhex(text)).decode()
    return {
        "stellar_account_id": memo.account_id,
        "stellar_memo_type": memo.memo_type,
        "stellar_memo": text,
    }


def one(view: View, settings: Settings, say: Say) -> dict[str, Any]:
    """Return a send as its sending anchor sees it; what is not known is left out (SEP31-41)."""
    row, status = view.row, Status(view.row.status)
    policy = settings.asset_by_id(row.asset)
    found = {
        "id": row.id,
        "status": status.value,
        "status_message": _message(view, say),
        **words.amounts(view),
        **words.fee(view, say),
        "quote_id": row.quote_id,
        **(_where(view.memo) if view.memo else {}),
        **words.instants(view),
        "stellar_transaction_id": row.stellar_transaction_id,
        "external_transaction_id": row.external_transaction_id,
        "refunded": status is Status.REFUNDED,
        **_refunds(view),
    }
    if row.amount_out_asset is None and policy is not None:
        found["amount_out_asset"] = sends.paid_out_as(policy)
    if view.quote is None and row.funded_at is None:
        # What arrives decides what is paid out, and what that costs (SEP31-43).
        for name in ("amount_out", "amount_fee", "amount_fee_asset", "fee_details"):
            found.pop(name, None)
    if status in _ASKED:
        found["required_info_message"] = row.message and say(row.message)
    if status is Status.PENDING_TRANSACTION_INFO_UPDATE:
        found["required_info_updates"] = info_needed(row.required_info or {}, say)
    return {name: value for name, value in found.items() if value is not None}


def _message(view: View, say: Say) -> str | None:
    """Return what a person is told; of a send by rail, how it is paid."""
    row = view.row
    if row.status == Status.PENDING_SENDER and row.reference is not None:
        return say(_HOW_BY_RAIL, reference=row.reference)
    return say(row.message) if row.message else None


def _refunds(view: View) -> dict[str, Any]:
    """Return what went back; here payments do not say of which kind their id is (SEP31-45)."""
    found = words.refunds(view)
    for payment in found.get("refunds", {}).get("payments", ()):
        payment.pop("id_type")
    return found
