"""The pages on which customers give details, learn what to pay, and look how it stands.

A link opens a page once and becomes the session of its browser (`visits`). Then it goes step by
step, each at an address of its own: a form is sent, what it says is kept in one commit, and the
browser is led to the next step, so that nothing is sent twice by going back or loading anew.
What the next step is, the transaction tells (`drafts`).
"""

from secrets import token_hex
from typing import Any

from flask import Blueprint, Response, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from anchor.blueprints import customer_form, speech, visits
from anchor.blueprints.describing import described
from anchor.blueprints.errors import kept_headers, sentence_of, status_of, words_of
from anchor.blueprints.limits import costly
from anchor.blueprints.page_making import moment, page, refusal, sentence
from anchor.blueprints.speech import say
from anchor.errors import AnchorError, NotFound, Rejected, Unavailable
from anchor.extensions import settings
from anchor.lifecycle import FINAL, Status
from anchor.money import format_amount
from anchor.serializers import page_amounts, page_fields, sep07
from anchor.serializers import pages as words
from anchor.serializers.answers import PageBody, PageQuery
from anchor.serializers.transaction_words import is_a_deposit
from anchor.services import deposits, details, draft_sums, drafts, links, opening, views
from anchor.services.drafts import Draft, Step
from anchor.services.views import View
from anchor.web_auth import PageSession

bp = Blueprint("interactive", __name__, url_prefix="/interactive")

_WAY = "/<any(deposit, withdraw):way>/<transaction_id>"


@bp.get(_WAY)
@described(query=PageQuery, media="text/html", errors=(403, 404), leads_on=True)
def form(way: str, transaction_id: str) -> ResponseReturnValue:
    """Open the page by its link, or ask how much the customer wants to pay."""
    if "token" in request.args:
        return _enter(way, transaction_id)
    session, view = _visit(way, transaction_id)
    if view.row.status != Status.INCOMPLETE:
        return _to(way, transaction_id, "status")
    return _amount(session, drafts.look(transaction_id), _chosen(), {})


@bp.post(_WAY)
@costly
@described(body=PageBody, media="text/html", errors=(403, 404), leads_on=True)
def submit(way: str, transaction_id: str) -> ResponseReturnValue:
    """Take how much the customer pays, and how."""
    session, view = _posted(way, transaction_id)
    if view.row.status != Status.INCOMPLETE:
        return _to(way, transaction_id, "status")
    given = request.form.to_dict()
    draft = drafts.look(transaction_id)
    rail, other = given.get("rail") or draft.ways[0], given.get("other") or None
    try:
        amount = page_amounts.typed(given.get("amount", ""))
        drafts.choose(transaction_id, amount, rail, other)
    except (Rejected, Unavailable) as error:
        if views.get(transaction_id).row.status != Status.INCOMPLETE:
            return _to(way, transaction_id, "status")
        name = "rail" if rail not in draft.ways else "amount"
        return _amount(session, draft, given, {name: error}), status_of(error)
    return _after(way, transaction_id, Step.AMOUNT)


@bp.get(f"{_WAY}/customer")
@costly
@described(media="text/html", errors=(403, 404), leads_on=True)
def customer(way: str, transaction_id: str) -> ResponseReturnValue:
    """Ask who the customer is, as far as that is not known."""
    session, view = _visit(way, transaction_id)
    if drafts.refuse_customer(transaction_id, _cause(), session.finish_url):
        return _to(way, transaction_id, "status")
    draft = _at(view, Step.CUSTOMER)
    if draft is None or not customer_form.asked(draft):
        return _onward(way, transaction_id)
    return customer_form.show(session, draft)


@bp.post(f"{_WAY}/customer")
@costly
@described(body=PageBody, media="text/html", errors=(403, 404), leads_on=True)
def submit_customer(way: str, transaction_id: str) -> ResponseReturnValue:
    """Hand what the customer says to the store of customers, which keeps it or says what lacks."""
    request.max_content_length = customer_form.MAX_BODY_BYTES
    session, view = _posted(way, transaction_id)
    draft = _at(view, Step.CUSTOMER)
    if draft is None:
        return _onward(way, transaction_id)
    refused = customer_form.take(session, draft)
    if refused is not None:
        return refused
    if drafts.refuse_customer(transaction_id, _cause(), session.finish_url):
        return _to(way, transaction_id, "status")
    return _after(way, transaction_id, Step.CUSTOMER)


@bp.get(f"{_WAY}/account")
@described(media="text/html", errors=(403, 404), leads_on=True)
def account(way: str, transaction_id: str) -> ResponseReturnValue:
    """Ask for what the rail needs to know."""
    session, view = _visit(way, transaction_id)
    draft = _at(view, Step.ACCOUNT)
    return _onward(way, transaction_id) if draft is None else _account(session, draft, {}, {})


