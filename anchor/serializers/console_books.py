"""The words of the books: each asset with its accounts, to read and to download."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from anchor import languages
from anchor.assets import StellarAsset, currency_of
from anchor.languages import mark as _
from anchor.money import signed, to_decimal

_MEANS = {
    "treasury": _("Held by us on the ledger"),
    "bank": _("Held by us outside the ledger"),
    "customer": _("Owed to customers"),
    "suspense": _("Owed, and nobody knows to whom yet"),
    "in_transit": _("On its way out"),
    "fees": _("Earned by fees"),
    "network_fees": _("Spent on fees of the network"),
    "starting_balances": _("Given to accounts that were created"),
    "reserves": _("Lumens that claimable balances lock"),
    "exchange": _("Turned into other assets by quotes, or from them"),
    "house": _("Spent by the house on remittances"),
}


@dataclass(frozen=True)
class Line:
    """An account of the books, what it is, and what stands on it."""

    account: str
    means: str
    amount: str


@dataclass(frozen=True)
class Book:
    """The books in one asset; `total` is nought where they balance."""

    name: str
    issuer: str
    is_issued: bool
    lines: Sequence[Line]
    total: str
    is_balanced: bool


def books(found: Mapping[str, Mapping[str, int]]) -> Iterator[Book]:
    """Show the books, with the same decimals in all lines of an asset: points stand in line."""
    for asset, accounts in found.items():
        total = sum(accounts.values())
        decimals = max(_decimals(amount) for amount in (*accounts.values(), total, 0))
        lines = [
            Line(name, _MEANS.get(name, ""), _written(amount, decimals))
            for name, amount in accounts.items()
        ]
        name, issuer = _named(asset)
        is_issued = currency_of(asset) is None
        yield Book(name, issuer, is_issued, lines, _written(total, decimals), total == 0)


def table(found: Mapping[str, Mapping[str, int]]) -> str:
    """Write the books as CSV: asset, account, amount."""
    file = io.StringIO()
    rows = csv.writer(file)
    rows.writerow(("asset", "account", "amount"))
    for asset, accounts in found.items():
        rows.writerows((asset, name, signed(amount)) for name, amount in accounts.items())
    return file.getvalue()


def _named(asset: str) -> tuple[str, str]:
    """Return what people call an asset, and who issues it."""
    currency = currency_of(asset)
    if currency is not None:
        return currency, _("at banks")
    return code(asset), asset.partition(":")[2]


def code(asset: str) -> str:
    """Return what people call an asset of the ledger."""
    found = StellarAsset.parse(asset)
    return found.code if found.issuer else "XLM"


def _decimals(amount: int) -> int:
    exponent = to_decimal(amount).normalize().as_tuple().exponent
    return max(2, -int(exponent))


def _written(amount: int, decimals: int) -> str:
    return languages.number(languages.SOURCE, to_decimal(amount), decimals)
