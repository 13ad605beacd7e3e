"""The words of SEP-12: what requests say of customers, and how customers are shown."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from anchor.assets import is_contracts
from anchor.customers.fields import told_as
from anchor.customers.identity import identify
from anchor.customers.rules import Need
from anchor.customers.standing import Stand, State
from anchor.errors import Forbidden, Rejected
from anchor.languages import mark as _
from anchor.serializers.fields import Instant, Lang, MemoText, text
from anchor.serializers.query import Query
from anchor.services import callbacks
from anchor.services.customer_files import FileView
from anchor.services.customer_standings import SUBJECT, CustomerView
from anchor.services.customers import Target
from anchor.services.transactions import Owner
from anchor.web_auth import Principal, read_client

_MAX_URL_CHARS = 4_000


class WhoSchema(Query):
    """Which customer is meant: an id, or account and memo (SEP12-04 to SEP12-11)."""

    id = text()
    account = text()
    memo = MemoText()
    memo_type = text()


class CustomerSchema(WhoSchema):
    """The parameters of GET and PUT /customer that are no fields of a customer."""

    type = text()
    transaction_id = text()
    lang = Lang()


class CallbackSchema(WhoSchema):
    """The parameters of PUT /customer/callback."""

    url = text(_MAX_URL_CHARS, required=True)


class FilesSchema(Query):
    """The parameters of GET /customer/files."""

    file_id = text()
    customer_id = text()


def target(principal: Principal, params: Mapping[str, Any]) -> Target:
    """Return which customer somebody who logged in means.

    Another account than the one that logged in is `Forbidden`, like a memo of somebody else.
    """
    account = params.get("account")
    if account is not None:
        check_account(principal, account)
    owner = Owner(principal.account_id, principal.subaccount_id)
    memo = params.get("memo")
    identity = identify(owner.account_id, owner.subaccount_id, memo, params.get("memo_type"))
    return Target(owner, identity, params.get("id"), is_named=memo is not None)


def check_account(principal: Principal, account: str) -> None:
    """Raise `Forbidden` unless `account` is the one that logged in (SEP12-04).

    A muxed address is compared whole, any other by its base account.
    """
    if is_contracts(account):
        is_same = account == principal.account_id
    else:
        try:
            named = read_client(account)
        except Rejected as error:
            raise Rejected("account is not a Stellar address") from error
        is_same = named.account_id == principal.account_id and (
            not named.is_muxed or named.subaccount_id == principal.subaccount_id
        )
    if not is_same:
        raise Forbidden("account is not the one that logged in")


def fields_in(body: Mapping[str, Any]) -> dict[str, object]:
    """Return what a body says beside the parameters: fields of a customer, files and codes.

    What is null or empty was not given.
    """
    params = CustomerSchema.one().fields
    return {
        name: value
        for name, value in body.items()
        if name not in params and value is not None and value != ""
    }


def shown(view: CustomerView, say: Callable[[str], str] = str) -> dict[str, Any]:
    """Show a customer as GET /customer does (SEP12-24 to SEP12-29).

    `say` says descriptions and messages in the asker's language (SEP12-12); choices are values
    that come back, and stay as they are.
    """
    found: dict[str, Any] = {}
    if view.customer_id is not None:
        found["id"] = view.customer_id
    found["status"] = str(view.stand)
    missing = {told_as(need.name): _need(need, say) for need in view.missing}
    if missing or view.stand is Stand.NEEDS_INFO:
        found["fields"] = missing
    if view.provided:
        found["provided_fields"] = {
            told_as(need.name): _need(need, say)
            | {"status": status}
            | ({"error": say(held.error or _("refused"))} if held.state is State.REJECTED else {})
            for need, held, status in view.provided
        }
    if view.message is not None or view.stand is Stand.REJECTED:
        found["message"] = say(view.message or _("this customer is not accepted"))
    return found


def _need(need: Need, say: Callable[[str], str]) -> dict[str, Any]:
    told: dict[str, Any] = {"type": need.type, "description": say(need.description)}
    if need.choices:
        told["choices"] = list(need.choices)
    if need.optional:
        told["optional"] = True
    return told


def files(found: Iterable[FileView]) -> dict[str, Any]:
    """Show files as GET /customer/files does (SEP12-82)."""
    return {"files": [file(each) for each in found]}


def file(view: FileView) -> dict[str, Any]:
    """Show one file (SEP12-80)."""
    told: dict[str, Any] = {
        "file_id": view.id,
        "content_type": view.content_type,
        "size": view.size,
    }
    if view.expires_at is not None:
        told["expires_at"] = Instant().serialize("expires_at", view)
    return told | {"customer_id": view.customer_id}


def told(view: CustomerView) -> str:
    """Write what a wallet is told of a change: what GET answers, in English (SEP12-72)."""
    return json.dumps(shown(view), ensure_ascii=False, separators=(",", ":"))


callbacks.declare(SUBJECT, told)
