"""The shape of ``[limits]`` in ``anchor.toml``: how much may be asked, and behind which proxies."""

from typing import Any

from marshmallow import RAISE, Schema, fields, post_load, validate

from anchor.policies import LimitPolicy

_KNOWN = LimitPolicy()


def _number(default: int, most: int = 10_000_000) -> fields.Integer:
    return fields.Integer(
        strict=True, load_default=default, validate=validate.Range(min=0, max=most)
    )


class LimitsTable(Schema):
    """The table; `load` gives a `LimitPolicy`."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "is not a setting that the anchor knows"}

    proxies = _number(_KNOWN.proxies, 10)
    address_per_minute = _number(_KNOWN.address_per_minute)
    account_per_minute = _number(_KNOWN.account_per_minute)
    client_domain_per_minute = _number(_KNOWN.client_domain_per_minute)
    costly_address_per_minute = _number(_KNOWN.costly_address_per_minute)
    costly_account_per_minute = _number(_KNOWN.costly_account_per_minute)
    costly_client_domain_per_minute = _number(_KNOWN.costly_client_domain_per_minute)

    @post_load
    def _policy(self, data: dict[str, Any], **_: Any) -> LimitPolicy:
        return LimitPolicy(**data)
