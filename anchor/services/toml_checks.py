"""Whether the stellar.toml that is served, and the ledger, are what the configuration says."""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from anchor import outgoing
from anchor.errors import AnchorError
from anchor.extensions import gateway, settings
from anchor.policies import AssetPolicy

MAX_BYTES = 100_000
_TIMEOUT_S = 10
_PATH = "/.well-known/stellar.toml"
#: What tells one table of a list from another.
_NAMES = ("code", "issuer", "contract", "toml", "name", "PUBLIC_KEY")


def addresses() -> list[str]:
    """Return where the file ought to be served: at each home domain that is no pattern."""
    scheme = "http" if settings().development else "https"
    return [f"{scheme}://{home}{_PATH}" for home in settings().home_domains if home[0] != "*"]


def served(url: str, expected: str) -> Iterator[str]:
    """Yield what differs between what is served at `url` and `expected`, a sentence for each.

    The operator's own address may be a private one.
    """
    try:
        body = outgoing.fetch(url, max_bytes=MAX_BYTES, timeout_s=_TIMEOUT_S, allow_private=True)
        found = tomllib.loads(body.decode())
    except AnchorError as error:
        yield f"{url} cannot be read: {error}."
        return
    except (ValueError, RecursionError):
        yield f"{url} is not TOML."
        return
    for sentence in _differences("", tomllib.loads(expected), found):
        yield f"{url}: {sentence}"


def _differences(
    where: str, expected: Mapping[str, Any], found: Mapping[str, Any]
) -> Iterator[str]:
    for key in [*expected, *(key for key in found if key not in expected)]:
        name = f"{where}{key}"
        one, other = expected.get(key), found.get(key)
        if one is None:
            yield f"{name} is served, and the configuration does not have it."
        elif other is None:
            yield f"{name} is missing."
        elif isinstance(one, dict) and isinstance(other, dict):
            yield from _differences(f"{name}.", one, other)
        elif _is_tables(one) and _is_tables(other):
            yield from _differences(f"{name} ", _by_name(one), _by_name(other))
        elif one != other:
            yield f"{name} is {other}, and ought to be {one}."


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _by_name(tables: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        ":".join(str(each[name]) for name in _NAMES if name in each) or f"number {place}": each
        for place, each in enumerate(tables, 1)
    }


def on_ledger() -> Iterator[str]:
    """Yield what the ledger does not have as the file says it, a sentence for each (SEP1-28)."""
    for policy in settings().assets.values():
        try:
            yield from _issuer(policy)
            yield from _distribution(policy)
        except AnchorError as error:
            yield f"{policy.code}: the ledger cannot be asked: {error}."


def _issuer(policy: AssetPolicy) -> Iterator[str]:
    if policy.issuer is None:
        return
    account, homes = gateway().account(policy.issuer), settings().home_domains
    if account is None:
        yield f"{policy.code}: the issuer {policy.issuer} does not exist on the ledger."
    elif account.home_domain not in homes:
        told = account.home_domain or "none"
        yield f"{policy.code}: the home domain of the issuer is {told}, and ought to be {homes[0]}."


def _distribution(policy: AssetPolicy) -> Iterator[str]:
    account = gateway().account(policy.distribution)
    if account is None:
        yield f"{policy.code}: the account {policy.distribution} does not exist on the ledger."
    elif policy.distribution != policy.issuer and account.balance(policy.id) is None:
        yield f"{policy.code}: the account {policy.distribution} has no trust line for it."
