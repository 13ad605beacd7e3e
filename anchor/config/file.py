"""The shape of ``anchor.toml``: what may stand in it, and why a value is refused."""

import re
from collections.abc import Iterator
from typing import Any

from marshmallow import ValidationError, fields, validate

from anchor.config.customers import CustomersSchema
from anchor.config.fees import WayFeesTable
from anchor.config.limits import LimitsTable
from anchor.config.pages import PagesSchema
from anchor.config.published import (
    AssetTable,
    CurrencyTable,
    OrganizationTable,
    PrincipalTable,
    StellarTomlTable,
    ValidatorTable,
)
from anchor.config.values import Amount, Percent, Strict
from anchor.config.web_auth import WebAuthTable
from anchor.matching import REFUNDABLE
from anchor.pricing import parse_rate
from anchor.schedule import SERVICES, problem_of

#: Settings that are what the file says, by their table.
NUMBERS = {
    "anchor": ("transfer_days", "deadline_grace_hours", "incomplete_hours", "grace_days"),
    "network": (
        *("base_fee_max", "resource_fee_max", "time_bound_s", "batch_max"),
        "trust_requests_per_minute",
    ),
}
_DOMAIN = re.compile(r"[a-z0-9.-]+(:[0-9]{1,5})?\Z")
_HOME_DOMAIN = re.compile(r"(\*\.)?[a-z0-9.-]+(:[0-9]{1,5})?\Z")
_ASSET_CODE = re.compile(r"[A-Za-z0-9]{1,12}")


def _rate(value: str) -> None:
    try:
        parse_rate(value)
    except ValueError as error:
        raise ValidationError(f"cannot be read: {error}") from error


class _Anchor(Strict):
    home_domains = fields.List(
        fields.String(validate=validate.Regexp(_HOME_DOMAIN)),
        load_default=list,
    )
    public_url = fields.String()
    web_auth_domain = fields.String(validate=validate.Regexp(_DOMAIN))
    seps = fields.List(
        fields.Integer(strict=True, validate=validate.OneOf([1, 2, 6, 10, 12, 24, 31, 38, 45])),
        load_default=lambda: [1, 10, 24],
    )
    custody = fields.String(load_default="local", validate=validate.Length(min=1))
    transfer_days = fields.Integer(
        strict=True, load_default=7, validate=validate.Range(min=1, max=365)
    )
    deadline_grace_hours = fields.Integer(
        strict=True, load_default=1, validate=validate.Range(min=0, max=720)
    )
    incomplete_hours = fields.Integer(
        strict=True, load_default=24, validate=validate.Range(min=1, max=8760)
    )
    grace_days = fields.Integer(
        strict=True, load_default=14, validate=validate.Range(min=0, max=365)
    )


class _Network(Strict):
    passphrase = fields.String(required=True, validate=validate.Length(min=1))
    horizon_url = fields.String()
    rpc_url = fields.String()
    horizon_urls = fields.List(fields.String(), validate=validate.Length(min=1))
    base_fee_max = fields.Integer(
        strict=True, load_default=10_000, validate=validate.Range(min=100, max=10_000_000)
    )
    resource_fee_max = fields.Integer(
        strict=True, load_default=5_000_000, validate=validate.Range(min=10_000, max=100_000_000)
    )
    time_bound_s = fields.Integer(
        strict=True, load_default=60, validate=validate.Range(min=20, max=600)
    )
    batch_max = fields.Integer(
        strict=True, load_default=100, validate=validate.Range(min=1, max=100)
    )
    trust_requests_per_minute = fields.Integer(
        strict=True, load_default=30, validate=validate.Range(min=1, max=60_000)
    )


class _Flow(WayFeesTable):
    enabled = fields.Boolean(load_default=True)
    min_amount = Amount()
    max_amount = Amount()
    daily_limit = Amount()
    monthly_limit = Amount()


class _Deposit(_Flow):
    create_accounts = fields.Boolean(load_default=False)
    starting_balance = Amount(load_default="2")
    creation_fee = Amount(load_default="0")
    claimable_balances = fields.Boolean(load_default=False)
    reclaim_days = fields.Integer(
        strict=True, load_default=30, validate=validate.Range(min=30, max=3650)
    )
    trust_days = fields.Integer(
        strict=True, load_default=30, validate=validate.Range(min=1, max=365)
    )
    authorize_trustlines = fields.Boolean(load_default=False)


class _Send(_Flow):
    quotes_required = fields.Boolean(load_default=False)
    kyc = fields.String(load_default="async", validate=validate.OneOf(["async", "before"]))
    sender_types = fields.List(fields.String(validate=validate.Length(min=1)))
    receiver_types = fields.List(fields.String(validate=validate.Length(min=1)))


class _SendingAnchor(Strict):
    accounts = fields.List(fields.String(), required=True, validate=validate.Length(min=1))
    settlement = fields.String(load_default="stellar", validate=validate.OneOf(["stellar", "rail"]))


class _ReceivingAnchor(Strict):
    cap = Amount(required=True)


class _Refund(Strict):
    fee = Amount(load_default="0")
    automatic = fields.List(
        fields.String(validate=validate.OneOf(sorted(REFUNDABLE))), load_default=list
    )
    min_amount = Amount(load_default="1")
    daily_count = fields.Integer(
        strict=True, load_default=20, validate=validate.Range(min=1, max=10_000)
    )
    daily_amount = Amount(load_default="1000")
    after_trust_days = fields.Boolean(load_default=False)


