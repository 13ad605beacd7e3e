"""The stellar.toml of SEP-1, made from the settings: a key stands there iff its feature is on."""

from collections.abc import Mapping
from typing import Any

import tomlkit

from anchor.config import PUBLIC_PASSPHRASE, Settings
from anchor.errors import Misconfigured
from anchor.policies import AssetPolicy

VERSION = "2.7.0"
#: No reader takes more (SEP1-04).
MAX_BYTES = 100_000
_DOCUMENTATION = "DOCUMENTATION"
#: The door of each SEP: the key that announces it, and where it is.
_DOORS = (
    (2, "FEDERATION_SERVER", "/federation"),
    (6, "TRANSFER_SERVER", "/sep6"),
    (10, "WEB_AUTH_ENDPOINT", "/auth"),
    (12, "KYC_SERVER", "/kyc"),
    (24, "TRANSFER_SERVER_SEP0024", "/sep24"),
    (31, "DIRECT_PAYMENT_SERVER", "/sep31"),
    (38, "ANCHOR_QUOTE_SERVER", "/sep38"),
    (45, "WEB_AUTH_FOR_CONTRACTS_ENDPOINT", "/sep45/auth"),
)


def stellar_toml(settings: Settings, signing_key: str) -> str:
    """Write the whole file; `Misconfigured` where it is longer than readers take.

    Endpoints appear for the SEPs that are on, none ends in a slash (SEP1-10, GEN-14).
    """
    published = settings.published
    document = tomlkit.document()
    document["VERSION"] = VERSION
    document["NETWORK_PASSPHRASE"] = settings.network_passphrase
    document["SIGNING_KEY"] = signing_key
    general = dict(published.general)
    document["ACCOUNTS"] = sorted({*settings.distribution_accounts, *general.pop("ACCOUNTS", ())})
    for sep, key, path in _DOORS:
        if sep in settings.seps:
            document[key] = settings.public_url + path
    if 45 in settings.seps:
        document["WEB_AUTH_CONTRACT_ID"] = settings.web_auth.contract_id
    for name, value in general.items():
        document[name] = value
    organization = _organization(settings)
    document[_DOCUMENTATION] = _table(organization)
    currencies = [
        _currency(policy, settings, organization["ORG_NAME"])
        for policy in settings.assets.values()
        if policy.issuer is not None
    ]
    for name, tables in (
        ("PRINCIPALS", published.principals),
        ("CURRENCIES", (*currencies, *published.currencies)),
        ("VALIDATORS", published.validators),
    ):
        if tables:
            document[name] = tomlkit.aot()
            document[name].extend(_table(each) for each in tables)
    text = tomlkit.dumps(document)
    if len(text.encode()) > MAX_BYTES:
        raise Misconfigured(f"stellar.toml would be longer than {MAX_BYTES} bytes")
    return text


def _table(fields: Mapping[str, Any]) -> tomlkit.items.Table:
    table = tomlkit.table()
    for name, value in fields.items():
        table[name] = value
    return table


def _organization(settings: Settings) -> dict[str, Any]:
    """What the operator says, and a name and an address at least: wallets fail without."""
    found = dict(settings.organization)
    home = settings.home_domains[0]
    found.setdefault("ORG_NAME", home)
    found.setdefault("ORG_URL", settings.public_url if settings.development else f"https://{home}")
    return found


def _currency(policy: AssetPolicy, settings: Settings, organization: object) -> dict[str, Any]:
    """Describe an asset, with the fields that the validator of SEP-1 wants (SEP1-25)."""
    is_public = settings.network_passphrase == PUBLIC_PASSPHRASE
    return {
        "code": policy.code,
        "issuer": policy.issuer,
        "status": "live" if is_public else "test",
        "display_decimals": policy.decimals,
        "desc": f"{policy.code}, redeemed by {organization}",
        "is_asset_anchored": True,
        "anchor_asset_type": "other",
    } | dict(settings.published.assets.get(policy.code, {}))
