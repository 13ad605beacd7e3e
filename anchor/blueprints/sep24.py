"""SEP-24: interactive deposits and withdrawals, as wallets ask for them."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from anchor.blueprints import forms, speech
from anchor.blueprints.describing import described
from anchor.blueprints.guards import current_principal, owner_of
from anchor.blueprints.limits import costly
from anchor.errors import AnchorError, NotFound, Rejected, Unavailable
from anchor.extensions import house, refuse_inside_transaction, settings
from anchor.integrations.interactive import InteractiveIntegration, Visit
from anchor.integrations.own_pages import Forms
from anchor.lifecycle import DEPOSITS, WITHDRAWALS, Kind
from anchor.models import new_id
from anchor.money import format_amount, to_decimal
from anchor.policies import AssetPolicy
from anchor.serializers import sep24 as words
from anchor.serializers import sep24_answers as answers
from anchor.serializers import transaction_words
from anchor.services import (
    deposits,
    details,
    draft_customers,
    drafts,
    links,
    opening,
    quotes,
    views,
    withdrawals,
)
from anchor.services.transactions import Owner
from anchor.services.views import Filter, View
from anchor.web_auth import Principal

log = logging.getLogger(__name__)

bp = Blueprint("sep24", __name__, url_prefix="/sep24")

_KINDS = {
    "deposit": DEPOSITS,
    "withdrawal": WITHDRAWALS,
}


@bp.get("/info")
@described(query=words.InfoQuery, answer=answers.InfoAnswer)
def info() -> ResponseReturnValue:
    """Show which assets can be deposited and withdrawn, and their limits and fees."""
    return jsonify(words.info(settings()))


@bp.post("/transactions/deposit/interactive")
@costly
@described(body=words.DepositBody, answer=answers.OpenedAnswer, token=True)
def deposit() -> ResponseReturnValue:
    """Open a deposit and send the customer to its page."""
    principal = current_principal()
    given, files = forms.body_and_files()
    body = words.DepositBody.one().load(given)
    policy = _offered(Kind.DEPOSIT, body)
    chosen = _chosen(Kind.DEPOSIT, policy, body)
    opened = _address("deposit", principal, policy, body, chosen)
    deposits.open_interactive(
        owner_of(principal),
        policy,
        **transaction_words.destination(body, principal),
        amount=None if "amount" in chosen else body.get("amount"),
        quote_id=body.get("quote_id"),
        other_asset=body.get("source_asset"),
        takes_claimable_balance=body["claimable_balance_supported"],
        details=_known(Kind.DEPOSIT, policy, given),
        transaction_id=opened["id"],
        **_of_wallet(principal, body),
    )
    draft_customers.prefill(opened["id"], given, files)
    return jsonify(opened)


@bp.post("/transactions/withdraw/interactive")
@costly
@described(body=words.WithdrawBody, answer=answers.OpenedAnswer, token=True)
def withdraw() -> ResponseReturnValue:
    """Open a withdrawal and send the customer to its page."""
    principal = current_principal()
    given, files = forms.body_and_files()
    body = words.WithdrawBody.one().load(given)
    policy = _offered(Kind.WITHDRAWAL, body)
    chosen = _chosen(Kind.WITHDRAWAL, policy, body)
    opened = _address("withdraw", principal, policy, body, chosen)
    withdrawals.open_interactive(
        owner_of(principal),
        policy,
        amount=body.get("amount"),
        quote_id=body.get("quote_id"),
        other_asset=body.get("destination_asset"),
        from_account=body.get("account"),
        refund_memo_type=body.get("refund_memo_type"),
        refund_memo=body.get("refund_memo"),
        details=_known(Kind.WITHDRAWAL, policy, given),
        transaction_id=opened["id"],
        **_of_wallet(principal, body),
    )
    draft_customers.prefill(opened["id"], given, files)
    return jsonify(opened)


@bp.get("/transaction")
@described(query=words.OneQuery, answer=answers.OneAnswer, token=True, errors=(404,))
def transaction() -> ResponseReturnValue:
    """Show one transaction of whoever asks."""
    principal = current_principal()
    query = words.OneQuery.one().load(request.args.to_dict())
    query.pop("lang", None)
    view = views.find(
        owner_of(principal), "interactive", transaction_id=query.pop("id", None), **query
    )
    return jsonify({"transaction": _shown(view)})


@bp.get("/transactions")
@described(query=words.ListQuery, answer=answers.ListAnswer, token=True, errors=(404,))
def transactions() -> ResponseReturnValue:
    """List the transactions of whoever asks, the newest first."""
    principal = current_principal()
    query = words.ListQuery.one().load(request.args.to_dict())
    if settings().asset(query["asset_code"]) is None:
        raise Rejected("asset_code is not served here")
    wanted = Filter(
        asset_code=query["asset_code"],
        flow="interactive",
        kinds=_KINDS[query["kind"]] if "kind" in query else None,
        no_older_than=query.get("no_older_than"),
        paging_id=query.get("paging_id"),
        limit=query.get("limit"),
    )
    found = views.listing(owner_of(principal), wanted)
    return jsonify({"transactions": [_shown(view) for view in found]})


def _offered(kind: Kind, body: Mapping[str, Any]) -> AssetPolicy:
    policy = settings().asset(body["asset_code"], body.get("asset_issuer"))
    if policy is None or not opening.flow_of(policy, kind).enabled:
        if kind is Kind.DEPOSIT:
            raise Rejected("this asset cannot be deposited here")
        raise Rejected("this asset cannot be withdrawn here")
    return policy


def _chosen(kind: Kind, policy: AssetPolicy, body: Mapping[str, Any]) -> dict[str, str]:
    """Return what stands in the form of the page: which currency is exchanged (SEP24-06).

    Its page promises a quote; the amount of a deposit is in that currency, not in the asset.
    """
    asset = body.get("source_asset") or body.get("destination_asset")
    other = drafts.currency(policy, kind, asset) if asset and "quote_id" not in body else None
    if other is None:
        return {}
    if _pages() is not None:
        raise Rejected("to exchange one asset for another, quote_id is required")
    is_amount = kind is Kind.DEPOSIT and "amount" in body
    return {"other": other} | ({"amount": format_amount(body["amount"])} if is_amount else {})


def _known(kind: Kind, policy: AssetPolicy, given: Mapping[str, Any]) -> dict[str, str]:
    """Return what the wallet says of the customer and a page would ask for (SEP24-26)."""
    rails = [house().rails[name] for name in policy.rails]
    wanted = [field for rail in rails for field in details.asked(rail, kind)]
    texts = {name: value for name, value in given.items() if isinstance(value, str)}
    return details.read(wanted, texts)[0]


def _of_wallet(principal: Principal, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "customer_id": body.get("customer_id"),
        "lang": body.get("lang"),
        "client_domain": principal.client_domain,
        "home_domain": principal.home_domain,
    }


def _address(
    way: str,
    principal: Principal,
    policy: AssetPolicy,
    body: Mapping[str, Any],
    chosen: Mapping[str, str],
) -> dict[str, str]:
    """Return the answer to an opening: an id, and where its customer goes.

    It is made before anything is kept, for pages of the business may fail.
    """
    transaction_id = new_id()
    url = links.to_form(way, transaction_id, **chosen)
    pages = _pages()
    if pages is not None:
        visit = Visit(
            transaction_id,
            "deposit" if way == "deposit" else "withdrawal",
            policy.id,
            _amount(owner_of(principal), body),
            principal.account_id,
            body.get("lang"),
            url,
        )
        url = _url(pages, visit)
    return {"type": "interactive_customer_info_needed", "url": url, "id": transaction_id}


def _pages() -> InteractiveIntegration | None:
    """Return the pages of the business; None where it shows the anchor's own."""
    found = house().interactive
    return None if isinstance(found, Forms) else found


def _amount(owner: Owner, body: Mapping[str, Any]) -> Decimal | None:
    """Return how much the customer pays, as far as the wallet or its quote says."""
    amount = body.get("amount")
    if amount is None and "quote_id" in body:
        with suppress(NotFound):  # which the opening refuses in its own words
            amount = quotes.get(owner, body["quote_id"]).sell_amount
    return None if amount is None else to_decimal(amount)


def _url(pages: InteractiveIntegration, visit: Visit) -> str:
    refuse_inside_transaction()
    try:
        return pages.url(visit)
    except AnchorError:
        raise
    except Exception as error:  # a plug-in may raise anything
        log.exception("the pages %s gave no address for %s", pages.name, visit.transaction_id)
        raise Unavailable("the page cannot be opened now; please try again in a minute") from error


def _shown(view: View) -> dict[str, Any]:
    """Show a transaction in the language of the request, to which its page goes on (SEP24-65)."""
    lang = request.args.get("lang") or view.row.lang
    return words.one(view, settings(), partial(links.to_more_info, lang=lang), speech.say)
