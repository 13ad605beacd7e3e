"""SEP-24: interactive deposits and withdrawals, as wallets ask for them."""

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from anchor.blueprints import forms, speech
from anchor.blueprints.describing import described
from anchor.blueprints.guards import current_principal, owner_of
from anchor.blueprints.limits import costly
from anchor.errors import AnchorError, Rejected, Unavailable
from anchor.extensions import house, settings
from anchor.integrations.interactive import Visit
from anchor.integrations.own_pages import Forms
from anchor.lifecycle import DEPOSITS, WITHDRAWALS, Kind
from anchor.money import to_decimal
from anchor.policies import AssetPolicy
from anchor.serializers import sep24 as words
from anchor.serializers import sep24_answers as answers
from anchor.serializers import transaction_words
from anchor.services import (
    deposits,
    details,
    draft_customers,
    links,
    opening,
    views,
    withdrawals,
)
from anchor.services.views import Filter, View

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
    given = forms.body()
    body = words.DepositBody.one().load(given)
    policy = _offered(Kind.DEPOSIT, body)
    transaction_id = deposits.open_interactive(
        owner_of(principal),
        policy,
        **transaction_words.destination(body, principal),
        amount=body.get("amount"),
        quote_id=body.get("quote_id"),
        other_asset=body.get("source_asset"),
        takes_claimable_balance=body["claimable_balance_supported"],
        details=_known(Kind.DEPOSIT, policy, given),
        lang=body.get("lang"),
        client_domain=principal.client_domain,
        home_domain=principal.home_domain,
    )
    draft_customers.prefill(transaction_id, given)
    return _opened("deposit", transaction_id)


@bp.post("/transactions/withdraw/interactive")
@costly
@described(body=words.WithdrawBody, answer=answers.OpenedAnswer, token=True)
def withdraw() -> ResponseReturnValue:
    """Open a withdrawal and send the customer to its page."""
    principal = current_principal()
    given = forms.body()
    body = words.WithdrawBody.one().load(given)
    policy = _offered(Kind.WITHDRAWAL, body)
    transaction_id = withdrawals.open_interactive(
        owner_of(principal),
        policy,
        amount=body.get("amount"),
        quote_id=body.get("quote_id"),
        other_asset=body.get("destination_asset"),
        from_account=body.get("account"),
        refund_memo_type=body.get("refund_memo_type"),
        refund_memo=body.get("refund_memo"),
        details=_known(Kind.WITHDRAWAL, policy, given),
        lang=body.get("lang"),
        client_domain=principal.client_domain,
        home_domain=principal.home_domain,
    )
    draft_customers.prefill(transaction_id, given)
    return _opened("withdraw", transaction_id)


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
    other = body.get("source_asset") or body.get("destination_asset")
    if other and "quote_id" not in body:
        raise Rejected("to exchange one asset for another, quote_id is required")
    return policy


def _known(kind: Kind, policy: AssetPolicy, given: Mapping[str, Any]) -> dict[str, str]:
    """Return what the wallet says of the customer and a page would ask for (SEP24-26)."""
    rails = [house().rails[name] for name in policy.rails]
    wanted = [field for rail in rails for field in details.asked(rail, kind)]
    texts = {name: value for name, value in given.items() if isinstance(value, str)}
    return details.read(wanted, texts)[0]


def _opened(way: str, transaction_id: str) -> ResponseReturnValue:
    return jsonify(
        {
            "type": "interactive_customer_info_needed",
            "url": _url(way, transaction_id),
            "id": transaction_id,
        }
    )


def _url(way: str, transaction_id: str) -> str:
    """Return where the customer goes: to our own pages, or to those of the business."""
    pages = house().interactive
    own = links.to_form(way, transaction_id)
    if pages is None or isinstance(pages, Forms):
        return own
    row = views.get(transaction_id).row
    visit = Visit(
        row.id,
        "deposit" if way == "deposit" else "withdrawal",
        row.asset,
        None if row.amount_expected is None else to_decimal(row.amount_expected),
        row.owner_account,
        row.lang,
        own,
    )
    try:
        return pages.url(visit)
    except AnchorError:
        raise
    except Exception as error:  # a plug-in may raise anything
        log.exception("the pages %s gave no address for %s", pages.name, row.id)
        raise Unavailable("the page cannot be opened now; please try again in a minute") from error


def _shown(view: View) -> dict[str, Any]:
    """Show a transaction in the language of the request, to which its page goes on (SEP24-65)."""
    lang = request.args.get("lang") or view.row.lang
    return words.one(view, settings(), partial(links.to_more_info, lang=lang), speech.say)
