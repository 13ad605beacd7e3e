"""The parts of ``anchor.toml`` that are published in stellar.toml, checked as SEP-1 has them."""

import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from anchor.assets import is_account_id, is_contract_id
from anchor.policies.published import ANCHORED_TO, STATUSES, Published

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_E164 = re.compile(r"\+[1-9][0-9]{1,14}\Z")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z")
_SUPPLIES = ("fixed_number", "max_number", "is_unlimited")
_COLLATERALS = (
    "collateral_addresses",
    "collateral_address_messages",
    "collateral_address_signatures",
)
_SIGNATURE_BYTES = 64


class _Strict(Schema):
    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "is not a field of SEP-1"}


def _https(text: str) -> None:
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname:
        raise ValidationError("must be an address that begins with https://")
    if text.endswith("/") and parts.path.strip("/"):
        raise ValidationError("must not end with a slash")


def _account(text: str) -> None:
    if not is_account_id(text):
        raise ValidationError("must be an account (G…)")


def _contract(text: str) -> None:
    if not is_contract_id(text):
        raise ValidationError("must be a contract (C…)")


def _signature(text: str) -> None:
    try:
        if len(b64decode(text, validate=True)) == _SIGNATURE_BYTES:
            return
    except ValueError:
        pass
    raise ValidationError("must be a signature in base64")


def _text(**kwargs: Any) -> fields.String:
    return fields.String(validate=validate.Length(1, 1_000), **kwargs)


def _url() -> fields.String:
    return fields.String(validate=_https)


def _email() -> fields.String:
    return fields.String(validate=validate.Regexp(_EMAIL, error="must be an e-mail address"))


def _count() -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(min=0, max=2**63 - 1))


class OrganizationTable(_Strict):
    """``[organization]``, which is published as ``[DOCUMENTATION]`` (SEP1-20)."""

    ORG_NAME = _text()
    ORG_DBA = _text()
    ORG_URL = _url()
    ORG_LOGO = _url()
    ORG_DESCRIPTION = _text()
    ORG_PHYSICAL_ADDRESS = _text()
    ORG_PHYSICAL_ADDRESS_ATTESTATION = _url()
    ORG_PHONE_NUMBER = fields.String(
        validate=validate.Regexp(_E164, error="must be in E.164, such as +14155552671")
    )
    ORG_PHONE_NUMBER_ATTESTATION = _url()
    ORG_KEYBASE = _text()
    ORG_TWITTER = _text()
    ORG_GITHUB = _text()
    ORG_OFFICIAL_EMAIL = _email()
    ORG_SUPPORT_EMAIL = _email()
    ORG_LICENSING_AUTHORITY = _text()
    ORG_LICENSE_TYPE = _text()
    ORG_LICENSE_NUMBER = _text()


class PrincipalTable(_Strict):
    """One of ``[[principals]]`` (SEP1-21)."""

    name = _text(required=True)
    email = _email()
    keybase = _text()
    telegram = _text()
    twitter = _text()
    github = _text()
    id_photo_hash = fields.String(
        validate=validate.Regexp(_SHA256, error="must be a SHA-256 in hex")
    )
    verification_photo_hash = fields.String(
        validate=validate.Regexp(_SHA256, error="must be a SHA-256 in hex")
    )


class ValidatorTable(_Strict):
    """One of ``[[validators]]`` (SEP1-27)."""

    ALIAS = fields.String(
        required=True,
        validate=validate.Regexp(
            r"[a-z0-9-]{2,16}\Z", error="must be 2 to 16 of a-z, 0-9 and hyphens"
        ),
    )
    DISPLAY_NAME = _text()
    PUBLIC_KEY = fields.String(required=True, validate=_account)
    HOST = fields.String(
        validate=validate.Regexp(r"[A-Za-z0-9.:-]+\Z", error="must be a host with its port")
    )
    HISTORY = fields.String(validate=validate.Regexp(r"https?://\S+\Z", error="must be an address"))


