"""Lists of the console as CSV, for spreadsheets: a line of names, and one for each row."""

import csv
from collections.abc import Iterable
from io import StringIO
from typing import Any

TRANSACTIONS = (
    *("id", "kind", "flow", "status", "is_resting", "amount", "amount_asset", "asset_code", "rail"),
    *("owner", "opened_at"),
)
ARRIVALS = (
    *("name", "at", "amount", "asset", "verdict", "note", "transaction_id", "case_id", "account"),
    *("payer", "memo_type", "memo", "hash", "is_outgoing", "rail", "reference", "reversed_at"),
)
OUTFLOWS = (
    *("key", "kind", "form", "state", "amount", "asset", "fee", "fee_asset", "rail", "source"),
    *("to", "reference", "custody", "note", "transaction_id", "begun_at", "told_at"),
    *("settled_at", "returned_at"),
)
#: What a spreadsheet takes for the beginning of a formula.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def head(columns: Iterable[str]) -> str:
    """Return the line of names."""
    return _lines([list(columns)])


def body(columns: Iterable[str], rows: Iterable[dict[str, Any]]) -> str:
    """Return a line for each row, of these columns."""
    names = list(columns)
    return _lines([[cell(row[name]) for name in names] for row in rows])


def cell(value: Any) -> str:
    """Write a value so that no spreadsheet reckons with it: what looks like a formula is quoted."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULAS) else text


def _lines(rows: Iterable[list[str]]) -> str:
    written = StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    return written.getvalue()
