"""The table ``[customers]`` of the file: its shape, and the policy that it makes."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate

from anchor.config.values import Strict
from anchor.customers.fields import FIELDS, NEVER_KEPT, TYPES, canonical
from anchor.customers.rules import CODE_FIELDS, CustomerPolicy, FieldRule, Need, TypeRules
from anchor.customers.values import read
from anchor.errors import Rejected
from anchor.money import parse_amount, to_decimal
from anchor.vault import read_key

STORE = "store"
_TYPE = validate.Regexp(r"[a-z0-9][a-z0-9_-]{0,62}\Z")
_FIELD = validate.Regexp(r"[a-z][A-Za-z0-9_]{0,62}(\.[A-Za-z0-9_]{1,62})?\Z")
#: What parameters of the endpoints are called is no name for a field.
_TAKEN = frozenset(
    {"id", "account", "memo", "memo_type", "type", "transaction_id", "lang", "url", "file"}
)
_ENDINGS = ("_verification", "_file_id")
#: The types that transactions ask for (SEP12-21), and so those of development mode.
USUAL_TYPES = ("sep6", "sep24", "sep31-sender", "sep31-receiver")
_USUAL_FIELDS = ("first_name", "last_name", "email_address")


def transfer_types(kind: str) -> tuple[str, ...]:
    """Return the types that a deposit or withdrawal without a page may ask for, the first best.

    `kind` is the transaction's: rules may tell deposits from withdrawals, and exchanges apart.
    """
    base = kind.removesuffix("-exchange")
    return tuple(dict.fromkeys((f"sep6-{kind}", f"sep6-{base}", "sep6")))


def _amount(value: str) -> None:
    try:
        parse_amount(value)
    except Rejected as error:
        raise ValidationError(f"must be an amount in quotes: {error}") from error


class _Field(Strict):
    optional = fields.Boolean(load_default=False)
    type = fields.String(validate=validate.OneOf(TYPES))
    description = fields.String(validate=validate.Length(min=1, max=200))
    choices = fields.List(
        fields.String(validate=validate.Length(min=1, max=200)),
        load_default=list,
        validate=validate.Length(max=100),
    )
    from_amount = fields.String(validate=_amount)
    verify = fields.Boolean(load_default=False)


class _Type(Strict):
    verdict = fields.String(
        load_default="automatic", validate=validate.OneOf(["automatic", "manual"])
    )
    asked = fields.Dict(
        keys=fields.String(validate=_FIELD),
        values=fields.Nested(_Field),
        required=True,
        data_key="fields",
    )


class CustomersSchema(Strict):
    """The table; `load` gives plain dictionaries with defaults filled in."""

    plugin = fields.String(load_default=STORE, validate=validate.Length(min=1))
    default_type = fields.String(validate=_TYPE)
    retention_days = fields.Integer(strict=True, validate=validate.Range(min=1, max=36_500))
    code_minutes = fields.Integer(
        strict=True, load_default=15, validate=validate.Range(min=1, max=1440)
    )
    code_tries = fields.Integer(strict=True, load_default=5, validate=validate.Range(min=1, max=20))
    file_hours = fields.Integer(
        strict=True, load_default=24, validate=validate.Range(min=1, max=720)
    )
    types = fields.Dict(
        keys=fields.String(validate=_TYPE), values=fields.Nested(_Type), load_default=dict
    )
    options = fields.Dict(keys=fields.String(), load_default=dict)


def customer_policy(
    table: Mapping[str, Any] | None, problems: list[str], *, is_on: bool, development: bool
) -> CustomerPolicy:
    """Return what the file says of customers; contradictions are added to `problems`.

    `is_on` says that customers are served. In development mode a file without the table gets
    rules that ask for name and email address.
    """
    if table is None:
        if is_on and not development:
            problems.append(
                "SEP-12 is on, and [customers] does not say what customers have to give."
            )
        return _usual() if development else CustomerPolicy()
    types = {name: _rules(name, each, problems) for name, each in table["types"].items()}
    default = table.get("default_type") or next(iter(types), "")
    if is_on and table["plugin"] == STORE and not types:
        problems.append("[customers] has no types, and the store asks nothing without them.")
    if types and default not in types:
        problems.append(f"[customers] default_type {default} is not one of its types.")
    options = dict(table["options"])
    if development:
        options.setdefault("log_codes", True)
    elif _asks_for_codes(types) and table["plugin"] == STORE and "codes_url" not in options:
        problems.append(
            "[customers] has a field with verify, and no codes_url in its options to send codes to."
        )
    own = ("retention_days", "code_minutes", "code_tries", "file_hours")
    return CustomerPolicy(
        plugin=table["plugin"],
        types=types,
        default_type=default,
        options=options,
        **{name: table[name] for name in own if name in table},
    )


def _usual() -> CustomerPolicy:
    rules = TypeRules(tuple(FieldRule(_need(name, {})) for name in _USUAL_FIELDS))
    paid = TypeRules((*rules.fields, FieldRule(_need("bank_account_number", {}))))
    return CustomerPolicy(
        types=dict.fromkeys(USUAL_TYPES, rules) | {"sep31-receiver": paid},
        default_type=USUAL_TYPES[0],
        options={"log_codes": True},
    )


def _asks_for_codes(types: Mapping[str, TypeRules]) -> bool:
    return any(rule.need.needs_code for rules in types.values() for rule in rules.fields)


def _rules(type_: str, table: Mapping[str, Any], problems: list[str]) -> TypeRules:
    found, seen = [], set[str]()
    for name, each in table["asked"].items():
        problem = _problem(name, each)
        if canonical(name) in seen:
            problem = "is asked for twice, under two names"
        seen.add(canonical(name))
        if problem:
            problems.append(f"[customers.types.{type_}] {name} {problem}.")
            continue
        amount = each.get("from_amount")
        least = None if amount is None else to_decimal(parse_amount(amount))
        found.append(FieldRule(_need(name, each), least))
    return TypeRules(tuple(found), table["verdict"] == "automatic")


def _problem(name: str, table: Mapping[str, Any]) -> str | None:
    standard = FIELDS.get(name)
    if name in NEVER_KEPT:
        return "is never kept: ask for card.token"
    if name in _TAKEN or name.endswith(_ENDINGS):
        return "is a name that means something else in a request"
    if standard is None and not (table.get("type") and table.get("description")):
        return "is no standard field, so it needs a type and a description"
    if standard is not None and table.get("type", standard.type) != standard.type:
        return f"is a standard field of type {standard.type}"
    type_ = standard.type if standard else table["type"]
    if table["choices"] and type_ == "binary":
        return "is a file, which has no choices"
    if table["verify"] and name not in CODE_FIELDS:
        return f"cannot have verify: codes go to {' or '.join(sorted(CODE_FIELDS))}"
    for choice in table["choices"]:
        try:
            read(name, choice, own_type=type_)
        except Rejected as error:
            return f"has a choice that could not be given: {error}"
    return None


def _need(name: str, table: Mapping[str, Any]) -> Need:
    standard = FIELDS.get(name)
    return Need(
        name=name,
        type=standard.type if standard else table["type"],
        description=table.get("description") or (standard.description if standard else ""),
        optional=table.get("optional", False),
        choices=tuple(table.get("choices", ())),
        needs_code=table.get("verify", False),
    )


def customer_keys(text: str, problems: list[str], *, is_on: bool) -> dict[str, str]:
    """Read ``name:key,name:key``, the first of which encrypts; no problem repeats a key."""
    name = "ANCHOR_CUSTOMER_KEYS"
    found: dict[str, str] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        key_id, colon, key = part.partition(":")
        try:
            read_key(key)
        except ValueError:
            colon = ""
        if not colon or not key_id.isalnum() or len(key_id) > 32 or key_id in found:
            problems.append(f"{name} must be name:key,name:key; each key 32 bytes in base 64.")
            return {}
        found[key_id] = key
    if is_on and not found:
        problems.append(f"{name} is not set, and SEP-12 needs it.")
    return found
