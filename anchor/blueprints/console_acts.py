"""What operators do in the console: each act is a page that says what it does, and does it once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError

from anchor.blueprints import operators
from anchor.blueprints.console_making import page, transaction_page
from anchor.blueprints.describing import described
from anchor.blueprints.errors import status_of
from anchor.blueprints.limits import costly
from anchor.errors import AnchorError, NotFound, Rejected, Unavailable
from anchor.money import format_amount
from anchor.serializers import admin_desk
from anchor.serializers import console_desk as desk_words
from anchor.serializers import console_desk_forms as forms
from anchor.serializers.console_forms import ConsoleBody, Filled
from anchor.serializers.fields import known_id
from anchor.services import (
    act_views,
    attesting,
    crediting,
    custodian_payments,
    desk,
    refund_orders,
    retries,
)
from anchor.services.act_views import About
from anchor.services.acts import By
from anchor.services.jobs import Address

bp = Blueprint("acts", __name__, url_prefix="/acts")

_HIDDEN = ("kind", "subject")


@dataclass(frozen=True)
class Where:
    """What an act is about, as its address says."""

    case: int | None = None
    transaction: str | None = None
    outflow: str | None = None

    @property
    def case_id(self) -> int:
        """The case; `Rejected` where none is named."""
        if self.case is None:
            raise Rejected("name a case")
        return self.case

    @property
    def transaction_id(self) -> str:
        """The transaction; `Rejected` where none is named."""
        if self.transaction is None:
            raise Rejected("name a transaction")
        return self.transaction

    @property
    def key(self) -> str:
        """The key of what goes out; `Rejected` where none is named."""
        if self.outflow is None:
            raise Rejected("nothing of it is on its way: name the key of what goes out")
        return self.outflow

    @property
    def named(self) -> str:
        """What a refund is about."""
        return str(self.case) if self.case is not None else self.transaction_id

    @property
    def given(self) -> dict[str, Any]:
        """What the address says."""
        return {name: value for name, value in vars(self).items() if value is not None}


Do = Callable[[Where, Mapping[str, Any], By], object]

_DO: Mapping[str, Do] = MappingProxyType(
    {
        "close": lambda at, _, by: desk.close(at.case_id, by),
        "credit": lambda at, body, by: crediting.credit(at.case_id, body["to"], by),
        "refund": lambda at, body, by: refund_orders.begin(
            body.get("cause") or at.named, by, admin_desk.terms(body)
        ),
        "cancel-refund": lambda at, _, by: refund_orders.cancel(at.key, by),
        "hold": lambda at, _, by: desk.hold(at.transaction_id, by),
        "release": lambda at, body, by: desk.release(at.transaction_id, by, seen=body.get("seen")),
        "fail": lambda at, _, by: desk.fail(at.transaction_id, by),
        "pay-again": lambda at, body, by: desk.pay_again(
            at.transaction_id, by, seen=body.get("seen")
        ),
        "settle": lambda at, body, by: attesting.settle(at.key, by, is_paid=body["paid"]),
        "settle-order": lambda at, body, by: custodian_payments.settle(
            at.key, body.get("paid_by"), by
        ),
        "retry": lambda _, body, by: retries.ask(Address(body["kind"], body["subject"]), by),
    }
)


@dataclass(frozen=True)
class Sheet:
    """An act that somebody is about to do: what it is about, and what they filled in."""

    act: str
    where: Where
    about: About
    filled: Filled
    key: str


@bp.get("/<act>")
@described(query=forms.ActQuery, media="text/html", errors=(403, 404), leads_on=True)
def form(act: str) -> ResponseReturnValue:
    """Say what an act does, and ask what it needs."""
    operators.demand_acting(operators.current())
    _demand_known(act)
    where, about = _where()
    given = dict(zip(_HIDDEN, vars(about.job).values(), strict=True)) if about.job else {}
    if act == "credit" and about.transaction:
        given["to"] = about.transaction.id
    return _form(Sheet(act, where, about, Filled(given, {}), forms.new_key()))


@bp.post("/<act>")
@costly
@described(
    query=forms.ActQuery, body=ConsoleBody, media="text/html", errors=(401, 403, 404), leads_on=True
)
def do(act: str) -> ResponseReturnValue:
    """Do an act once; what is money to somebody is reviewed first."""
    _demand_known(act)
    where, about = _where()
    filled, key = forms.read(act, request.form), forms.key_of(request.form)
    sheet = Sheet(act, where, about, filled, key or forms.new_key())
    step = request.form.get("step")
    if step == "edit" or filled.problems or key is None:
        return _form(sheet), 200 if step == "edit" else 400
    try:
        _demand_of_it(about, filled.body.get("cause"))
        if act in {"credit", "refund"} and step != "do":
            return _review(sheet)
        by = By(operators.current().name, filled.body.get("note"), key)
        _DO[act](where, filled.body, by)
    except (Rejected, Unavailable) as error:
        return _form(sheet, error), status_of(error)
    return redirect(_back(sheet, done=act), 303)


def _demand_known(act: str) -> None:
    if act not in _DO:
        raise NotFound("there is no such act")


def _demand_of_it(about: About, cause: str | None) -> None:
    """Refuse what came for something else than is shown."""
    if cause is not None and cause not in {each.cause for each in about.choices}:
        raise Rejected("choose among what came for it")


def _where() -> tuple[Where, About]:
    """Return what the act is about, by its address; what a case tells of is named in it, too."""
    try:
        query = forms.ActQuery().load({n: v for n, v in request.args.items() if v})
    except ValidationError as error:
        raise NotFound("there is nothing of that name") from error
    where = Where(**query)
    for name in (where.transaction, where.outflow):
        if name is not None:
            known_id(name)
    about = act_views.about(where.case, where.transaction, where.outflow)
    row, going = about.transaction, about.outflow
    return replace(
        where,
        transaction=where.transaction or (row.id if row else None),
        outflow=where.outflow or (going.key if going else None),
    ), about


def _form(sheet: Sheet, trouble: AnchorError | None = None) -> Response:
    given, row = sheet.filled.given, sheet.about.transaction
    hidden_fields = {name: given[name] for name in _HIDDEN if name in given}
    if row is not None and sheet.act in forms.OF_WHAT_WAS_SEEN:
        hidden_fields["seen"] = str(row.version)
    return _page("console/act.html", sheet, trouble=trouble, hidden_fields=hidden_fields)


def _review(sheet: Sheet) -> Response:
    where, body = sheet.where, sheet.filled.body
    if sheet.act == "credit":
        crediting.check(where.case_id, body["to"])
        found = desk_words.transaction_facts(act_views.transaction(body["to"]))
        return _page("console/act_review.html", sheet, title="The transaction", facts=found)
    named = body.get("cause") or where.named
    review = refund_orders.review(named, admin_desk.terms(body))
    pinned = {**sheet.filled.given, "amount": format_amount(review.gross)}
    found = desk_words.review_facts(review)
    sheet = replace(sheet, filled=replace(sheet.filled, given=pinned))
    return _page("console/act_review.html", sheet, title="What goes back", facts=found)


def _page(template: str, sheet: Sheet, **context: Any) -> Response:
    return page(
        template,
        act=sheet.act,
        about=sheet.about,
        filled=sheet.filled,
        key=sheet.key,
        words_of_act=desk_words.ACTS[sheet.act],
        there=url_for(".do", act=sheet.act, **sheet.where.given),
        back=_back(sheet),
        desk_words=desk_words,
        **context,
    )


def _back(sheet: Sheet, done: str | None = None) -> str:
    """Return where an act came from and leads back to: its case, or else its transaction."""
    if sheet.where.case is not None:
        return url_for("console.cases.one", case_id=sheet.where.case, done=done)
    there = transaction_page(sheet.about.transaction, done=done)
    return there or url_for("console.cases.listing")
