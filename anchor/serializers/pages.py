"""What the pages tell a customer: how a transaction stands, in a sentence, and its facts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from anchor import references
from anchor.assets import code_of
from anchor.clock import utcnow
from anchor.languages import mark as _
from anchor.lifecycle import Status
from anchor.models import Transaction
from anchor.money import format_amount
from anchor.serializers.sep24 import is_a_deposit, masked
from anchor.services.views import View


@dataclass(frozen=True)
class Fact:
    """One line of a page. `is_code` is to be copied as it stands, `is_key` above all.

    `label` is said in the language of the page, with `words` in it.
    """

    label: str
    value: str
    is_code: bool = False
    is_key: bool = False
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """How a transaction stands: in few words, and in a sentence that says what comes next."""

    title: str
    sentence: str


#: What rails call the lines of their instructions, by the names of SEP-9.
DETAILS = (
    _("Pay by"),
    _("Account number"),
    _("Account type"),
    _("Bank number"),
    _("Branch number"),
    _("Clabe number"),
    _("Cbu number"),
    _("Cbu alias"),
    _("Name"),
    _("Phone number"),
)
_S = Status
_COMMON = {
    _S.INCOMPLETE: Standing(
        _("Not complete yet"), _("Open it again from your wallet and fill in what is missing.")
    ),
    _S.PENDING_USER: Standing(_("Waiting for you"), _("Please do what we asked of you.")),
    _S.PENDING_CUSTOMER_INFO_UPDATE: Standing(
        _("Waiting for you"), _("We need more about you before we can go on.")
    ),
    _S.PENDING_TRANSACTION_INFO_UPDATE: Standing(
        _("Waiting for you"), _("Something that you gave us has to be corrected.")
    ),
    _S.ON_HOLD: Standing(_("Being checked"), _("We look at it once more. Your money is safe.")),
    _S.NO_MARKET: Standing(
        _("Stopped"), _("There is no market for it now. We will come back to you.")
    ),
    _S.TOO_SMALL: Standing(
        _("Too little"), _("Less came than the least amount. We will contact you.")
    ),
    _S.TOO_LARGE: Standing(
        _("Too much"), _("More came than the greatest amount. We will contact you.")
    ),
    _S.ERROR: Standing(
        _("Stopped"), _("Something went wrong. We look into it; please contact us.")
    ),
    _S.EXPIRED: Standing(
        _("Expired"), _("No money came in time. Please begin anew from your wallet.")
    ),
    _S.REFUNDED: Standing(_("Paid back"), _("You have got your money back.")),
}
_RAN_OUT = Standing(
    _("The quote has run out"),
    _("Please do not pay any more. If you paid in time, your money counts as soon as we see it."),
)
_DEPOSIT = {
    _S.PENDING_USER_TRANSFER_START: Standing(
        _("Waiting for your transfer"),
        _("Pay the amount from your bank, with the reference below."),
    ),
    _S.PENDING_EXTERNAL: Standing(
        _("Transfer under way"),
        _("Your transfer has not reached us yet. This may take a bank day."),
    ),
    _S.PENDING_ANCHOR: Standing(_("Being processed"), _("The money goes to your wallet next.")),
    _S.PENDING_STELLAR: Standing(_("Almost there"), _("The money is on its way to your wallet.")),
    _S.PENDING_TRUST: Standing(
        _("Your wallet has to accept it"),
        _("We have your money. Add this asset in your wallet, and it follows by itself."),
    ),
    _S.COMPLETED: Standing(_("Done"), _("The money is in your wallet.")),
}
_WITHDRAWAL = {
    _S.PENDING_USER_TRANSFER_START: Standing(
        _("Waiting for your payment"), _("Confirm the payment in your wallet.")
    ),
    _S.PENDING_EXTERNAL: Standing(_("Paid out"), _("The money is on its way to your account.")),
    _S.PENDING_ANCHOR: Standing(_("Being processed"), _("The money goes to your account next.")),
    _S.PENDING_STELLAR: Standing(
        _("Being paid back"), _("The money is on its way to your wallet.")
    ),
    _S.PENDING_USER_TRANSFER_COMPLETE: Standing(
        _("Ready"), _("Your money is ready to be picked up.")
    ),
    _S.COMPLETED: Standing(_("Done"), _("The money has reached your account.")),
}


def standing(view: View) -> Standing:
    """Say how a transaction stands."""
    if has_run_out(view):
        return _RAN_OUT
    status = Status(view.row.status)
    own = _DEPOSIT if is_a_deposit(view) else _WITHDRAWAL
    plain = Standing(status.replace("_", " ").capitalize(), "")
    return own.get(status) or _COMMON.get(status) or plain


def has_run_out(view: View) -> bool:
    """Tell whether money that is sent from now on comes too late for a quote.

    Whether any came in time only its source can tell: until then the status stays.
    """
    waits = view.row.status == Status.PENDING_USER_TRANSFER_START
    return waits and view.quote is not None and view.quote.expires_at <= utcnow()


def to_do(view: View, instructions: Sequence[tuple[str, str]]) -> list[Fact]:
    """List what the customer needs to pay: by bank under the reference, or under a memo.

    `instructions` are the rail's own lines: where the money of a deposit has to go.
    """
    row = view.row
    amount = _money(row.amount_in, units(row)[0])
    if is_a_deposit(view):
        if row.reference is None:
            return []
        reference = references.grouped(row.reference)
        return [
            Fact(_("Reference"), reference, is_code=True, is_key=True),
            Fact(_("Amount"), amount, is_key=True),
            *(Fact(label, value, any(map(str.isdigit, value))) for label, value in instructions),
        ]
    if view.memo is None:
        return []
    return [
        Fact(_("Amount"), amount, is_key=True),
        Fact(_("To"), view.memo.account_id, is_code=True),
        Fact(
            _("Memo ({kind})"),
            view.memo.memo,
            is_code=True,
            words={"kind": view.memo.memo_type},
        ),
    ]


def facts(view: View, moment: Callable[[datetime | None], str]) -> list[Fact]:
    """List what is known of a transaction, and leave out what is not.

    `moment` writes an instant in the language of the page.
    """
    row = view.row
    paid_in, paid_out = units(row)
    is_deposit = is_a_deposit(view)
    paid_to = row.destination if is_deposit else masked(row.details.get("bank_account_number"))
    memo = row.destination_memo if is_deposit else None
    lines = [
        Fact(_("Amount"), _money(row.amount_in or row.amount_expected, paid_in)),
        Fact(_("Fee"), _money(row.amount_fee, paid_in)),
        Fact(_("You receive"), _money(row.amount_out, paid_out)),
        Fact(
            _("To your wallet") if is_deposit else _("To your account"),
            paid_to or "",
            is_code=True,
        ),
        Fact(_("Memo"), memo or "", is_code=True),
        Fact(_("Begun"), moment(row.started_at)),
        Fact(_("Ended"), moment(row.completed_at)),
        Fact(_("Stellar transaction"), row.stellar_transaction_id or "", is_code=True),
        Fact(_("Our number"), row.id, is_code=True),
    ]
    return [line for line in lines if line.value]


def units(row: Transaction) -> tuple[str, str]:
    """Return what people call the assets of what they pay and of what they receive."""
    names = (row.amount_in_asset, row.amount_out_asset)
    paid_in, paid_out = (code_of(name) if name else row.asset_code for name in names)
    return paid_in, paid_out


def quoted(view: View, moment: Callable[[datetime | None], str]) -> dict[str, str]:
    """Return what the quote of a transaction promises, by name; nothing where it is on none."""
    if view.quote is None:
        return {}
    paid_in, paid_out = units(view.row)
    return {
        "paid": _money(view.row.amount_in, paid_in),
        "received": _money(view.row.amount_out, paid_out),
        "due": moment(view.quote.expires_at),
    }


def _money(stroops: int | None, code: str) -> str:
    return "" if stroops is None else f"{format_amount(stroops)} {code}"
