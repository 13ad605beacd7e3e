"""What a kind of customer has to give, from which amount on, and who judges it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

#: The fields that a code can be sent to.
CODE_FIELDS = frozenset({"email_address", "mobile_number"})


@dataclass(frozen=True)
class Need:
    """A field that is asked for, as a wallet is told of it (SEP12-25).

    `name` is as the rules write it. With `needs_code` whoever gave it has to prove by a code
    that it is theirs.
    """

    name: str
    type: str
    description: str
    optional: bool = False
    choices: tuple[str, ...] = ()
    needs_code: bool = False


@dataclass(frozen=True)
class FieldRule:
    """A need, and the amount (in units of the transaction's asset) from which it is there."""

    need: Need
    from_amount: Decimal | None = None


@dataclass(frozen=True)
class TypeRules:
    """What customers of one type give. `is_automatic`: whoever gave all of it is accepted."""

    fields: tuple[FieldRule, ...]
    is_automatic: bool = True

    def needs(self, amount: Decimal | None) -> tuple[Need, ...]:
        """Return what is asked for a transaction of this amount, or for none in particular."""
        return tuple(
            rule.need
            for rule in self.fields
            if rule.from_amount is None or (amount is not None and amount >= rule.from_amount)
        )


@dataclass(frozen=True)
class CustomerPolicy:
    """What the configuration says of customers.

    `types` are the rules by type, `default_type` is meant where none is named. Personal data is
    purged after `retention_days` without a sign of the customer; None keeps it. A code is good
    for `code_minutes` and `code_tries`. A file that nothing refers to is kept for `file_hours`.
    """

    plugin: str = "store"
    types: Mapping[str, TypeRules] = field(default_factory=dict)
    default_type: str = ""
    options: Mapping[str, object] = field(default_factory=dict, repr=False)
    retention_days: int | None = None
    code_minutes: int = 15
    code_tries: int = 5
    file_hours: int = 24