@bp.post(f"{_WAY}/account")
@costly
@described(body=PageBody, media="text/html", errors=(403, 404), leads_on=True)
def submit_account(way: str, transaction_id: str) -> ResponseReturnValue:
    """Keep what the rail needs to know."""
    session, view = _posted(way, transaction_id)
    draft = _at(view, Step.ACCOUNT)
    if draft is None:
        return _onward(way, transaction_id)
    given = request.form.to_dict()
    values, problems = details.read(draft.fields, given)
    if problems:
        told = {name: sentence(error) for name, error in problems.items()}
        return _account(session, draft, given, told), 400
    drafts.describe(transaction_id, view.row.rail, values)
    return _after(way, transaction_id, Step.ACCOUNT)


@bp.get(f"{_WAY}/review")
@costly
@described(media="text/html", errors=(403, 404), leads_on=True)
def review(way: str, transaction_id: str) -> ResponseReturnValue:
    """Show all of it once more, before anything binds anybody."""
    session, view = _visit(way, transaction_id)
    if _at(view, Step.REVIEW) is None:
        return _onward(way, transaction_id)
    return _review(session, transaction_id)


@bp.post(f"{_WAY}/review")
@costly
@described(body=PageBody, media="text/html", errors=(403, 404), leads_on=True)
def confirm(way: str, transaction_id: str) -> ResponseReturnValue:
    """Complete the transaction for just what the customer saw."""
    session, view = _posted(way, transaction_id)
    if view.row.status != Status.INCOMPLETE:
        return _to(way, transaction_id, "status")
    try:
        drafts.confirm(transaction_id, request.form.get("seal", ""), _cause(), session.finish_url)
    except Rejected as error:
        view = views.get(transaction_id)
        if view.row.status != Status.INCOMPLETE:  # it was sent twice, and the other was first
            return _to(way, transaction_id, "status")
        if _at(view, Step.REVIEW) is None:
            return _onward(way, transaction_id)
        return _review(session, transaction_id, error), 400
    return _to(way, transaction_id, "status")


@bp.get(f"{_WAY}/status")
@described(media="text/html", errors=(403, 404), leads_on=True)
def status(way: str, transaction_id: str) -> ResponseReturnValue:
    """Show what the customer has to pay, and from then on how it stands."""
    session, view = _visit(way, transaction_id)
    if view.row.status == Status.INCOMPLETE:
        return _onward(way, transaction_id)
    return _status(session, view, _place(way, transaction_id))


@bp.get("/transaction/<transaction_id>")
@described(query=PageQuery, media="text/html", errors=(403, 404))
def more_info(transaction_id: str) -> ResponseReturnValue:
    """Show a customer how a transaction stands."""
    place = url_for("interactive.more_info", transaction_id=transaction_id)
    if "token" not in request.args or visits.is_open(links.LOOK, transaction_id):
        session = visits.on_page(links.LOOK, transaction_id, place)
        return _status(session, views.get(transaction_id), place)
    links.check_more_info(transaction_id, request.args["token"])
    session = visits.told_by(PageSession(transaction_id, links.LOOK, lang=request.args.get("lang")))
    return visits.keep(_status(session, views.get(transaction_id), place), session, place)


@bp.before_request
def speak() -> None:
    """Speak as the browser asks for, until it is known whose transaction it is about."""
    speech.answer_page_in(None)


@bp.errorhandler(AnchorError)
def refuse(error: AnchorError) -> ResponseReturnValue:
    """Say on a page, not in JSON, that a link leads nowhere."""
    return refusal(words_of(error), status_of(error))


@bp.errorhandler(HTTPException)
def refuse_request(error: HTTPException) -> ResponseReturnValue:
    """Say on a page that a request is too large, or one too many."""
    return kept_headers(error, refusal(sentence_of(error), error.code or 500))


def _enter(way: str, transaction_id: str) -> Response:
    """Exchange the link for a session, take the token out of the address, and go on (SEP24-05)."""
    token = request.args["token"]
    links.check_form(transaction_id, token)
    _view(way, transaction_id)
    session = PageSession(transaction_id, links.FORM, lang=request.args.get("lang"))
    response = _to(way, transaction_id, "form", **_chosen())
    if request.method == "HEAD":  # whoever only looks whether it is there does not open it
        return make_response("")
    if visits.is_open(links.FORM, transaction_id):  # in this very browser
        return response
    links.use_up(token)
    return visits.keep(response, visits.told_by(session), _place(way, transaction_id))


def _chosen() -> dict[str, str]:
    """Return what a link has chosen for the form, as far as the customer may choose it."""
    return {name: request.args[name] for name in ("amount", "other") if name in request.args}


def _visit(way: str, transaction_id: str) -> tuple[PageSession, View]:
    place = _place(way, transaction_id)
    session = visits.on_page(links.FORM, transaction_id, place)
    view = _view(way, transaction_id)
    speech.answer_page_in(session.lang or view.row.lang)
    return session, view


def _posted(way: str, transaction_id: str) -> tuple[PageSession, View]:
    session, view = _visit(way, transaction_id)
    visits.check_form(session)
    return session, view


