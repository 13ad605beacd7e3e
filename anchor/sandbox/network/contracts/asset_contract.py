"""The contract that every asset has (Stellar Asset Contract): its one function here, `transfer`.

Accounts keep their money on trust lines and as lumens, contracts as entries of this contract.
The rules and the numbers of its errors are those of the host.
"""

from __future__ import annotations

from collections.abc import Callable

from stellar_sdk import MuxedAccount, scval, xdr

from anchor.sandbox.network.contracts.errors import HostError
from anchor.sandbox.network.contracts.events import Moved
from anchor.sandbox.network.contracts.keys import (
    Touched,
    account_key,
    holding_key,
    instance_key,
    line_key,
)
from anchor.sandbox.network.entries import AUTH_CLAWBACK, AUTH_REQUIRED, Account, Holding, State
from anchor.sandbox.network.values import MAX_INT64, Asset

_ERRORS = {
    "account missing": 6,
    "negative amount": 8,
    "balance": 10,
    "balance deauthorized": 11,
    "overflow": 12,
    "trust line missing": 13,
}
_MAX_INT128 = 2**127 - 1


def _error(name: str, holder: str) -> HostError:
    return HostError(f"Contract, #{_ERRORS[name]}", f"{name}: {holder}")


class AssetContract:
    """The contract of one asset over a draft; notes which entries it touches."""

    def __init__(self, contract: str, asset: Asset, state: State, touched: Touched) -> None:
        self.contract, self.asset = contract, asset
        self._state, self._touched = state, touched

    def transfer(self, args: list[xdr.SCVal], authorize: Callable[[str], None]) -> Moved:
        """Move money, ``transfer(from, to, amount)``; raises HostError.

        `authorize` raises unless the holder whose money it is agreed to this call.
        """
        self._touched.read(instance_key(self.contract))
        sender, receiver, muxed_id, amount = _read(args)
        if amount < 0:
            raise _error("negative amount", sender)
        authorize(sender)
        self._spend(sender, amount)
        self._receive(receiver, amount)
        return Moved(self.asset, sender, receiver, amount, muxed_id)

    def _spend(self, holder: str, amount: int) -> None:
        if holder.startswith("G"):
            self._add_to_account(holder, -amount)
            return
        holding = self._holding(holder)
        if holding.balance < amount:
            raise _error("balance", holder)
        if amount or self._state.holdings.read((holder, self.asset)) is not None:
            self._write(holder, holding, -amount)

    def _receive(self, holder: str, amount: int) -> None:
        if holder.startswith("G"):
            self._add_to_account(holder, amount)
            return
        holding = self._holding(holder)
        if holding.balance + amount > _MAX_INT128:
            raise _error("overflow", holder)
        self._write(holder, holding, amount)

    def _add_to_account(self, holder: str, amount: int) -> None:
        if abs(amount) > MAX_INT64:
            raise _error("overflow", holder)
        if self.asset.is_native:
            self._add_lumens(holder, amount)
        elif holder != self.asset.issuer:
            self._add_to_line(holder, amount)

    def _add_lumens(self, holder: str, amount: int) -> None:
        self._touched.write(account_key(holder))
        if self._state.accounts.read(holder) is None:
            raise _error("account missing", holder)
        account = self._state.accounts.edit(holder)
        if account.available < -amount or account.balance + amount > MAX_INT64:
            raise _error("balance", holder)
        account.balance += amount

    def _add_to_line(self, holder: str, amount: int) -> None:
        self._touched.write(line_key(holder, self.asset))
        line = self._state.lines.read((holder, self.asset))
        if line is None:
            raise _error("trust line missing", holder)
        if not line.is_authorized:
            raise _error("balance deauthorized", holder)
        if not 0 <= line.balance + amount <= line.limit:
            raise _error("balance", holder)
        self._state.lines.edit((holder, self.asset)).balance += amount

    def _holding(self, holder: str) -> Holding:
        """Return what a contract holds, nothing at first; raises unless it is authorized to."""
        self._touched.read(holding_key(self.contract, holder))
        found = self._state.holdings.read((holder, self.asset)) or self._blank(holder)
        if not found.is_authorized:
            raise _error("balance deauthorized", holder)
        return found

    def _blank(self, holder: str) -> Holding:
        issuer = self._issuer()
        required = issuer is not None and issuer.has(AUTH_REQUIRED)
        clawback = issuer is not None and issuer.has(AUTH_CLAWBACK)
        return Holding(holder, self.asset, not required, clawback)

    def _write(self, holder: str, holding: Holding, amount: int) -> None:
        is_new = self._state.holdings.read((holder, self.asset)) is None
        self._touched.write(holding_key(self.contract, holder), is_new=is_new)
        if is_new:
            self._state.holdings.put((holder, self.asset), holding)
        self._state.holdings.edit((holder, self.asset)).balance += amount

    def _issuer(self) -> Account | None:
        if self.asset.is_native:
            return None
        self._touched.read(account_key(self.asset.issuer))
        issuer = self._state.accounts.read(self.asset.issuer)
        if issuer is None:
            raise _error("account missing", self.asset.issuer)
        return issuer


def _read(args: list[xdr.SCVal]) -> tuple[str, str, int | None, int]:
    """Return from, to, the id of a muxed `to`, and the amount."""
    if len(args) != len(("from", "to", "amount")):
        raise HostError("Context, UnexpectedSize", "three arguments are needed")
    try:
        sender, receiver = (scval.from_address(each).address for each in args[:2])
        amount = scval.from_int128(args[2])
    except ValueError:
        raise HostError("Value, UnexpectedType", "an argument has not its type") from None
    muxed_id = None
    if receiver.startswith("M"):
        muxed = MuxedAccount.from_account(receiver)
        receiver, muxed_id = muxed.account_id, muxed.account_muxed_id
    if sender[0] not in "GC" or receiver[0] not in "GC":
        raise HostError("Value, UnexpectedType", "money is held by accounts and contracts alone")
    return sender, receiver, muxed_id, amount
