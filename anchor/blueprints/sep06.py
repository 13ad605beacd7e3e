"""SEP-6: deposits and withdrawals that a wallet carries through with its own screens."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from anchor.assets import StellarAsset
from anchor.blueprints import forms, speech
from anchor.blueprints.describing import described
from anchor.blueprints.guards import current_principal, owner_of
from anchor.blueprints.limits import costly
from anchor.errors import Forbidden, Rejected
from anchor.extensions import settings
from anchor.integrations.protocols import Instruction
from anchor.lifecycle import Kind
from anchor.policies import AssetPolicy
from anchor.serializers import sep06 as words
from anchor.serializers import sep06_answers as answers
from anchor.serializers import transaction_words
from anchor.serializers.fields import known_id
from anchor.services import corrections, deposits, links, memos, programmatic, views
from anchor.services.opening import flow_of
from anchor.services.rail_needs import FLOW
from anchor.services.views import Filter, View
from anchor.web_auth import Principal, is_contract

bp = Blueprint("sep06", __name__, url_prefix="/sep6")

_NOT_OFFERED = {
    Kind.DEPOSIT: Rejected("this asset cannot be deposited here"),
    Kind.WITHDRAWAL: Rejected("this asset cannot be withdrawn here"),
}


@bp.get("/info")
@described(query=words.InfoQuery, answer=answers.InfoAnswer)
def info() -> ResponseReturnValue:
    """Show which assets can be deposited, withdrawn and exchanged, and their limits and fees."""
    return jsonify(words.info(settings(), speech.say))


@bp.get("/deposit")
@costly
@described(query=words.DepositQuery, answer=answers.DepositAnswer, token=True)
def deposit() -> ResponseReturnValue:
    """Open a deposit of an asset's own money."""
    principal = current_principal()
    query = words.DepositQuery.one().load(request.args.to_dict())
    policy = _served(query["asset_code"], Kind.DEPOSIT)
    return _deposit(principal, policy, query, words.wanted(query, policy.rails, principal))


@bp.get("/deposit-exchange")
@costly
@described(query=words.DepositExchangeQuery, answer=answers.DepositAnswer, token=True)
def deposit_exchange() -> ResponseReturnValue:
    """Open a deposit that is paid in another asset, on a quote."""
    principal = current_principal()
    query = words.DepositExchangeQuery.one().load(request.args.to_dict())
    policy = _served(query["destination_asset"], Kind.DEPOSIT)
    ways = _exchanged(policy, Kind.DEPOSIT, query["source_asset"], query)
    wanted = words.wanted(query, ways, principal, other_asset=query["source_asset"])
    return _deposit(principal, policy, query, wanted)


@bp.get("/withdraw")
@costly
@described(query=words.WithdrawQuery, answer=answers.WithdrawAnswer, token=True)
def withdraw() -> ResponseReturnValue:
    """Open a withdrawal to an asset's own money."""
    principal = current_principal()
    query = words.WithdrawQuery.one().load(request.args.to_dict())
    policy = _served(query["asset_code"], Kind.WITHDRAWAL)
    return _withdraw(principal, policy, query, policy.rails)


@bp.get("/withdraw-exchange")
@costly
@described(query=words.WithdrawExchangeQuery, answer=answers.WithdrawAnswer, token=True)
def withdraw_exchange() -> ResponseReturnValue:
    """Open a withdrawal that is paid out in another asset, on a quote."""
    principal = current_principal()
    query = words.WithdrawExchangeQuery.one().load(request.args.to_dict())
    policy = _served(query["source_asset"], Kind.WITHDRAWAL)
    other = query["destination_asset"]
    ways = _exchanged(policy, Kind.WITHDRAWAL, other, query)
    return _withdraw(principal, policy, query, ways, other_asset=other)


@bp.get("/transaction")
@described(query=words.OneQuery, answer=answers.OneAnswer, token=True, errors=(404,))
def transaction() -> ResponseReturnValue:
    """Show one transaction of whoever asks."""
    principal = current_principal()
    query = words.OneQuery.one().load(request.args.to_dict())
    query.pop("lang", None)
    view = views.find(owner_of(principal), FLOW, transaction_id=query.pop("id", None), **query)
    return jsonify({"transaction": _shown(view, _instructions(view))})


