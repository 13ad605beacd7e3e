"""What SEP-6 asks and shows: the words on the wire."""

from collections.abc import Mapping, Sequence
from typing import Any

from iso3166 import countries_by_alpha3
from marshmallow import fields, validate, validates_schema

from anchor.config import Settings
from anchor.errors import Rejected
from anchor.integrations.protocols import Instruction
from anchor.lifecycle import Kind, Status
from anchor.policies import AssetPolicy, FlowPolicy
from anchor.serializers import transaction_words as words
from anchor.serializers.fields import Address, Amount, Lang, MemoText, text
from anchor.serializers.messages import invalid
from anchor.serializers.query import Query
from anchor.services import callbacks
from anchor.services.opening import flow_of
from anchor.services.programmatic import Wanted
from anchor.services.views import View
from anchor.web_auth import Principal

DEPOSIT, WITHDRAWAL = "deposit", "withdraw"
KINDS = {
    kind.value: kind
    for kind in (
        Kind.DEPOSIT,
        Kind.DEPOSIT_EXCHANGE,
        Kind.WITHDRAWAL,
        Kind.WITHDRAWAL_EXCHANGE,
    )
}
#: Statuses in which the user has to do something by a deadline.
_WAITS_FOR_USER = frozenset(
    {
        Status.INCOMPLETE,
        Status.PENDING_USER_TRANSFER_START,
        Status.PENDING_USER,
        Status.PENDING_CUSTOMER_INFO_UPDATE,
    }
)
_ALWAYS = frozenset({"from", "to"})

InfoQuery = words.InfoQuery
OneQuery = words.OneQuery


class _Opening(Query):
    """What all four are asked with."""

    funding_method = text(100)
    type = text(100)
    amount = Amount()
    account = text(100)
    memo = MemoText()
    memo_type = text(10)
    lang = Lang()
    on_change_callback = text(callbacks.MAX_URL_CHARS)
    country_code = text(10)
    customer_id = text(100)
    location_id = text(100)

    @validates_schema
    def _country(self, data: Mapping[str, Any], **_: Any) -> None:
        if data.get("country_code", "USA").upper() not in countries_by_alpha3:
            raise invalid("{field} must be a country code of 3 letters", field="country_code")


class DepositQuery(_Opening):
    """The query of ``GET /deposit``."""

    asset_code = text(12, required=True)
    account = text(100, required=True)
    claimable_balance_supported = fields.Boolean(load_default=False)


class _Refundable(_Opening):
    account = Address()
    refund_memo = MemoText()
    refund_memo_type = text(10)

    @validates_schema
    def _refund_memo(self, data: Mapping[str, Any], **_: Any) -> None:
        if ("refund_memo" in data) != ("refund_memo_type" in data):
            raise invalid("refund_memo and refund_memo_type must be given together")


class WithdrawQuery(_Refundable):
    """The query of ``GET /withdraw``."""

    asset_code = text(12, required=True)


class DepositExchangeQuery(_Opening):
    """The query of ``GET /deposit-exchange``."""

    source_asset = text(100, required=True)
    destination_asset = text(100, required=True)
    amount = Amount(required=True)
    account = text(100, required=True)
    quote_id = text(100)
    claimable_balance_supported = fields.Boolean(load_default=False)


class WithdrawExchangeQuery(_Refundable):
    """The query of ``GET /withdraw-exchange``."""

    source_asset = text(100, required=True)
    destination_asset = text(100, required=True)
    amount = Amount(required=True)
    quote_id = text(100)


class ListQuery(words.ListQuery):
    """The query of ``GET /transactions``: `kind` may come several times, or with commas."""

    account = text(100)
    kind = fields.List(fields.String(validate=validate.OneOf(sorted(KINDS))))


class PatchBody(Query):
    """The body of ``PATCH /transactions/:id``."""

    transaction = fields.Dict(
        keys=text(100), values=text(500), required=True, validate=validate.Length(1, 50)
    )


