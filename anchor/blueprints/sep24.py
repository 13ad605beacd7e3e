"""SEP-24: interactive withdrawals, as wallets ask for them; and their pages."""

from secrets import token_hex
from typing import Any

from flask import Blueprint, Response, jsonify, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from anchor import web_auth
from anchor.blueprints import forms
from anchor.blueprints.errors import status_of
from anchor.blueprints.guards import current_principal, owner_of
from anchor.config import AssetPolicy
from anchor.errors import AnchorError, Rejected, Unauthorized
from anchor.extensions import house, settings
from anchor.integrations.protocols import Field
from anchor.lifecycle import Kind, Status
from anchor.money import format_amount, parse_amount
from anchor.serializers import sep24 as words
from anchor.services import details, logins, withdrawals
from anchor.services.withdrawals import Filter, View

bp = Blueprint("sep24", __name__, url_prefix="/sep24")
pages = Blueprint("interactive", __name__, url_prefix="/interactive")

_OPEN, _LOOK = "interactive", "more_info"
_KINDS = {
    "deposit": (Kind.DEPOSIT, Kind.DEPOSIT_EXCHANGE),
    "withdrawal": (Kind.WITHDRAWAL, Kind.WITHDRAWAL_EXCHANGE),
}


@bp.get("/info")
def info() -> ResponseReturnValue:
    """Show which assets can be withdrawn, and their limits and fees."""
    return jsonify(words.info(settings()))


@bp.post("/transactions/withdraw/interactive")
def withdraw() -> ResponseReturnValue:
    """Open a withdrawal and send the customer to its page."""
    principal = current_principal()
    body = words.WithdrawBody().load(forms.body())
    policy = _withdrawable(body["asset_code"], body.get("asset_issuer"))
    if body.get("quote_id") or body.get("destination_asset"):
        raise Rejected("conversions on a quote are not offered")
    transaction_id = withdrawals.open_interactive(
        owner_of(principal),
        policy,
        amount=body.get("amount"),
        from_account=body.get("account"),
        lang=body.get("lang"),
        client_domain=principal.client_domain,
        home_domain=principal.home_domain,
    )
    return jsonify(
        {
            "type": "interactive_customer_info_needed",
            "url": _link(_OPEN, transaction_id),
            "id": transaction_id,
        }
    )


@bp.post("/transactions/deposit/interactive")
def deposit() -> ResponseReturnValue:
    """Refuse deposits, which no asset offers yet."""
    current_principal()
    words.WithdrawBody().load(forms.body())
    raise Rejected("deposits of this asset are not offered")


@bp.get("/transaction")
def transaction() -> ResponseReturnValue:
    """Show one transaction of whoever asks."""
    principal = current_principal()
    query = words.OneQuery().load(request.args.to_dict())
    query.pop("lang", None)
    view = withdrawals.find(owner_of(principal), transaction_id=query.pop("id", None), **query)
    return jsonify({"transaction": _shown(view)})


@bp.get("/transactions")
def transactions() -> ResponseReturnValue:
    """List the transactions of whoever asks, the newest first."""
    principal = current_principal()
    query = words.ListQuery().load(request.args.to_dict())
    if settings().asset(query["asset_code"]) is None:
        raise Rejected("asset_code is not served here")
    wanted = Filter(
        asset_code=query["asset_code"],
        kinds=_KINDS[query["kind"]] if "kind" in query else None,
        no_older_than=query.get("no_older_than"),
        paging_id=query.get("paging_id"),
        limit=query.get("limit"),
    )
    found = withdrawals.listing(owner_of(principal), wanted)
    return jsonify({"transactions": [_shown(view) for view in found]})


@pages.get("/withdraw/<transaction_id>")
def form(transaction_id: str) -> ResponseReturnValue:
    """Show the page that asks the customer for what is missing."""
    _opened(_OPEN, transaction_id, request.args.get("token", ""))
    return _form(withdrawals.get(transaction_id), {}, {})


