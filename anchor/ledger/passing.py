"""Handing each question about the ledger on to somebody who answers it."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from anchor.ledger.gateway import (
    BalanceEnd,
    ClaimableBalance,
    FeeStats,
    Gateway,
    LedgerAccount,
    LedgerMark,
    LedgerTransaction,
    NetworkState,
    PaymentPage,
    SubmitAnswer,
)

T = TypeVar("T")


class Passing:
    """A gateway that answers nothing itself: `_ask` and `_follow` say who does."""

    def _ask(self, act: Callable[[Gateway], T]) -> T:
        raise NotImplementedError

    def _follow(self, act: Callable[[Gateway], Iterator[PaymentPage]]) -> Iterator[PaymentPage]:
        raise NotImplementedError

    def network(self) -> NetworkState:
        """See `Gateway.network`."""
        return self._ask(lambda node: node.network())

    def ledger(self, sequence: int) -> LedgerMark | None:
        """See `Gateway.ledger`."""
        return self._ask(lambda node: node.ledger(sequence))

    def account(self, account_id: str, *, dated: bool = False) -> LedgerAccount | None:
        """See `Gateway.account`."""
        return self._ask(lambda node: node.account(account_id, dated=dated))

    def holders(self, asset: str) -> int:
        """See `Gateway.holders`."""
        return self._ask(lambda node: node.holders(asset))

    def accounts_with(self, asset: str, after: str = "", limit: int = 200) -> list[LedgerAccount]:
        """See `Gateway.accounts_with`."""
        return self._ask(lambda node: node.accounts_with(asset, after, limit))

    def claimable_balance(self, balance_id: str) -> ClaimableBalance | None:
        """See `Gateway.claimable_balance`."""
        return self._ask(lambda node: node.claimable_balance(balance_id))

    def balance_end(self, balance_id: str) -> BalanceEnd | None:
        """See `Gateway.balance_end`."""
        return self._ask(lambda node: node.balance_end(balance_id))

    def fee_stats(self) -> FeeStats:
        """See `Gateway.fee_stats`."""
        return self._ask(lambda node: node.fee_stats())

    def newest_cursor(self, account_id: str) -> str:
        """See `Gateway.newest_cursor`."""
        return self._ask(lambda node: node.newest_cursor(account_id))

    def payments_page(self, account_id: str, cursor: str, limit: int = 200) -> PaymentPage:
        """See `Gateway.payments_page`."""
        return self._ask(lambda node: node.payments_page(account_id, cursor, limit))

    def follow(self, account_id: str, cursor: str, stall_s: int) -> Iterator[PaymentPage]:
        """See `Gateway.follow`."""
        return self._follow(lambda node: node.follow(account_id, cursor, stall_s))

    def transaction(self, transaction_hash: str) -> LedgerTransaction | None:
        """See `Gateway.transaction`."""
        return self._ask(lambda node: node.transaction(transaction_hash))

    def submit(self, envelope_xdr: str) -> LedgerTransaction:
        """See `Gateway.submit`."""
        return self._ask(lambda node: node.submit(envelope_xdr))

    def submit_async(self, envelope_xdr: str) -> SubmitAnswer:
        """See `Gateway.submit_async`."""
        return self._ask(lambda node: node.submit_async(envelope_xdr))
