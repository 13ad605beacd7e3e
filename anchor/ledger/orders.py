"""What an envelope is to do, and an envelope that nobody has signed yet: plain values."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

from anchor.assets import is_contracts


@dataclass(frozen=True)
class LedgerOrder:
    """One thing to do on the ledger, paid by the source account; `form` is one of

    - ``payment``: `amount` of `asset` to `destination` (``G…`` or ``M…``, or ``C…``: by a call of
      the asset's contract, which goes alone and without a memo).
    - ``create_account``: the account `destination` (``G…``) comes to be with `amount`
      lumens: how a deposit of ``native`` reaches an account that is not there.
    - ``establish``: the account comes to be with `starting_balance` lumens and nothing
      else; of an ``M…`` address the account behind it.
    - ``claimable_balance``: `amount` of `asset` waits. `destination` (``G…``) may claim it
      in ledgers that close before `reclaim_at`, and the source in those that close at or
      after it: never both.
    - ``claim``: the source claims the balance `balance_id` (72 hex digits).
    - ``trust``: the source opens a trust line for `asset`, as wide as a line can be.

    Of a ``payment`` that `authorizes`, the issuer of the asset authorizes the trust line of the
    account in an operation of its own, directly before. Amounts are stroops; `asset` is
    ``native`` or ``CODE:ISSUER``.
    """

    form: str
    destination: str = ""
    asset: str = "native"
    amount: int = 0
    starting_balance: int = 0
    reclaim_at: int | None = None
    balance_id: str | None = None
    authorizes: bool = False

    @property
    def calls_contract(self) -> bool:
        """Whether a contract is paid: what that takes has to be simulated first."""
        return self.form == "payment" and is_contracts(self.destination)

    @property
    def issuer(self) -> str | None:
        """The account that authorizes the trust line, where it has to sign for that."""
        return self.asset.partition(":")[2] if self.authorizes else None

    @property
    def operations(self) -> int:
        """How many operations carry it out."""
        return 2 if self.authorizes else 1


def places(operations: Iterable[int]) -> list[int]:
    """Return the place (from 0) of the last operation of each order, which has so many of them.

    That one moves what was ordered; one before it only authorizes.
    """
    return [count - 1 for count in accumulate(operations)]


@dataclass(frozen=True)
class Unsigned:
    """An envelope, the hash to sign and to look up, the most it may cost, and who has to sign."""

    envelope_xdr: str
    hash: str
    fee: int
    sources: tuple[str, ...]
