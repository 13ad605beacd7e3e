"""The stellar.toml of SEP-1, made from the settings."""

import tomlkit

from anchor.config import PUBLIC_PASSPHRASE, Settings
from anchor.policies import AssetPolicy

_DOCUMENTATION = "DOCUMENTATION"


def stellar_toml(settings: Settings, signing_key: str) -> str:
    """Write the whole file. Endpoints appear for the SEPs that are on, none ends in a slash."""
    document = tomlkit.document()
    document["VERSION"] = "2.7.0"
    document["NETWORK_PASSPHRASE"] = settings.network_passphrase
    document["SIGNING_KEY"] = signing_key
    document["ACCOUNTS"] = sorted({policy.distribution for policy in settings.assets.values()})
    for sep, key, path in (
        (10, "WEB_AUTH_ENDPOINT", "/auth"),
        (12, "KYC_SERVER", "/kyc"),
        (24, "TRANSFER_SERVER_SEP0024", "/sep24"),
    ):
        if sep in settings.seps:
            document[key] = settings.public_url + path
    documentation = tomlkit.table()
    for name, value in settings.organization.items():
        documentation[name] = value
    documentation.setdefault("ORG_NAME", settings.home_domains[0])
    documentation.setdefault("ORG_URL", settings.public_url)
    document[_DOCUMENTATION] = documentation
    currencies = tomlkit.aot()
    for policy in settings.assets.values():
        if policy.issuer is not None:
            currencies.append(_currency(policy, settings, documentation["ORG_NAME"]))
    if currencies:
        document["CURRENCIES"] = currencies
    return tomlkit.dumps(document)


def _currency(policy: AssetPolicy, settings: Settings, organization: object) -> tomlkit.items.Table:
    """Describe an asset, with the fields that the validator of SEP-1 wants (SEP1-25)."""
    is_public = settings.network_passphrase == PUBLIC_PASSPHRASE
    table = tomlkit.table()
    table["code"] = policy.code
    table["issuer"] = policy.issuer
    table["status"] = "live" if is_public else "test"
    table["display_decimals"] = policy.decimals
    table["desc"] = f"{policy.code}, redeemed by {organization}"
    table["is_asset_anchored"] = True
    table["anchor_asset_type"] = "other"
    return table
