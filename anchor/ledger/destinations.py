"""What an account can take and give: trust lines, room, memos and reserves.

Pure rules over an answer of the ledger, in stroops. The order is the ledger's own (no
account, no line, not authorized, full), so that the word says what a payment would meet.
"""

from anchor.ledger.gateway import LedgerAccount
from anchor.money import MAX_STROOPS

READY = "ready"
NO_ACCOUNT = "no_account"
NO_LINE = "no_line"
NOT_AUTHORIZED = "not_authorized"
FULL = "full"

#: The result code that a payment meets where `room_for` says this.
CODES = {
    NO_ACCOUNT: "op_no_destination",
    NO_LINE: "op_no_trust",
    NOT_AUTHORIZED: "op_not_authorized",
    FULL: "op_line_full",
}
_MEMO_REQUIRED = "config.memo_required"


def room_for(account: LedgerAccount | None, asset: str, amount: int) -> str:
    """Tell whether `account` can take `amount` stroops of `asset`, and if not, why.

    Returns READY, NO_ACCOUNT, NO_LINE, NOT_AUTHORIZED or FULL. The issuer has a line for
    its own asset without end. Stellar's rule: balance and buying liabilities and the
    amount stay within the line's limit, for lumens within 2⁶³ - 1.
    """
    if account is None:
        return NO_ACCOUNT
    if asset.partition(":")[2] == account.account_id:
        return READY
    line = account.balance(asset)
    if line is None:
        return NO_LINE
    if not line.is_authorized:
        return NOT_AUTHORIZED
    limit = MAX_STROOPS if line.limit is None else line.limit
    return FULL if line.amount + line.buying_liabilities + amount > limit else READY


def spendable(account: LedgerAccount, asset: str, base_reserve: int) -> int:
    """Return how many stroops of `asset` the account can give away now.

    Lumens without the minimum balance of 2 + subentries + sponsoring - sponsored base
    reserves (stroops each); nothing of a line that is not authorized; the issuer can
    give whatever the ledger can hold.
    """
    if asset.partition(":")[2] == account.account_id:
        return MAX_STROOPS
    line = account.balance(asset)
    if line is None or not line.is_authorized:
        return 0
    entries = 2 + account.subentry_count + account.num_sponsoring - account.num_sponsored
    reserve = entries * base_reserve if asset == "native" else 0
    return max(line.amount - line.selling_liabilities - reserve, 0)


def base_account(address: str) -> str:
    """Return the account (``G…``) behind an address that may be muxed (``M…``, SEP-23)."""
    if not address.startswith("M"):
        return address
    from stellar_sdk import MuxedAccount  # a quarter of a process' memory, for few addresses

    return MuxedAccount.from_account(address).account_id


def address_of(account: str, muxed_id: int | None) -> str:
    """Return the address of an account (``G…``), of an id below it the muxed one (``M…``)."""
    if muxed_id is None:
        return account
    from stellar_sdk import MuxedAccount

    return MuxedAccount(account, muxed_id).account_muxed or account


def memo_required(account: LedgerAccount) -> bool:
    """Tell whether the account asks for a memo with each payment (SEP-29)."""
    return account.data.get(_MEMO_REQUIRED) == b"1"
