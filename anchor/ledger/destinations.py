"""What an account can take and give: trust lines, room, memos and reserves.

Pure rules over an answer of the ledger, in stroops. The order is the ledger's own (no
account, no line, not authorized, full), so that the word says what a payment would meet.
"""

from anchor.ledger.gateway import Balance, LedgerAccount
from anchor.money import MAX_STROOPS

READY = "ready"
NO_ACCOUNT = "no_account"
NO_LINE = "no_line"
NOT_AUTHORIZED = "not_authorized"
FULL = "full"
#: The line was never used and has room: it takes the payment once its issuer authorizes it.
TO_AUTHORIZE = "to_authorize"

#: The result code that a payment meets where `room_for` says this.
CODES = {
    NO_ACCOUNT: "op_no_destination",
    NO_LINE: "op_no_trust",
    NOT_AUTHORIZED: "op_not_authorized",
    FULL: "op_line_full",
}
#: What a payment can be made to, and where its issuer's signature goes with it.
OPEN = frozenset({READY, TO_AUTHORIZE})
#: What an account keeps for its next entry, and for the fees of adding it: SEP-6 adds as much.
_NEXT_ENTRY_FEES = 100_000
_MEMO_REQUIRED = "config.memo_required"


def room_for(
    account: LedgerAccount | None, asset: str, amount: int, *, authorizes: bool = False
) -> str:
    """Tell whether `account` can take `amount` stroops of `asset`, and if not, why.

    Returns READY, NO_ACCOUNT, NO_LINE, NOT_AUTHORIZED or FULL. The issuer has a line for
    its own asset without end. Stellar's rule: balance and buying liabilities and the
    amount stay within the line's limit, for lumens within 2⁶³ - 1. With `authorizes`, a line
    that is not authorized and `looks_new` is TO_AUTHORIZE where there is room.
    """
    if account is None:
        return NO_ACCOUNT
    if asset.partition(":")[2] == account.account_id:
        return READY
    line = account.balance(asset)
    if line is None:
        return NO_LINE
    if not (line.is_authorized or (authorizes and looks_new(line))):
        return NOT_AUTHORIZED
    limit = MAX_STROOPS if line.limit is None else line.limit
    if line.amount + line.buying_liabilities + amount > limit:
        return FULL
    return READY if line.is_authorized else TO_AUTHORIZE


def looks_new(line: Balance) -> bool:
    """Tell whether nothing shows that a line was authorized before.

    What was never authorized holds nothing, has no offers, and keeps none.
    """
    used = line.amount or line.buying_liabilities or line.selling_liabilities
    return not used and not line.maintains_liabilities


def lumens_for_line(account: LedgerAccount, base_reserve: int) -> int:
    """Return how many stroops of lumens the account lacks to add a trust line; 0 for none.

    That is a base reserve (stroops) and some fees, beside all that it may not give away.
    """
    line = account.balance("native")
    held = 0 if line is None else line.amount - line.selling_liabilities
    needed = _reserve(account, base_reserve) + base_reserve + _NEXT_ENTRY_FEES
    return max(needed - held, 0)


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
    reserve = _reserve(account, base_reserve) if asset == "native" else 0
    return max(line.amount - line.selling_liabilities - reserve, 0)


def _reserve(account: LedgerAccount, base_reserve: int) -> int:
    entries = 2 + account.subentry_count + account.num_sponsoring - account.num_sponsored
    return entries * base_reserve


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