def info(settings: Settings, say: Any) -> dict[str, Any]:
    """Return the body of ``GET /info`` (SEP6-10 to 15)."""
    policies = settings.assets
    body: dict[str, Any] = {
        "deposit": {
            code: _served(policy.rails) | _terms(policy.deposit, policy.rails)
            for code, policy in policies.items()
            if policy.deposit.enabled
        },
        "deposit-exchange": {},
        "withdraw": {
            code: _served(policy.rails)
            | _terms(policy.withdrawal, policy.rails)
            | _types(policy.rails)
            for code, policy in policies.items()
            if policy.withdrawal.enabled
        },
        "withdraw-exchange": {},
    }
    for code, policy in policies.items() if 38 in settings.seps else ():
        for name, kind in (("deposit", Kind.DEPOSIT), ("withdraw", Kind.WITHDRAWAL)):
            ways = exchanged_by(settings, policy, kind)
            if ways and flow_of(policy, kind).enabled:
                limits = words.limits(policy.withdrawal) if name == "withdraw" else {}
                body[f"{name}-exchange"][code] = _served(ways) | limits
    told = {"enabled": True, "authentication_required": True}
    return body | {
        "fee": {
            "enabled": False,
            "authentication_required": True,
            "description": say(
                "The fee is fee_fixed and fee_percent, or what a transaction or a quote says."
            ),
        },
        "transactions": told,
        "transaction": told,
        "features": words.features(settings),
    }


def _served(ways: Sequence[str]) -> dict[str, Any]:
    return {"enabled": True, "authentication_required": True, "funding_methods": list(ways)}


def _terms(flow: FlowPolicy, rails: Sequence[str]) -> dict[str, Any]:
    return words.limits(flow) | words.fees(flow, rails)


def _types(ways: Sequence[str]) -> dict[str, Any]:
    # Details come by SEP-12; the validator looks for a type with fields all the same (SEP6-15).
    return {"types": {way: {"fields": {}} for way in ways}}


def exchanged_by(
    settings: Settings, policy: AssetPolicy, kind: Kind, other: str | None = None
) -> list[str]:
    """Return the ways to pay in which an asset is exchanged, for `other` or for anything."""
    found: dict[str, None] = {}
    for pair in settings.quotes.pairs:
        fee = pair.deposit if kind is Kind.DEPOSIT else pair.withdrawal
        if pair.asset == policy.code and fee is not None and other in {None, pair.offchain}:
            offchain = settings.quotes.offchain[pair.offchain]
            methods = (
                offchain.sell_delivery_methods
                if kind is Kind.DEPOSIT
                else offchain.buy_delivery_methods
            )
            found |= dict.fromkeys(way for way in policy.rails if way in methods)
    return list(found)


def wanted(
    query: Mapping[str, Any], ways: Sequence[str], principal: Principal, **more: Any
) -> Wanted:
    """Return what a query asks for as the services take it; `ways` are those that are offered.

    `type` is the old name of `funding_method`; where there is one way it may be left out
    (SEP6-21). Raises `Rejected` for another one.
    """
    way = query.get("funding_method") or query.get("type")
    if way is None and len(ways) > 1:
        raise Rejected(
            "{name} is required, for there are several ways to pay", name="funding_method"
        )
    if (way or ways[0]) not in ways:
        raise Rejected("this way to pay is not offered")
    columns = {
        "lang": query.get("lang"),
        "client_domain": principal.client_domain,
        "home_domain": principal.home_domain,
        "callback_url": query.get("on_change_callback"),
    }
    if "on_change_callback" in query:
        callbacks.check_url(query["on_change_callback"])
    place = {"location_id": query["location_id"]} if "location_id" in query else {}
    return Wanted(
        rail=way or ways[0],
        amount=query.get("amount"),
        quote_id=query.get("quote_id"),
        customer_id=query.get("customer_id"),
        details=place,
        columns=columns | more.pop("columns", {}),
        **more,
    )


Instructions = Mapping[str, Instruction]


