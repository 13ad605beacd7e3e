"""Choosing rows that nobody else is about, for a statement that changes them."""

from typing import Any

from sqlalchemy import Select, select


def once(chosen: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Have rows that are locked while they are chosen be chosen once.

    As a mere subquery a plan may run the choice again for each row that it looks at: what it
    found before is changed by then, so it finds others, and the limit holds nobody.
    """
    return select(*chosen.cte("chosen").c)
