"""Choosing rows that nobody else is about, for a statement that changes them."""

from typing import Any

from sqlalchemy import Select, Subquery, func, select


def once(chosen: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Have rows that are locked while they are chosen be chosen once.

    As a mere subquery a plan may run the choice again for each row that it looks at: what it
    found before is changed by then, so it finds others, and the limit holds nobody.
    """
    return select(*chosen.cte("chosen").c)


def whole(chosen: Select[*tuple[Any, ...]]) -> Subquery:
    """Have all rows be chosen before the first of them is written, for a statement that inserts.

    Where what is inserted is what the choice looks at, a plan may look, for each row, at all that
    were inserted before, in vain: tens of thousands of rows then take minutes.
    """
    found = chosen.subquery()
    arrays = select(*(func.array_agg(each).label(each.name) for each in found.c)).subquery()
    return select(*(func.unnest(each).label(each.name) for each in arrays.c)).subquery()