class AssetTable(_Strict):
    """``[assets.CODE.toml]``: what is published of an asset beside its name (SEP1-24)."""

    code_template = fields.String(
        validate=validate.Regexp(r"[A-Za-z0-9?]{1,12}\Z", error="must be 1 to 12 of A-Z, 0-9 and ?")
    )
    status = fields.String(validate=validate.OneOf(STATUSES))
    display_decimals = fields.Integer(strict=True, validate=validate.Range(min=0, max=7))
    name = fields.String(validate=validate.Length(1, 20))
    desc = _text()
    conditions = _text()
    image = _url()
    fixed_number = _count()
    max_number = _count()
    is_unlimited = fields.Boolean(truthy={True}, falsy={False})
    is_asset_anchored = fields.Boolean(truthy={True}, falsy={False})
    anchor_asset_type = fields.String(validate=validate.OneOf(ANCHORED_TO))
    anchor_asset = _text()
    attestation_of_reserve = _url()
    redemption_instructions = _text()
    collateral_addresses = fields.List(_text())
    collateral_address_messages = fields.List(_text())
    collateral_address_signatures = fields.List(fields.String(validate=_signature))
    regulated = fields.Boolean(truthy={True}, falsy={False})
    approval_server = _url()
    approval_criteria = _text()

    @validates_schema
    def _together(self, data: dict[str, Any], **_kwargs: Any) -> None:
        if sum(name in data for name in _SUPPLIES) > 1:
            raise ValidationError("has more than one of fixed_number, max_number and is_unlimited")
        lists = {len(data.get(name, [])) for name in _COLLATERALS}
        if len(lists) > 1:
            raise ValidationError("has lists of collateral_… that are not equally long")
        if data.get("regulated") and "approval_server" not in data:
            raise ValidationError("is regulated, and names no approval_server")


class CurrencyTable(AssetTable):
    """One of ``[[currencies]]``, beside the assets that are served (SEP1-22, 23, 26)."""

    toml = _url()
    code = fields.String(
        validate=validate.Regexp(r"[A-Za-z0-9]{1,12}\Z", error="must be 1 to 12 letters and digits")
    )
    issuer = fields.String(validate=_account)
    contract = fields.String(validate=_contract)

    @validates_schema
    def _is_one(self, data: dict[str, Any], **_kwargs: Any) -> None:
        if "toml" in data:
            if len(data) > 1:
                raise ValidationError("names its own toml, and so has no other field")
        elif "code" not in data:
            raise ValidationError("has no code")
        elif ("issuer" in data) == ("contract" in data):
            raise ValidationError("must have an issuer or a contract, and not both")


class StellarTomlTable(_Strict):
    """``[stellar_toml]``: top-level keys that the settings do not tell anyway."""

    federation_server = _url()
    horizon_url = _url()
    uri_request_signing_key = fields.String(validate=_account)
    accounts = fields.List(fields.String(validate=_account))


#: The SEP whose door answers for addresses.
_FEDERATION = 2


def published(data: Mapping[str, Any], problems: list[str]) -> Published:
    """Return what stellar.toml says beside the settings; contradictions go to `problems`."""
    homes = tuple(data["anchor"]["home_domains"])
    if homes:
        _check_organization(data["organization"], homes, problems)
    if _FEDERATION in data["anchor"]["seps"] and "federation_server" in data["stellar_toml"]:
        problems.append("stellar_toml.federation_server: 2 in anchor.seps announces our own.")
    return Published(
        general={name.upper(): value for name, value in data["stellar_toml"].items()},
        principals=tuple(data["principals"]),
        validators=tuple(data["validators"]),
        currencies=tuple(data["currencies"]),
        assets={code: table["toml"] for code, table in data["assets"].items()},
    )


def _check_organization(
    organization: dict[str, Any], home_domains: tuple[str, ...], problems: list[str]
) -> None:
    """Add what contradicts SEP-1 between addresses: all belong to the home domain (SEP1-20)."""
    url = organization.get("ORG_URL")
    homes = [home.removeprefix("*.").partition(":")[0] for home in home_domains]
    own = urlsplit(url).hostname or "" if url else homes[0]
    if url and not any(_is_same(own, home) for home in homes):
        problems.append("organization.ORG_URL must be at the home domain.")
    for name in ("ORG_PHYSICAL_ADDRESS_ATTESTATION", "ORG_PHONE_NUMBER_ATTESTATION"):
        found = urlsplit(organization.get(name, "")).hostname
        if found and not _is_same(found, own):
            problems.append(f"organization.{name} must be at the domain of ORG_URL.")
    _, _, mail = organization.get("ORG_OFFICIAL_EMAIL", "").rpartition("@")
    if mail and not _is_same(mail, own):
        problems.append("organization.ORG_OFFICIAL_EMAIL must be at the domain of ORG_URL.")


def _is_same(one: str, other: str) -> bool:
    """Tell whether two hosts are one domain, or one is below the other."""
    one, other = one.lower(), other.lower()
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")
