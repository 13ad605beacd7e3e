"""The step at which a customer says who they are: what it shows, and what it takes.

All of it goes to the store of customers. A file that is good stays there for a while, also where
something else of the form is wrong, so that nobody has to look for it twice.
"""

from collections.abc import Mapping

from flask import Response, make_response, request

from anchor.blueprints import speech
from anchor.blueprints.page_making import page, sentence
from anchor.blueprints.speech import say
from anchor.customers.file_types import MAX_BYTES
from anchor.customers.rules import Need
from anchor.customers.standing import Held, State
from anchor.errors import Rejected
from anchor.serializers import page_fields as words
from anchor.services import customer_files, customer_uploads, draft_customers
from anchor.services.customer_uploads import FILE_ID, VERIFICATION, Upload
from anchor.services.drafts import Draft, Step
from anchor.web_auth import PageSession

MAX_BODY_BYTES = 3 * MAX_BYTES
_Asked = list[tuple[Need, Held | None, str]]


def asked(draft: Draft) -> _Asked:
    """Return what is asked now: what is missing, was refused, or waits for its code."""
    if draft.customer is None:
        return []
    found: _Asked = [(need, None, "") for need in draft.customer.missing]
    found += [
        (need, held, status)
        for need, held, status in draft.customer.provided
        if held.state is State.REJECTED or status == "VERIFICATION_REQUIRED"
    ]
    return found


def show(
    session: PageSession,
    draft: Draft,
    given: Mapping[str, str] | None = None,
    problems: Mapping[str, str] | None = None,
    kept: Mapping[str, str] | None = None,
) -> Response:
    """Show the form; `kept` are the ids of files that are here, by their fields."""
    asking = words.Asking(
        given or {}, problems or {}, say, speech.language(), frozenset(kept or {})
    )
    inputs = words.of_customer(asked(draft), asking)
    known = {each.name for each in inputs}
    return page(
        "customer.html",
        draft.view,
        session,
        draft=draft,
        step=Step.CUSTOMER,
        inputs=inputs,
        kept={f"{name}{FILE_ID}": file_id for name, file_id in (kept or {}).items()},
        problems=problems or {},
        general=[text for name, text in (problems or {}).items() if name not in known],
        customer=draft.customer,
    )


def take(session: PageSession, draft: Draft) -> Response | None:
    """Keep what was given, all of it or nothing; return the form where something is wrong."""
    row, found = draft.view.row, asked(draft)
    coded = [need for need, _held, status in found if status == "VERIFICATION_REQUIRED"]
    needs = [need for need, _held, status in found if status != "VERIFICATION_REQUIRED"]
    given = request.form.to_dict()
    kept, problems = _files(needs, given, draft)
    texts, wrong = words.read(needs, given, frozenset(kept), say)
    problems = wrong | problems
    codes = _codes(coded, given, problems)
    if not problems:
        files = {f"{name}{FILE_ID}": file_id for name, file_id in kept.items()}
        type_ = draft_customers.customer_type(row.kind)
        try:
            upload = Upload(texts | files | codes, {}, type_, row.id)
            customer_uploads.put(draft_customers.target_of(row), upload)
        except Rejected as error:
            name = words.about(error, [*needs, *coded])
            need = next((each for each in needs if each.name == name), None)
            label = words.label_of(need, say) if need else say("The code that we sent you")
            problems[name or "form"] = words.named(error, label)
    if not problems:
        return None
    told = {name: sentence(error) for name, error in problems.items()}
    return make_response(show(session, draft, given, told, kept), 400)


def _files(
    needs: list[Need], given: Mapping[str, str], draft: Draft
) -> tuple[dict[str, str], dict[str, Rejected]]:
    """Keep each file that was sent; return the ids of all that are here, and what was wrong."""
    target = draft_customers.target_of(draft.view.row)
    kept: dict[str, str] = {}
    problems: dict[str, Rejected] = {}
    for need in needs:
        if need.type != "binary":
            continue
        before = given.get(need.name + FILE_ID)
        if before and customer_files.listing(target.owner, file_id=before):
            kept[need.name] = before
        part = request.files.get(need.name)
        content = part.stream.read(MAX_BYTES + 1) if part else b""
        if not content:
            continue
        try:
            if len(content) > MAX_BYTES:
                raise Rejected("{field} is larger than 10 MB", field=need.name)
            kept[need.name] = customer_files.upload(target.owner, need.name, content).id
        except Rejected as error:
            problems[need.name] = words.named(error, words.label_of(need, say))
    return kept, problems


def _codes(
    needs: list[Need], given: Mapping[str, str], problems: dict[str, Rejected]
) -> dict[str, str]:
    found = {}
    for need in needs:
        name = need.name + VERIFICATION
        text = given.get(name, "").strip()
        if text:
            found[name] = text
        else:
            problems[name] = Rejected("{label} is needed", label=say("The code that we sent you"))
    return found