def _view(way: str, transaction_id: str) -> View:
    view = views.get(transaction_id)
    if view.row.kind not in drafts.WAYS[way]:
        raise NotFound("there is no such transaction")
    return view


def _cause() -> str:
    return f"form {token_hex(8)}"


def _place(way: str, transaction_id: str) -> str:
    return url_for("interactive.form", way=way, transaction_id=transaction_id)


def _to(way: str, transaction_id: str, name: str, **query: Any) -> Response:
    place = url_for(f"interactive.{name}", way=way, transaction_id=transaction_id, **query)
    return make_response(redirect(place, 303))


def _onward(way: str, transaction_id: str) -> Response:
    """Lead to the first step that lacks something, or to how it stands."""
    if views.get(transaction_id).row.status != Status.INCOMPLETE:
        return _to(way, transaction_id, "status")
    return _to(way, transaction_id, _ROUTES[drafts.look(transaction_id).at])


_ROUTES = {step: "form" if step is Step.AMOUNT else step.value for step in Step}


def _at(view: View, step: Step) -> Draft | None:
    """Return the draft where this step is due; None where an earlier one is, or none."""
    if view.row.status != Status.INCOMPLETE:
        return None
    draft = drafts.look(view.row.id)
    is_due = step in draft.steps and draft.steps.index(step) <= draft.steps.index(draft.at)
    return draft if is_due else None


def _after(way: str, transaction_id: str, done: Step) -> Response:
    """Lead to the step after one that was done, past a customer who has nothing to add."""
    draft = drafts.look(transaction_id)
    left = draft.steps[draft.steps.index(done) + 1 :] if done in draft.steps else [draft.at]
    following = draft.at if draft.at not in left else left[0]
    if following is Step.CUSTOMER and draft.at is not Step.CUSTOMER:
        following = left[left.index(Step.CUSTOMER) + 1]
    return _to(way, transaction_id, _ROUTES[following])


def _amount(
    session: PageSession,
    draft: Draft,
    given: dict[str, str],
    problems: dict[str, Rejected | Unavailable],
) -> Response:
    row = draft.view.row
    expected = row.amount_expected
    known = {
        "amount": "" if expected is None else format_amount(expected),
        "rail": row.rail,
        "other": words.exchanged(row) or "",
    }
    if draft_sums.is_fixed(draft.view):
        given = {}
    return page(
        "amount.html",
        draft.view,
        session,
        draft=draft,
        step=Step.AMOUNT,
        flow=opening.flow_of(draft.policy, row.kind),
        fee=draft.plain_fee,
        is_fixed=draft_sums.is_fixed(draft.view),
        units=words.pay_units(draft),
        given=known | given,
        problems=problems,
        price_url=url_for("page_data.price", way=_way(draft), transaction_id=row.id),
    )


def _way(draft: Draft) -> str:
    return "deposit" if draft.is_deposit else "withdraw"


def _account(
    session: PageSession, draft: Draft, given: dict[str, str], problems: dict[str, str]
) -> Response:
    inputs = page_fields.of_rail(draft.fields, draft.view.row.details | given, problems, say)
    return page(
        "account.html",
        draft.view,
        session,
        draft=draft,
        step=Step.ACCOUNT,
        inputs=inputs,
        problems=problems,
    )


def _review(session: PageSession, transaction_id: str, problem: Rejected | None = None) -> Response:
    drafts.refresh(transaction_id)
    draft = drafts.look(transaction_id)
    return page(
        "review.html",
        draft.view,
        session,
        draft=draft,
        step=Step.REVIEW,
        facts=words.review(draft, draft.fields, draft.view.row.rail.replace("_", " ").capitalize()),
        problem=problem,
    )


def _status(session: PageSession, view: View, place: str) -> Response:
    is_waiting = view.row.status == Status.PENDING_USER_TRANSFER_START
    is_waiting = is_waiting and not words.has_run_out(view)
    link = sep07.pay_link(view, settings().network_passphrase) if is_waiting else None
    address = words.muxed_address(view) if is_waiting else None
    speech.answer_page_in(session.lang or view.row.lang)
    title = say("The address as a QR code") if address else say("The payment as a QR code")
    return page(
        "status.html",
        view,
        session,
        standing=words.standing(view),
        to_do=_to_do(view) if is_waiting else [],
        sums=words.sums(view, settings(), speech.language()),
        facts=words.facts(view, settings(), moment),
        is_over=view.row.status in FINAL | {Status.EXPIRED},
        progress=words.progress(view),
        pay_link=link,
        address=address,
        picture=sep07.picture(scanned, title) if (scanned := link or address) else None,
        state_url=f"{place}/state",
        is_form=session.purpose == links.FORM,
    )


def _to_do(view: View) -> list[words.Fact]:
    told = deposits.rail_says(view.row) if is_a_deposit(view) else {}
    return words.to_do(view, settings(), told, speech.language())