@bp.get("/transactions")
@described(query=words.ListQuery, answer=answers.ListAnswer, token=True)
def transactions() -> ResponseReturnValue:
    """List the transactions of whoever asks, the newest first."""
    principal = current_principal()
    kinds = [each for text in request.args.getlist("kind") for each in text.split(",") if each]
    query = words.ListQuery.one().load(request.args.to_dict() | ({"kind": kinds} if kinds else {}))
    if query.get("account") not in {None, principal.account_id, principal.address}:
        raise Forbidden("account is not the one that logged in")
    if settings().asset(query["asset_code"]) is None:
        raise Rejected("asset_code is not served here")
    wanted = Filter(
        asset_code=query["asset_code"],
        flow=FLOW,
        kinds=[words.KINDS[kind] for kind in query["kind"]] if "kind" in query else None,
        no_older_than=query.get("no_older_than"),
        paging_id=query.get("paging_id"),
        limit=query.get("limit"),
    )
    found = views.listing(owner_of(principal), wanted)
    return jsonify({"transactions": [_shown(view, {}) for view in found]})


@bp.patch("/transactions/<transaction_id>")
@costly
@described(body=words.PatchBody, answer=answers.OneAnswer, token=True, errors=(404,))
def correct(transaction_id: str) -> ResponseReturnValue:
    """Correct details that the way to pay wants again."""
    owner, wanted_id = owner_of(current_principal()), known_id(transaction_id)
    body = words.PatchBody.one().load(forms.body())
    corrections.give(owner, FLOW, wanted_id, body["transaction"])
    view = views.find(owner, FLOW, transaction_id=wanted_id)
    return jsonify({"transaction": _shown(view, _instructions(view))})


def _deposit(
    principal: Principal,
    policy: AssetPolicy,
    query: Mapping[str, Any],
    wanted: programmatic.Wanted,
) -> ResponseReturnValue:
    where = transaction_words.destination(query, principal)
    target = deposits.read_destination(
        query["account"], where["destination_memo_type"], where["destination_memo"]
    )
    if is_contract(principal.address) and target.memo_type not in {None, "id"}:
        raise Rejected("memo_type must be id for whoever logged in with a contract account")
    owner, balances = owner_of(principal), query["claimable_balance_supported"]
    view = programmatic.open_deposit(owner, policy, target, wanted, balances=balances)
    return jsonify(words.deposit_opened(view, policy.deposit, _instructions(view), speech.say))


def _withdraw(
    principal: Principal,
    policy: AssetPolicy,
    query: Mapping[str, Any],
    ways: Any,
    **more: Any,
) -> ResponseReturnValue:
    memo_type, memo = memos.read(query.get("refund_memo_type"), query.get("refund_memo"))
    columns = {"refund_memo_type": memo_type, "refund_memo": memo}
    wanted = words.wanted(query, ways, principal, columns=columns, **more)
    account = query.get("account") or principal.address
    view = programmatic.open_withdrawal(owner_of(principal), policy, account, wanted)
    return jsonify(words.withdrawal_opened(view, policy.withdrawal, speech.say))


def _served(name: str, kind: Kind) -> AssetPolicy:
    """Return the asset of a code, or of its whole name (SEP6-55); `Rejected` where it is closed."""
    asset = StellarAsset.parse(name) if ":" in name else StellarAsset(name, None)
    policy = settings().asset(asset.code, asset.issuer)
    if policy is None or not flow_of(policy, kind).enabled:
        refusal = _NOT_OFFERED[kind]
        raise Rejected(refusal.sentence)
    return policy


def _exchanged(policy: AssetPolicy, kind: Kind, other: str, query: Mapping[str, Any]) -> list[str]:
    ways = words.exchanged_by(settings(), policy, kind, other)
    if not ways or 38 not in settings().seps:
        raise Rejected("these two assets are not exchanged for each other here")
    if "quote_id" not in query:
        raise Rejected("to exchange one asset for another, quote_id is required")
    return ways


def _shown(view: View, instructions: Mapping[str, Instruction]) -> dict[str, Any]:
    link = links.to_more_info(view.row.id) if 24 in settings().seps else None
    return words.one(view, settings(), link, instructions, speech.say)


def _instructions(view: View) -> Mapping[str, Instruction]:
    return deposits.rail_says(view.row) if words.is_to_be_paid(view) else {}
