"""The pages on which customers give details, learn what to pay, and look how it stands."""

from datetime import datetime
from secrets import token_hex
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from anchor import languages
from anchor.blueprints import links, speech
from anchor.blueprints.describing import described
from anchor.blueprints.errors import kept_headers, sentence_of, status_of, words_of
from anchor.blueprints.speech import said, say
from anchor.errors import AnchorError, NotFound, Rejected
from anchor.extensions import house, settings
from anchor.integrations.protocols import Field
from anchor.lifecycle import Kind, Status
from anchor.money import format_amount, parse_amount
from anchor.policies import AssetPolicy
from anchor.serializers import pages as words
from anchor.serializers.answers import PageBody, PageQuery
from anchor.services import deposits, details, opening, views, withdrawals
from anchor.services.views import View

bp = Blueprint("interactive", __name__, url_prefix="/interactive")

_SERVICES = {"deposit": deposits, "withdraw": withdrawals}
_KINDS = {
    "deposit": (Kind.DEPOSIT, Kind.DEPOSIT_EXCHANGE),
    "withdraw": (Kind.WITHDRAWAL, Kind.WITHDRAWAL_EXCHANGE),
}


@bp.get("/<any(deposit, withdraw):way>/<transaction_id>")
@described(query=PageQuery, media="text/html", errors=(403, 404))
def form(way: str, transaction_id: str) -> ResponseReturnValue:
    """Show the page that asks the customer for what is missing."""
    links.check_form(transaction_id, request.args.get("token", ""))
    return _form(_view(way, transaction_id), {}, {})


@bp.post("/<any(deposit, withdraw):way>/<transaction_id>")
@described(body=PageBody, media="text/html", errors=(403, 404))
def submit(way: str, transaction_id: str) -> ResponseReturnValue:
    """Take what the customer filled in, and show how to go on."""
    links.check_form(transaction_id, request.form.get("token", ""))
    view = _view(way, transaction_id)
    if view.row.status != Status.INCOMPLETE:
        return _next(view)
    given = request.form.to_dict()
    rail = given.get("rail") or _ways(view)[0]
    values, problems = details.read(_fields(view, rail), given)
    amount = _amount(way, given.get("amount", ""), view, problems)
    if problems:
        return _form(view, given, problems), 400
    try:
        cause = f"form {token_hex(8)}"
        _SERVICES[way].give_details(transaction_id, amount, rail, values, cause)
    except Rejected:
        if views.get(transaction_id).row.status == Status.INCOMPLETE:
            raise  # else the form was sent twice, and the other one was first
    return _next(views.get(transaction_id))


@bp.get("/transaction/<transaction_id>")
@described(query=PageQuery, media="text/html", errors=(403, 404))
def more_info(transaction_id: str) -> ResponseReturnValue:
    """Show a customer how a transaction stands."""
    links.check_more_info(transaction_id, request.args.get("token", ""))
    view = views.get(transaction_id)
    return _page("more_info.html", view, to_do=_to_do(view))


@bp.before_request
def speak() -> None:
    """Speak as the browser asks for, until it is known whose transaction it is about."""
    speech.answer_page_in(None)


@bp.errorhandler(AnchorError)
def refuse(error: AnchorError) -> ResponseReturnValue:
    """Say on a page, not in JSON, that a link leads nowhere."""
    status = status_of(error)
    return _refused(words_of(error), status), status


@bp.errorhandler(HTTPException)
def refuse_request(error: HTTPException) -> ResponseReturnValue:
    """Say on a page that a request is too large, or one too many."""
    return kept_headers(error, _refused(sentence_of(error), error.code or 500))


def _view(way: str, transaction_id: str) -> View:
    view = views.get(transaction_id)
    if view.row.kind not in _KINDS[way]:
        raise NotFound("there is no such transaction")
    return view


def _refused(reason: str, status: int) -> Response:
    return _secured(render_template("refused.html", reason=reason, status=status, **_common()))


def _policy(view: View) -> AssetPolicy:
    policy = settings().asset_by_id(view.row.asset)
    if policy is None:
        raise Rejected("this asset is not served any more")
    return policy


def _fields(view: View, rail: str) -> tuple[Field, ...]:
    if rail not in _ways(view):
        raise Rejected("this way to pay is not offered")
    return tuple(details.asked(house().rails[rail], view.row.kind))


def _ways(view: View) -> list[str]:
    """Return the rails that a customer may choose from, the preferred one first.

    Raises `Rejected` where those of a quote are gone from the configuration.
    """
    quote, rails = view.quote, list(_policy(view).rails)
    if quote is None:
        return rails
    ways, named = opening.quoted_ways(quote), opening.quoted_rail(quote)
    found = [rail for rail in rails if rail in ways and named in {None, rail}]
    if not found:
        raise Rejected("this way to pay is not offered")
    return found


def _amount(way: str, text: str, view: View, problems: dict[str, Rejected]) -> int:
    try:
        amount = parse_amount(text.strip())
        if view.quote is None:
            _SERVICES[way].check_amount(_policy(view), amount)
        elif amount != view.quote.sell_amount:
            raise Rejected("the amount is not what the quote says")
    except Rejected as error:
        problems["amount"] = error
        return 0
    return amount


def _form(view: View, given: dict[str, str], problems: dict[str, Rejected]) -> Response:
    if view.row.status != Status.INCOMPLETE:
        return _next(view)
    policy = _policy(view)
    expected = view.row.amount_expected
    known = dict(view.row.details, amount="" if expected is None else format_amount(expected))
    rails = _ways(view)
    rail = given.get("rail") or rails[0]
    return _page(
        "form.html",
        view,
        policy=policy,
        flow=opening.flow_of(policy, view.row.kind),
        rails=rails,
        rail=rail,
        fields=_fields(view, rail),
        given=known | given,
        problems=problems,
        token=request.values.get("token", ""),
    )


def _next(view: View) -> Response:
    """Show what the customer has to pay, or that there is nothing left to do here."""
    return _page("next.html", view, to_do=_to_do(view))


def _to_do(view: View) -> list[words.Fact]:
    if view.row.status != Status.PENDING_USER_TRANSFER_START:
        return []
    return words.to_do(view, deposits.instructions(view.row))


def _page(template: str, view: View, **context: Any) -> Response:
    speech.answer_page_in(view.row.lang)

    def moment(instant: datetime | None) -> str:
        return languages.moment(speech.language(), instant)

    body = render_template(
        template,
        row=view.row,
        way="deposit" if view.row.kind in _KINDS["deposit"] else "withdraw",
        code=view.row.asset_code,
        unit=words.units(view.row)[0],
        quoted=words.quoted(view, moment),
        standing=words.standing(view),
        facts=words.facts(view, moment),
        due=moment(view.row.deadline_at),
        format_amount=format_amount,
        **_common(),
        **context,
    )
    return _secured(body)


def _common() -> dict[str, Any]:
    """What every page needs: who speaks, and in which language."""
    name = settings().home_domains[0]
    return {
        "say": say,
        "said": said,
        "language": speech.language(),
        "home_domain": name,
        "organization": settings().organization.get("ORG_NAME") or name,
    }


def _secured(body: str) -> Response:
    response = make_response(body)
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'"
    )
    return response