class _Asset(Strict):
    issuer = fields.String()
    distribution = fields.String(required=True)
    currency = fields.String(validate=validate.Length(min=1, max=12))
    rails = fields.List(
        fields.String(), load_default=lambda: ["bank"], validate=validate.Length(min=1)
    )
    decimals = fields.Integer(strict=True, load_default=2, validate=validate.Range(min=0, max=7))
    matching = fields.String(
        load_default="exact", validate=validate.OneOf(["exact", "tolerance", "collect"])
    )
    tolerance = Amount()
    tolerance_percent = Percent()
    withdrawal = fields.Nested(_Flow)
    deposit = fields.Nested(_Deposit)
    send = fields.Nested(_Send)
    refund = fields.Nested(_Refund)
    outflow_cap_per_hour = Amount()
    toml = fields.Nested(AssetTable, load_default=dict)


class _Quotes(Strict):
    hold_s = fields.Integer(
        strict=True, load_default=300, validate=validate.Range(min=10, max=86_400)
    )
    hold_max_s = fields.Integer(
        strict=True, load_default=3600, validate=validate.Range(min=10, max=604_800)
    )
    keep_days = fields.Integer(
        strict=True, load_default=7, validate=validate.Range(min=1, max=3650)
    )
    reserve_max = fields.Dict(keys=fields.String(), values=Amount(), load_default=dict)


def _methods() -> fields.Dict:
    text = fields.String(validate=validate.Length(min=1, max=200))
    return fields.Dict(keys=fields.String(), values=text, validate=validate.Length(min=1))


class _Offchain(Strict):
    decimals = fields.Integer(strict=True, load_default=2, validate=validate.Range(min=0, max=7))
    country_codes = fields.List(fields.String(), load_default=list)
    delivery_methods = _methods()
    sell_delivery_methods = _methods()
    buy_delivery_methods = _methods()


class _PairFee(WayFeesTable):
    enabled = fields.Boolean(load_default=True)


class _Pair(Strict):
    asset = fields.String(required=True)
    offchain = fields.String(required=True)
    rates = fields.String(load_default="fixed", validate=validate.Length(min=1))
    spread_percent = Percent()
    rate_min = fields.String(validate=_rate)
    rate_max = fields.String(validate=_rate)
    deposit = fields.Nested(_PairFee, load_default=lambda: _PairFee().load({}))
    withdrawal = fields.Nested(_PairFee, load_default=lambda: _PairFee().load({}))


class _ClientDomains(Strict):
    required = fields.Boolean(load_default=False)
    allow = fields.List(fields.String(), load_default=list)
    deny = fields.List(fields.String(), load_default=list)


def _spec(value: str) -> None:
    if problem := problem_of(value):
        raise ValidationError(problem)


class FileSchema(Strict):
    """The whole file. `load` gives plain dictionaries with defaults filled in."""

    anchor = fields.Nested(_Anchor, required=True)
    network = fields.Nested(_Network, required=True)
    organization = fields.Nested(OrganizationTable, load_default=dict)
    stellar_toml = fields.Nested(StellarTomlTable, load_default=dict)
    principals = fields.List(fields.Nested(PrincipalTable), load_default=list)
    validators = fields.List(fields.Nested(ValidatorTable), load_default=list)
    currencies = fields.List(fields.Nested(CurrencyTable), load_default=list)
    assets = fields.Dict(
        keys=fields.String(validate=validate.Regexp(_ASSET_CODE)),
        values=fields.Nested(_Asset),
        required=True,
        validate=validate.Length(min=1),
    )
    rails = fields.Dict(
        keys=fields.String(), values=fields.Dict(keys=fields.String()), load_default=dict
    )
    custody = fields.Dict(
        keys=fields.String(), values=fields.Dict(keys=fields.String()), load_default=dict
    )
    schedule = fields.Dict(
        keys=fields.String(validate=validate.OneOf(sorted(SERVICES))),
        values=fields.String(validate=_spec),
        load_default=dict,
    )
    client_domains = fields.Nested(_ClientDomains, load_default=lambda: _ClientDomains().load({}))
    web_auth = fields.Nested(WebAuthTable, load_default=lambda: WebAuthTable().load({}))
    sending_anchors = fields.Dict(
        keys=fields.String(validate=validate.Length(min=1, max=100)),
        values=fields.Nested(_SendingAnchor),
        load_default=dict,
    )
    receiving_anchors = fields.Dict(
        keys=fields.String(validate=validate.Regexp(_DOMAIN)),
        values=fields.Nested(_ReceivingAnchor),
        load_default=dict,
    )
    quotes = fields.Nested(_Quotes, load_default=lambda: _Quotes().load({}))
    offchain = fields.Dict(keys=fields.String(), values=fields.Nested(_Offchain), load_default=dict)
    pairs = fields.List(fields.Nested(_Pair), load_default=list)
    rates = fields.Dict(
        keys=fields.String(), values=fields.Dict(keys=fields.String()), load_default=dict
    )
    customers = fields.Nested(CustomersSchema)
    pages = fields.Nested(PagesSchema, load_default=lambda: PagesSchema().load({}))
    limits = fields.Nested(LimitsTable, load_default=lambda: LimitsTable().load({}))


def default_seps() -> list[int]:
    """Return which doors are open where the file does not say."""
    found: list[int] = _Anchor().load({})["seps"]
    return found


def sentences(errors: Any, path: str = "") -> Iterator[str]:
    """Flatten marshmallow's tree of messages into one sentence for each problem."""
    if isinstance(errors, dict):
        for key, inner in errors.items():
            name = path if key in {"key", "value"} else f"{path}.{key}".lstrip(".")
            yield from sentences(inner, name)
    elif isinstance(errors, list):
        for inner in errors:
            yield from sentences(inner, path)
    else:
        yield f"{path} {str(errors)[:1].lower()}{str(errors)[1:].rstrip('.')}."
