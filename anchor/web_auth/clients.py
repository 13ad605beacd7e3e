"""Who logs in: an account, and perhaps an id below it."""

import re
from dataclasses import dataclass

from stellar_sdk import MuxedAccount, StrKey

from anchor.errors import Rejected

MAX_ID = 2**64 - 1
_MEMO = re.compile(r"0|[1-9][0-9]{0,19}")


@dataclass(frozen=True)
class Client:
    """Who wants to log in: a base account and, where given, an id below it.

    `is_muxed` tells whether the id came in an ``M…`` address or in a memo.
    """

    account_id: str
    subaccount_id: int | None = None
    is_muxed: bool = False

    @property
    def address(self) -> str:
        """The address as the wallet gave it: ``M…`` where it was muxed, else ``G…``."""
        if self.is_muxed:
            return MuxedAccount(self.account_id, self.subaccount_id).universal_account_id
        return self.account_id

    @property
    def subject(self) -> str:
        """The token's ``sub`` (SEP10-71)."""
        if self.is_muxed or self.subaccount_id is None:
            return self.address
        return f"{self.account_id}:{self.subaccount_id}"


def read_client(account: str, memo: str | None = None) -> Client:
    """Read the account and memo of a log-in; `Rejected` where they are not valid."""
    if account.startswith("C"):
        raise Rejected("contract accounts (C…) log in by SEP-45")
    try:
        muxed = MuxedAccount.from_account(account)
    except Exception as error:
        raise Rejected("account is not a Stellar address (G… or M…)") from error
    is_muxed = account.startswith("M")
    if memo is None:
        return Client(muxed.account_id, muxed.account_muxed_id, is_muxed)
    if is_muxed:
        raise Rejected("memo cannot be given together with a muxed account")
    if not _MEMO.fullmatch(memo) or int(memo) > MAX_ID:
        raise Rejected("memo must be a whole number of 64 bits")
    return Client(muxed.account_id, int(memo))


def is_account(address: str) -> bool:
    """Tell whether `address` is a valid ``G…`` or ``M…`` address, checksum included."""
    return StrKey.is_valid_ed25519_public_key(address) or StrKey.is_valid_med25519_public_key(
        address
    )


def is_contract(address: str) -> bool:
    """Tell whether `address` is a valid ``C…`` address, checksum included."""
    return StrKey.is_valid_contract(address)