def told_instructions(found: Instructions, say: Any) -> dict[str, Any]:
    """Return instructions as SEP-6 writes them: by SEP-9 names (SEP6-25)."""
    return {
        name: {"value": each.value, "description": say(each.description)}
        for name, each in found.items()
    }


def deposit_opened(view: View, flow: FlowPolicy, found: Instructions, say: Any) -> dict[str, Any]:
    """Return the answer to ``GET /deposit``: how to pay, as far as is known (SEP6-24 to 26)."""
    told = told_instructions(found, say) if is_to_be_paid(view) else {}
    how = ". ".join(f"{each['description'].rstrip('.')}: {each['value']}" for each in told.values())
    body: dict[str, Any] = {"id": view.row.id, "how": how or _later(view, say)}
    if told:
        body["instructions"] = told
    return body | _opened(view, flow, say)


def withdrawal_opened(view: View, flow: FlowPolicy, say: Any) -> dict[str, Any]:
    """Return the answer to ``GET /withdraw``: where to pay, as soon as that is known (SEP6-43)."""
    body = {"id": view.row.id}
    if view.memo is not None:
        body["account_id"] = view.memo.account_id
        body["memo_type"], body["memo"] = view.memo.memo_type, view.memo.memo
    return body | _opened(view, flow, say)


def _opened(view: View, flow: FlowPolicy, say: Any) -> dict[str, Any]:
    body = {} if view.quote is not None else _terms(flow, [view.row.rail])
    if view.row.status == Status.PENDING_CUSTOMER_INFO_UPDATE:
        body["extra_info"] = {"message": _later(view, say)}
    return body


def _later(view: View, say: Any) -> str:
    if view.row.status == Status.PENDING_CUSTOMER_INFO_UPDATE:
        return str(say("We need to know more about the customer first."))
    return str(say("The transaction will say how to pay."))


def is_to_be_paid(view: View) -> bool:
    """Tell whether a transaction shows how it is paid in: a deposit that waits for its money.

    Told later, it would be paid twice (SEP6-90).
    """
    waits = view.row.status == Status.PENDING_USER_TRANSFER_START
    return waits and words.is_a_deposit(view) and view.row.reference is not None


def one(
    view: View, settings: Settings, more_info_url: str | None, found: Instructions, say: Any
) -> dict[str, Any]:
    """Return a transaction as SEP-6 shows it, without what is not known yet (7.9).

    `found` are the rail's instructions; nothing in lists, which ask no rail.
    """
    row = view.row
    is_deposit = words.is_a_deposit(view)
    body: dict[str, Any] = {
        "id": row.id,
        "kind": row.kind,
        "status": row.status,
        "more_info_url": more_info_url,
        **words.amounts(view),
        **words.fee(view, say),
        "quote_id": row.quote_id,
        **(words.of_deposit(view) if is_deposit else words.of_withdrawal(view, settings)),
        **words.instants(view),
        **words.due(view, settings, _WAITS_FOR_USER),
        "stellar_transaction_id": row.stellar_transaction_id,
        "external_transaction_id": row.external_transaction_id,
        "message": None if row.message is None else say(row.message),
        "refunded": row.status == Status.REFUNDED,
        **words.refunds(view),
    }
    if not is_deposit and view.memo is None:
        for name in ("withdraw_anchor_account", "withdraw_memo", "withdraw_memo_type"):
            del body[name]
    if row.status == Status.PENDING_TRANSACTION_INFO_UPDATE:
        body |= _required(view, say)
    if is_to_be_paid(view) and found:
        body["instructions"] = told_instructions(found, say)
    return {name: each for name, each in body.items() if each is not None or name in _ALWAYS}


def _required(view: View, say: Any) -> dict[str, Any]:
    """Return what has to be corrected, in the format of the fields of ``/info`` (SEP6-91)."""
    asked = view.row.required_info or {}
    told = {name: {"description": say(why or name)} for name, why in asked.items()}
    message = view.row.message or "Something that you gave us has to be corrected."
    return {
        "required_info_message": say(message),
        "required_info_updates": {"transaction": told},
    }
