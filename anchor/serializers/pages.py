"""What the pages tell a customer: how a transaction stands, in a sentence, and its facts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from anchor import references
from anchor.assets import code_of
from anchor.clock import utcnow
from anchor.config import Settings
from anchor.customers.fields import FIELDS, ORGANIZATION
from anchor.integrations.protocols import Field, Instruction
from anchor.languages import mark as _
from anchor.ledger.destinations import address_of
from anchor.lifecycle import DEPOSITS, Status
from anchor.models import Transaction
from anchor.money import format_amount
from anchor.serializers.page_amounts import NBSP, money
from anchor.serializers.transaction_words import is_a_deposit, is_paid_by_contract
from anchor.services import federation
from anchor.services.drafts import Draft
from anchor.services.views import View


@dataclass(frozen=True)
class Fact:
    """One line of a page. `is_code` is to be copied as it stands, `is_key` above all.

    `label` is said in the language of the page, with `words` in it. `copied` is what is copied of
    it, where that is not `value`, and `link` an address elsewhere that tells more of it.
    """

    label: str
    value: str
    is_code: bool = False
    is_key: bool = False
    words: Mapping[str, str] = field(default_factory=dict)
    copied: str = ""
    link: str = ""


@dataclass(frozen=True)
class Standing:
    """How a transaction stands: in few words, and in a sentence that says what comes next.

    `tone` is one of ``wait`` (the customer's turn), ``busy`` (ours), ``good`` and ``bad``.
    """

    title: str
    sentence: str
    tone: str = "busy"


#: What is said of the lines of a rail's instructions, by names of SEP-9 without `organization.`;
#: of others what SEP-9 says of them.
_LINES = {
    "name": _("Recipient"),
    "bank_name": _("Bank"),
    "bank_account_type": _("Account type"),
    "bank_account_number": _("Account number"),
    "bank_number": _("Bank number"),
    "bank_branch_number": _("Branch number"),
    "bank_phone_number": _("Phone number of the bank"),
    "external_transfer_memo": _("Reference"),
    "clabe_number": _("CLABE number"),
    "cbu_number": _("CBU number"),
    "cbu_alias": _("CBU alias"),
    "mobile_money_number": _("Mobile money number"),
    "mobile_money_provider": _("Mobile money provider"),
    "crypto_address": _("Crypto address"),
    "crypto_memo": _("Memo"),
}
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
    "wait",
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


_CHECKING = Standing(
    _("We are checking your details"),
    _("You need not wait here: it goes on by itself, and your wallet shows how it stands."),
)
_TONES = {
    **dict.fromkeys((_S.COMPLETED, _S.REFUNDED), "good"),
    **dict.fromkeys((_S.ERROR, _S.EXPIRED, _S.NO_MARKET, _S.TOO_SMALL, _S.TOO_LARGE), "bad"),
    **dict.fromkeys(
        (
            *(_S.INCOMPLETE, _S.PENDING_USER, _S.PENDING_USER_TRANSFER_START, _S.PENDING_TRUST),
            *(_S.PENDING_CUSTOMER_INFO_UPDATE, _S.PENDING_TRANSACTION_INFO_UPDATE),
            _S.PENDING_USER_TRANSFER_COMPLETE,
        ),
        "wait",
    ),
}
#: The stages of money, and how many are behind a transaction that stands so.
_STAGES = {
    True: (_("Your transfer"), _("Received"), _("Sent to your wallet")),
    False: (_("Your payment"), _("Received"), _("Sent to your account")),
}
_BEHIND = {
    _S.PENDING_USER_TRANSFER_START: 0,
    _S.PENDING_ANCHOR: 1,
    _S.ON_HOLD: 1,
    _S.PENDING_TRUST: 2,
    _S.PENDING_STELLAR: 2,
    _S.PENDING_EXTERNAL: 2,
    _S.PENDING_USER_TRANSFER_COMPLETE: 2,
    _S.COMPLETED: 3,
}


def standing(view: View) -> Standing:
    """Say how a transaction stands."""
    if has_run_out(view):
        return _RAN_OUT
    status = Status(view.row.status)
    if status is Status.PENDING_ANCHOR and not view.row.amount_received:
        return _CHECKING
    own = _DEPOSIT if is_a_deposit(view) else _WITHDRAWAL
    plain = Standing(status.replace("_", " ").capitalize(), "")
    found = own.get(status) or _COMMON.get(status) or plain
    return Standing(found.title, found.sentence, _TONES.get(status, "busy"))


def progress(view: View) -> list[tuple[str, str]]:
    """Return the stages of the money: a label, and ``done``, ``now`` or ``later``.

    Nothing for a transaction that no money goes through now.
    """
    row, status = view.row, Status(view.row.status)
    is_deposit = is_a_deposit(view)
    behind = _BEHIND.get(status)
    if behind is None or (status is Status.PENDING_ANCHOR and not row.amount_received):
        return []
    if status is Status.PENDING_EXTERNAL and is_deposit and not row.amount_received:
        behind = 0
    marks = ("done", "now", "later")
    return [
        (label, marks[0 if place < behind else 1 if place == behind else 2])
        for place, label in enumerate(_STAGES[is_deposit])
    ]


def has_run_out(view: View) -> bool:
    """Tell whether money that is sent from now on comes too late for a quote.

    Whether any came in time only its source can tell: until then the status stays.
    """
    waits = view.row.status == Status.PENDING_USER_TRANSFER_START
    return waits and view.quote is not None and view.quote.expires_at <= utcnow()


def to_do(
    view: View, settings: Settings, told: Mapping[str, Instruction], language: str
) -> list[Fact]:
    """List what the customer needs to pay: by bank under the reference, or under a memo.

    `told` is what the rail says of a deposit, by SEP-9 names: where the money has to go.
    """
    row = view.row
    due = row.amount_in
    amount = Fact(
        _("Amount"),
        money(language, due, units(row, settings)[0]),
        is_key=True,
        copied=format_amount(due) if due is not None else "",
    )
    if is_a_deposit(view):
        if row.reference is None:
            return []
        reference = references.grouped(row.reference)
        return [
            Fact(_("Reference"), reference, is_code=True, is_key=True, copied=reference),
            amount,
            Fact(_("Pay by"), row.rail.replace("_", " ").capitalize()),
            *(
                _line(name, each.value)
                for name, each in told.items()
                if each.value != row.reference  # which is shown in groups
            ),
        ]
    if view.memo is None:
        return []
    if address := muxed_address(view):
        return [amount, Fact(_("To"), address, is_code=True, is_key=True, copied=address)]
    return [
        amount,
        Fact(_("To"), view.memo.account_id, is_code=True, copied=view.memo.account_id),
        Fact(
            _("Memo ({kind})"),
            view.memo.memo,
            is_code=True,
            is_key=True,
            words={"kind": view.memo.memo_type},
            copied=view.memo.memo,
        ),
        *_federated(row),
    ]


def muxed_address(view: View) -> str | None:
    """Return the address (``M…``) that says account and memo in one, for a contract account to pay.

    None where somebody else pays, or nobody yet.
    """
    if view.memo is None or not is_paid_by_contract(view):
        return None
    return address_of(view.memo.account_id, int(view.memo.memo))


def _federated(row: Transaction) -> list[Fact]:
    """List the one line that stands for account and memo in wallets that know such addresses."""
    address = federation.address_of(row.id, row.home_domain)
    return [Fact(_("Or to"), address, is_code=True, copied=address)] if address else []


def _line(name: str, value: str) -> Fact:
    """Return a line to copy where it has digits, and as code where it has no other words."""
    is_copied = any(map(str.isdigit, value))
    is_code = all(each.isupper() or any(map(str.isdigit, each)) for each in value.split())
    return Fact(_label(name), value, is_code, copied=value if is_copied else "")


def _label(name: str) -> str:
    """Return what a payer knows a line of instructions by; a rail's own name, as people read it."""
    bare = name.removeprefix(ORGANIZATION)
    if bare in _LINES:
        return _LINES[bare]
    return FIELDS[name].description if name in FIELDS else bare.replace("_", " ").capitalize()


def _ending(account: str | None) -> str:
    """Show the last four characters of an account number only (SEP24-102)."""
    return f"••••{NBSP}{account[-4:]}" if account else ""


def facts(view: View, settings: Settings, moment: Callable[[datetime | None], Any]) -> list[Fact]:
    """List what is known of a transaction beside its sums, and leave out what is not.

    `moment` writes an instant in the language of the page.
    """
    row = view.row
    is_deposit = is_a_deposit(view)
    paid_to = row.destination if is_deposit else _ending(row.details.get("bank_account_number"))
    memo = row.destination_memo if is_deposit else None
    lines = [
        Fact(
            _("To your wallet") if is_deposit else _("To your account"),
            paid_to or "",
            is_code=is_deposit,
        ),
        Fact(_("Memo"), memo or "", is_code=True),
        Fact(_("Begun"), moment(row.started_at)),
        Fact(_("Ended"), moment(row.completed_at)),
        Fact(
            _("Stellar transaction"),
            row.stellar_transaction_id or "",
            is_code=True,
            link=settings.pages.explorer_link(row.stellar_transaction_id),
        ),
        Fact(_("Our number"), row.id, is_code=True, copied=row.id),
    ]
    return [line for line in lines if line.value]


#: Statuses in which nobody is to pay or is promised anything any more.
_STOPPED = {status for status, tone in _TONES.items() if tone == "bad"} | {_S.REFUNDED}


def sums(view: View, settings: Settings, language: str) -> list[Fact]:
    """List what is paid and received, the last as the key of it.

    What has happened is said as past, and what will not happen is left out.
    """
    row = view.row
    paid_in, received_in = units(row, settings)
    is_stopped = row.status in _STOPPED
    back = Fact(
        _("Paid back"), money(language, row.amount_refunded or None, paid_in), is_key=is_stopped
    )
    if row.funded_at:
        paid = Fact(_("You paid"), money(language, row.amount_received, paid_in))
    else:
        label = _("Amount") if is_stopped else _("You pay")
        paid = Fact(label, money(language, row.amount_in or row.amount_expected, paid_in))
    lines = [paid, back]
    if not is_stopped:
        got = _("You received") if row.status == Status.COMPLETED else _("You receive")
        fee = Fact(_("Fee"), money(language, row.amount_fee, paid_in))
        received = Fact(got, money(language, row.amount_out, received_in), is_key=True)
        lines = [paid, back, fee, received]
    return [line for line in lines if line.value]


def review(draft: Draft, fields: Sequence[Field], rail: str) -> list[Fact]:
    """List what the customer confirms beside the sums: from where it comes and where it goes."""
    row = draft.view.row
    lines = [Fact(_("Pay by") if draft.is_deposit else _("Paid out by"), rail)]
    lines += [
        Fact(each.label, row.details[each.name]) for each in fields if row.details.get(each.name)
    ]
    if draft.is_deposit:
        lines.append(Fact(_("To your wallet"), row.destination or "", is_code=True))
        lines.append(Fact(_("Memo"), row.destination_memo or "", is_code=True))
    return [line for line in lines if line.value]


def units(row: Transaction, settings: Settings) -> tuple[str, str]:
    """Return what people call the assets of what they pay and of what they receive."""
    if row.amount_in_asset and row.amount_out_asset:
        return code_of(row.amount_in_asset), code_of(row.amount_out_asset)
    policy = settings.asset_by_id(row.asset)
    booked = policy.booked_in if policy is not None else row.asset_code
    pair = (booked, row.asset_code)
    return pair if row.kind in DEPOSITS else (pair[1], pair[0])


def exchanged(row: Transaction) -> str | None:
    """Return the currency that a transaction exchanges, as SEP-38 names it; None for none."""
    names = (row.amount_in_asset or "", row.amount_out_asset or "")
    return next((name for name in names if name.startswith("iso4217:")), None)


def pay_units(draft: Draft) -> list[tuple[str, str]]:
    """Return the currencies that may be chosen outside the ledger: a value and its name."""
    return [("", draft.policy.booked_in), *((name, code_of(name)) for name in draft.others)]
