"""The lists of the API: what is in them, their order and how a record is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from anchor.sandbox.network.accounts import account_text
from anchor.sandbox.network.balances import check_account, read_asset
from anchor.sandbox.network.engine import Network
from anchor.sandbox.network.entries import Account
from anchor.sandbox.network.history import Shelf
from anchor.sandbox.network.paging import Listing, read_effect_token, read_token
from anchor.sandbox.network.problems import Problem

ACCOUNT_FILTERS = ("signer", "sponsor", "asset", "liquidity_pool")


def _token(record: Any) -> int:
    return int(record.token)


def ledger_listing(network: Network) -> Listing:
    """All ledgers."""
    return Listing(
        records=lambda: network.history.ledgers,
        key=_token,
        token=lambda ledger: str(ledger.token),
        write=lambda ledger: str(ledger.text()),
        read_cursor=read_token,
    )


def shelf_listing(
    kind: str, shelf: Callable[[], Shelf], *, failed_too: bool, joined: bool
) -> Listing:
    """The transactions, operations, payments or effects of a shelf."""
    if kind == "effects":
        return Listing(
            records=lambda: shelf().effects,
            key=lambda effect: (effect.token, effect.order),
            token=lambda effect: f"{effect.token}-{effect.order}",
            write=lambda effect: str(effect.text),
            read_cursor=read_effect_token,
        )

    def write(record: Any) -> str:
        return str(record.text if kind == "transactions" else record.text(joined=joined))

    return Listing(
        records=lambda: getattr(shelf(), kind),
        key=_token,
        token=lambda record: str(record.token),
        write=write,
        read_cursor=read_token,
        keep=lambda record: failed_too or record.successful,
    )


def account_listing(network: Network, params: dict[str, str]) -> Listing:
    """The accounts that pass the one filter given; raises Problem without exactly one."""
    given = [name for name in ACCOUNT_FILTERS if params.get(name)]
    if len(given) != 1:
        raise Problem("invalid_accounts_params")
    passes = _filter(network, given[0], params[given[0]])

    def records() -> list[Account]:
        found = [each for each in network.shown.accounts.entries.values() if each and passes(each)]
        return sorted(found, key=lambda account: account.id)

    return Listing(
        records=records,
        key=lambda account: account.id,
        token=lambda account: str(account.id),
        write=lambda account: account_text(network, account),
        read_cursor=str,
        in_history=False,
    )


def _filter(network: Network, name: str, value: str) -> Callable[[Account], bool]:
    if name == "signer":
        return lambda account: value == account.id or value in account.signers
    if name == "asset":
        asset = read_asset(value)
        return lambda account: network.shown.lines.read((account.id, asset)) is not None
    if name == "sponsor":
        check_account("sponsor", value)
        return lambda account: value in _sponsors(network, account)
    return lambda _account: False


def _sponsors(network: Network, account: Account) -> set[str | None]:
    """Return who sponsors an account or one of its entries."""
    lines = (line.sponsor for line in network.shown.lines_of(account.id))
    entries = [*account.data_sponsors.values(), *account.signer_sponsors.values()]
    return {account.sponsor, *lines, *entries}