@pages.post("/withdraw/<transaction_id>")
def submit(transaction_id: str) -> ResponseReturnValue:
    """Take what the customer filled in, and show how to go on."""
    _opened(_OPEN, transaction_id, request.form.get("token", ""))
    view = withdrawals.get(transaction_id)
    if view.row.status != Status.INCOMPLETE:
        return _page("withdraw_done.html", view)
    given = request.form.to_dict()
    rail = given.get("rail") or _policy(view).rails[0]
    values, problems = details.read(_fields(view, rail), given)
    amount = _amount(given.get("amount", ""), _policy(view), problems)
    if problems:
        return _form(view, given, problems), 400
    withdrawals.give_details(transaction_id, amount, rail, values, f"form {token_hex(8)}")
    return _page("withdraw_done.html", withdrawals.get(transaction_id))


@pages.get("/transaction/<transaction_id>")
def more_info(transaction_id: str) -> ResponseReturnValue:
    """Show a customer how a transaction stands."""
    _opened(_LOOK, transaction_id, request.args.get("token", ""))
    return _page("more_info.html", withdrawals.get(transaction_id))


@pages.errorhandler(AnchorError)
def refuse(error: AnchorError) -> ResponseReturnValue:
    """Say on a page, not in JSON, that a link leads nowhere."""
    status = status_of(error)
    return _secured(render_template("refused.html", reason=str(error), status=status)), status


def _withdrawable(code: str, issuer: str | None) -> AssetPolicy:
    policy = settings().asset(code, issuer)
    if policy is None or not policy.withdrawal.enabled:
        raise Rejected("this asset cannot be withdrawn here")
    return policy


def _link(purpose: str, transaction_id: str) -> str:
    token = web_auth.issue_link(logins.policy(), purpose, transaction_id)
    endpoint = "interactive.form" if purpose == _OPEN else "interactive.more_info"
    path = url_for(endpoint, transaction_id=transaction_id, token=token)
    return settings().public_url + path


def _opened(purpose: str, transaction_id: str, token: str) -> None:
    if web_auth.read_link(logins.policy(), purpose, token) != transaction_id:
        raise Unauthorized("this link is for another transaction")


def _shown(view: View) -> dict[str, Any]:
    return words.one(view, settings(), lambda row_id: _link(_LOOK, row_id))


def _policy(view: View) -> AssetPolicy:
    policy = settings().asset_by_id(view.row.asset)
    if policy is None:
        raise Rejected("this asset is not served any more")
    return policy


def _fields(view: View, rail: str) -> tuple[Field, ...]:
    if rail not in _policy(view).rails:
        raise Rejected("this way to be paid is not offered")
    return tuple(house().rails[rail].withdrawal_fields)


def _amount(text: str, policy: AssetPolicy, problems: dict[str, str]) -> int:
    try:
        amount = parse_amount(text.strip())
        withdrawals.check_amount(policy, amount)
    except Rejected as error:
        problems["amount"] = str(error)
        return 0
    return amount


def _form(view: View, given: dict[str, str], problems: dict[str, str]) -> Response:
    if view.row.status != Status.INCOMPLETE:
        return _page("withdraw_done.html", view)
    policy = _policy(view)
    expected = view.row.amount_expected
    return _page(
        "withdraw.html",
        view,
        policy=policy,
        fields=_fields(view, given.get("rail") or policy.rails[0]),
        given={"amount": "" if expected is None else format_amount(expected)} | given,
        problems=problems,
        token=request.values.get("token", ""),
    )


def _page(template: str, view: View, **context: Any) -> Response:
    shown = words.one(view, settings(), lambda _row_id: "")
    body = render_template(
        template,
        transaction=shown,
        code=view.row.asset_code,
        home_domain=settings().home_domains[0],
        organization=settings().organization.get("ORG_NAME") or settings().home_domains[0],
        format_amount=format_amount,
        **context,
    )
    return _secured(body)


def _secured(body: str) -> Response:
    response = make_response(body)
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'"
    )
    return response
