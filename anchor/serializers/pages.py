"""What the pages tell a customer: how a transaction stands, in a sentence, and its facts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from anchor import references
from anchor.assets import code_of
from anchor.lifecycle import Status
from anchor.models import Transaction
from anchor.money import format_amount
from anchor.serializers.sep24 import is_a_deposit, masked
from anchor.services.views import View


@dataclass(frozen=True)
class Fact:
    """One line of a page. `is_code` is to be copied as it stands, `is_key` above all."""

    label: str
    value: str
    is_code: bool = False
    is_key: bool = False


@dataclass(frozen=True)
class Standing:
    """How a transaction stands: in few words, and in a sentence that says what comes next."""

    title: str
    sentence: str


_S = Status
_COMMON = {
    _S.INCOMPLETE: Standing(
        "Not complete yet", "Open it again from your wallet and fill in what is missing."
    ),
    _S.PENDING_USER: Standing("Waiting for you", "Please do what we asked of you."),
    _S.PENDING_CUSTOMER_INFO_UPDATE: Standing(
        "Waiting for you", "We need more about you before we can go on."
    ),
    _S.PENDING_TRANSACTION_INFO_UPDATE: Standing(
        "Waiting for you", "Something that you gave us has to be corrected."
    ),
    _S.ON_HOLD: Standing("Being checked", "We look at it once more. Your money is safe."),
    _S.NO_MARKET: Standing("Stopped", "There is no market for it now. We will come back to you."),
    _S.TOO_SMALL: Standing("Too little", "Less came than the least amount. We will contact you."),
    _S.TOO_LARGE: Standing("Too much", "More came than the greatest amount. We will contact you."),
    _S.ERROR: Standing("Stopped", "Something went wrong. We look into it; please contact us."),
    _S.EXPIRED: Standing("Expired", "No money came in time. Please begin anew from your wallet."),
    _S.REFUNDED: Standing("Paid back", "You have got your money back."),
}
_DEPOSIT = {
    _S.PENDING_USER_TRANSFER_START: Standing(
        "Waiting for your transfer", "Pay the amount from your bank, with the reference below."
    ),
    _S.PENDING_EXTERNAL: Standing(
        "Transfer under way", "Your transfer has not reached us yet. This may take a bank day."
    ),
    _S.PENDING_ANCHOR: Standing("Being processed", "The money goes to your wallet next."),
    _S.PENDING_STELLAR: Standing("Almost there", "The money is on its way to your wallet."),
    _S.PENDING_TRUST: Standing(
        "Your wallet has to accept it",
        "We have your money. Add this asset in your wallet, and it follows by itself.",
    ),
    _S.COMPLETED: Standing("Done", "The money is in your wallet."),
}
_WITHDRAWAL = {
    _S.PENDING_USER_TRANSFER_START: Standing(
        "Waiting for your payment", "Confirm the payment in your wallet."
    ),
    _S.PENDING_EXTERNAL: Standing("Paid out", "The money is on its way to your account."),
    _S.PENDING_ANCHOR: Standing("Being processed", "The money goes to your account next."),
    _S.PENDING_STELLAR: Standing("Being paid back", "The money is on its way to your wallet."),
    _S.PENDING_USER_TRANSFER_COMPLETE: Standing("Ready", "Your money is ready to be picked up."),
    _S.COMPLETED: Standing("Done", "The money has reached your account."),
}


def standing(view: View) -> Standing:
    """Say how a transaction stands."""
    status = Status(view.row.status)
    own = _DEPOSIT if is_a_deposit(view) else _WITHDRAWAL
    plain = Standing(status.replace("_", " ").capitalize(), "")
    return own.get(status) or _COMMON.get(status) or plain


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
            Fact("Reference", reference, is_code=True, is_key=True),
            Fact("Amount", amount, is_key=True),
            *(Fact(label, value, any(map(str.isdigit, value))) for label, value in instructions),
        ]
    if view.memo is None:
        return []
    return [
        Fact("Amount", amount, is_key=True),
        Fact("To", view.memo.account_id, is_code=True),
        Fact(f"Memo ({view.memo.memo_type})", view.memo.memo, is_code=True),
    ]


def facts(view: View) -> list[Fact]:
    """List what is known of a transaction, and leave out what is not."""
    row = view.row
    paid_in, paid_out = units(row)
    is_deposit = is_a_deposit(view)
    paid_to = row.destination if is_deposit else masked(row.details.get("bank_account_number"))
    memo = row.destination_memo if is_deposit else None
    lines = [
        Fact("Amount", _money(row.amount_in or row.amount_expected, paid_in)),
        Fact("Fee", _money(row.amount_fee, paid_in)),
        Fact("You receive", _money(row.amount_out, paid_out)),
        Fact("To your wallet" if is_deposit else "To your account", paid_to or "", is_code=True),
        Fact("Memo", memo or "", is_code=True),
        Fact("Begun", moment(row.started_at)),
        Fact("Ended", moment(row.completed_at)),
        Fact("Stellar transaction", row.stellar_transaction_id or "", is_code=True),
        Fact("Our number", row.id, is_code=True),
    ]
    return [line for line in lines if line.value]


def units(row: Transaction) -> tuple[str, str]:
    """Return what people call the assets of what they pay and of what they receive."""
    names = (row.amount_in_asset, row.amount_out_asset)
    paid_in, paid_out = (code_of(name) if name else row.asset_code for name in names)
    return paid_in, paid_out


def quoted(view: View) -> str:
    """Say what the quote of a transaction promises; nothing where it is on none."""
    row = view.row
    if view.quote is None:
        return ""
    paid_in, paid_out = units(row)
    return (
        f"On your quote you pay {_money(row.amount_in, paid_in)} and receive "
        f"{_money(row.amount_out, paid_out)}, if it comes by {moment(view.quote.expires_at)}."
    )


def moment(instant: datetime | None) -> str:
    """Write an instant for people, in UTC."""
    if instant is None:
        return ""
    known = instant.astimezone(UTC)
    return f"{known.day} {known:%B %Y, %H:%M} UTC"


def _money(stroops: int | None, code: str) -> str:
    return "" if stroops is None else f"{format_amount(stroops)} {code}"
