"""Horizon's records and lists of claimable balances, made from the present entries."""

from __future__ import annotations

import re
from collections.abc import Callable

from stellar_sdk import StrKey

from anchor.sandbox.network.accounts import modified_fields
from anchor.sandbox.network.engine import Network
from anchor.sandbox.network.entries import ClaimableBalance
from anchor.sandbox.network.operations import predicates
from anchor.sandbox.network.paging import Listing
from anchor.sandbox.network.problems import invalid
from anchor.sandbox.network.records import PAGED, dumps, link
from anchor.sandbox.network.values import Asset, amount_text

ID = re.compile(r"0{8}[0-9a-f]{64}")
_BAD_CURSOR = (
    "The first part should be a number higher than 0 and the second part should be a valid "
    "claimable balance ID"
)


def check_account(name: str, address: str) -> None:
    """Refuse what is no G address, as Horizon words it for the parameter `name`."""
    if not StrKey.is_valid_ed25519_public_key(address):
        reason = "Account ID must start with `G` and contain 56 alphanum characters"
        raise invalid(name, reason)


def check_balance_id(identifier: str) -> None:
    """Refuse what is no id of a claimable balance."""
    if not ID.fullmatch(identifier):
        reason = "Claimable Balance ID must be the hex-encoded XDR representation of a "
        raise invalid("id", reason + "Claimable Balance ID")


def read_asset(text: str) -> Asset:
    """Read `native` or `CODE:ISSUER`; raises Problem."""
    code, colon, issuer = text.partition(":")
    if text == "native":
        return Asset()
    asset = Asset(code, issuer)
    if not (colon and code and asset.is_valid and StrKey.is_valid_ed25519_public_key(issuer)):
        reason = 'Asset must be the string "native" or a string of the form "Code:IssuerAccountID"'
        raise invalid("asset", reason + " for issued assets.")
    return asset


def balance_text(network: Network, balance: ClaimableBalance) -> str:
    """Return the JSON of a claimable balance; the network's lock is held."""
    own = f"/claimable_balances/{balance.id}"
    return dumps(
        {
            "_links": {
                "self": link(own),
                "transactions": link(f"{own}/transactions{PAGED}"),
                "operations": link(f"{own}/operations{PAGED}"),
            },
            "id": balance.id,
            "asset": str(balance.asset),
            "amount": amount_text(balance.amount),
            "sponsor": balance.sponsor,
            **modified_fields(network, balance.modified_ledger),
            "claimants": [
                {"destination": address, "predicate": predicates.fields(predicate)}
                for address, predicate in balance.claimants
            ],
            "flags": {"clawback_enabled": balance.is_clawback_enabled},
            "paging_token": _token(balance),
        }
    )


def balance_listing(network: Network, params: dict[str, str]) -> Listing:
    """The claimable balances that pass all filters: claimant, asset, sponsor; raises Problem."""
    passes = _filters(params)

    def records() -> list[ClaimableBalance]:
        entries = network.shown.balances.entries.values()
        found = [each for each in entries if each and all(ok(each) for ok in passes)]
        return sorted(found, key=_key)

    return Listing(
        records=records,
        key=_key,
        token=_token,
        write=lambda balance: balance_text(network, balance),
        read_cursor=_read_cursor,
        in_history=False,
    )


def _filters(params: dict[str, str]) -> list[Callable[[ClaimableBalance], bool]]:
    found: list[Callable[[ClaimableBalance], bool]] = []
    sponsor, claimant, text = (params.get(name) for name in ("sponsor", "claimant", "asset"))
    if sponsor:
        check_account("sponsor", sponsor)
        found.append(lambda balance: balance.sponsor == sponsor)
    if claimant:
        check_account("claimant", claimant)
        found.append(lambda balance: claimant in dict(balance.claimants))
    if text:
        asset = read_asset(text)
        found.append(lambda balance: balance.asset == asset)
    return found


def _key(balance: ClaimableBalance) -> tuple[int, str]:
    return balance.modified_ledger, balance.id


def _token(balance: ClaimableBalance) -> str:
    return f"{balance.modified_ledger}-{balance.id}"


def _read_cursor(text: str) -> tuple[int, str]:
    ledger, _, identifier = text.partition("-")
    if not ledger.isdecimal() or (identifier and not ID.fullmatch(identifier)):
        raise invalid("cursor", _BAD_CURSOR)
    return int(ledger), identifier
