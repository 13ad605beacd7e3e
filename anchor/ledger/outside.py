"""The gate to the outside: what runs before anybody beyond this process is asked."""

from collections.abc import Callable


def _nothing() -> None:
    """Refuse nothing, until the house is put together."""


#: Raises where nobody outside may be waited for: a database transaction is open (promise 8).
before_call: Callable[[], None] = _nothing


def check() -> None:
    """Run `before_call` as it is set now."""
    before_call()
