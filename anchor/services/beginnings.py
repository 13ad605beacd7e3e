"""A transaction begins: its row, the first line of its history and its memo in one statement."""

from functools import cache
from typing import Any, cast

from sqlalchemy import ColumnDefault, ColumnElement, Table, bindparam, func, insert, select
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.sql.dml import ReturningInsert

from anchor.extensions import db
from anchor.models import History, Memo, Transaction
from anchor.services import memos
from anchor.services.transactions import INSTANTS

_TABLE = cast(Table, Transaction.__table__)
_HISTORY = cast(Table, History.__table__)
#: Columns that the database fills in as a transaction begins.
_TOLD = ("started_at", *sorted(INSTANTS))
_COLUMNS = tuple(_TABLE.columns.keys())
#: Columns that begin with what is said here. All of them: with the history as a CTE SQLAlchemy
#: fills none in by itself, and writes None.
_BEGUN_HERE = {
    each.key: each.default
    for each in _TABLE.columns
    if each.default is not None or each.server_default is None
}


def opened(row: Transaction, paid_at: str | None = None) -> Memo | None:
    """Store a transaction that begins, with the first line of its history.

    With the account that it is `paid_at` it gets its memo in the same statement; None where the
    one that was drawn is taken, or the account not followed, which `memos.issue` finds out. The
    row is one of the session from then on, and whole. Needs an open transaction.
    """
    here = vars(row)  # set one by one, each of them would be noted as a change
    here.update({name: _beginning(name) for name in _BEGUN_HERE.keys() - here.keys()})
    values = {name: value for name in _COLUMNS if (value := here.get(name)) is not None}
    bound = {f"new_{name}": value for name, value in values.items() if name not in INSTANTS}
    memo = memos.drawn(paid_at, row.id) if paid_at is not None else {}
    begin = _begin(tuple(values), with_memo=bool(memo))
    made = db.session.connection().execute(begin, bound | memo).one()
    for name in _TOLD:
        set_committed_value(row, name, made._mapping[name])
    make_transient_to_detached(row)
    db.session.add(row)
    return memos.issued(memo, made.memo_id, made.network_id) if memo and made.memo_id else None


def _beginning(name: str) -> Any:
    """Return what a column of a transaction begins with where nobody says otherwise."""
    default = _BEGUN_HERE[name]
    if not isinstance(default, ColumnDefault):
        return None
    return default.arg(None) if default.is_callable else default.arg


@cache
def _begin(columns: tuple[str, ...], *, with_memo: bool) -> ReturningInsert[Any]:
    """Return the statement that stores a transaction of these columns, and that it was opened."""
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
    values |= {name: func.now() for name in INSTANTS & values.keys()}
    line = {"transaction_id": values["id"], "cause": values["id"], "status": values["status"]}
    first = insert(_HISTORY).values(version=1, event="opened", **line)
    made = insert(_TABLE).values(values).add_cte(first.cte("opened"))
    told: list[ColumnElement[Any]] = [_TABLE.c[name] for name in _TOLD]
    if with_memo:
        issued = memos.ISSUE.cte("issued")
        told.append(select(issued.c.id).scalar_subquery().label("memo_id"))
        told.append(select(issued.c.network_id).scalar_subquery().label("network_id"))
    return made.returning(*told)
