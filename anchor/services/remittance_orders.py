"""What is to be sent by another anchor: an order, and whether it can be sent at all (ADR 026).

Nothing is written here, and nothing of people is given to anybody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anchor.assets import Currency, StellarAsset
from anchor.errors import Rejected
from anchor.extensions import settings
from anchor.money import format_amount, round_down
from anchor.policies import HOUSE, AssetPolicy, ReceivingAnchor
from anchor.services import other_anchors
from anchor.services.other_anchors import Terms

#: What may be given: of the two parties, and of the transaction itself.
PARTS = ("sender", "receiver", "transaction")
_MAX_FIELDS = 100
Details = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Wanted:
    """What is to be sent: `amount` stroops of the asset to a customer of the anchor at `domain`.

    Its money comes by `rail`, or is the `HOUSE`'s. `details` are the fields of each of `PARTS`, by
    SEP-9's names; they are kept encrypted and show themselves nowhere. With `buys`, named as
    SEP-38 does, it goes on a quote which brings `least_out` stroops of that at least. `key` is
    whatever the asker tells this one from others by.
    """

    domain: str
    amount: int
    rail: str
    details: Details = field(repr=False)
    funding_method: str | None = None
    sender_type: str | None = None
    receiver_type: str | None = None
    buys: str | None = None
    least_out: int | None = None
    key: str | None = None


def policy_of(code: str) -> AssetPolicy:
    """Return the policy of an asset of ours; `Rejected` where it is not served."""
    found = settings().asset(code)
    if found is None:
        raise Rejected(f"{code} is not served here")
    return found


@dataclass(frozen=True)
class Chosen:
    """By which method the receiver is paid, and as which types both are known; "" is as none."""

    method: str
    sender_type: str
    receiver_type: str


def check(policy: AssetPolicy, wanted: Wanted) -> Chosen:
    """Ask the other anchor whether it would take this, and as what; nothing is given to it.

    Raises `Rejected` with the reason where it would not, or where we would not send it, and
    `Unavailable` where it does not answer.
    """
    partner(wanted.domain)
    demand_payable(policy, wanted)
    read_details(wanted.details)
    client = other_anchors.Client(other_anchors.find(wanted.domain, policy))
    return choose(client.terms(policy.code), policy, wanted)


def choose(terms: Terms, policy: AssetPolicy, wanted: Wanted) -> Chosen:
    """Choose among what the other anchor takes: what `wanted` names, or the only one there is.

    Raises `Rejected` for what it says that it does not take.
    """
    if terms.quotes_required and wanted.buys is None:
        raise Rejected("it takes this asset on quotes alone: say what the receiver is to get")
    if terms.min_amount is not None and wanted.amount < terms.min_amount:
        raise Rejected(f"it takes no less than {format_amount(terms.min_amount)} {policy.code}")
    if terms.max_amount is not None and wanted.amount > terms.max_amount:
        raise Rejected(f"it takes no more than {format_amount(terms.max_amount)} {policy.code}")
    method = wanted.funding_method or ""
    if terms.funding_methods:  # some do not list them
        method = _one_of("funding_method", terms.funding_methods, wanted.funding_method)
    return Chosen(
        method,
        _one_of("sender_type", terms.sender_types, wanted.sender_type),
        _one_of("receiver_type", terms.receiver_types, wanted.receiver_type),
    )


def _one_of(name: str, offered: Sequence[str], wanted: str | None) -> str:
    """Return the one that is meant: it has to be named where there are several."""
    if wanted is None and len(offered) > 1:
        raise Rejected(f"name a {name}: {', '.join(offered)}")
    if wanted is not None and wanted not in offered:
        raise Rejected(f"{wanted} is no {name} there; there are {', '.join(offered) or 'none'}")
    return wanted or next(iter(offered), "")


def partner(domain: str) -> ReceivingAnchor:
    """Return an anchor that we send to; `Rejected` for any other domain."""
    found = settings().receiving_anchors.get(domain)
    if found is None:
        raise Rejected(f"{domain} is none of [receiving_anchors]: nothing is sent there")
    return found


def demand_payable(policy: AssetPolicy, wanted: Wanted) -> None:
    """Raise `Rejected` for what could not be paid in, or paid, here.

    Whether there is a key, only a process that signs can tell; where there is none after all,
    what is begun elsewhere is held before it is paid.
    """
    known = settings()
    if known.signs and known.custody == "local" and policy.code not in known.distribution_secrets:
        raise Rejected(f"{policy.code} cannot be paid: there is no key of its account")
    if wanted.rail != HOUSE:
        if wanted.rail not in policy.rails:
            raise Rejected(f"{policy.code} is not paid for by {wanted.rail}")
        if round_down(wanted.amount, policy.decimals) != wanted.amount:
            raise Rejected(f"by rail the amount has {policy.decimals} decimals at most")
    if (wanted.buys is None) != (wanted.least_out is None):
        raise Rejected("a quote needs the least that the receiver is to get, and what of")
    if wanted.buys is not None:
        named = StellarAsset if wanted.buys.startswith("stellar:") else Currency
        named.parse(wanted.buys)


def read_details(given: Any) -> Details:
    """Return what is given of the parties; `Rejected` where that are no texts under `PARTS`."""
    if not isinstance(given, Mapping) or not set(given) <= set(PARTS):
        raise Rejected(f"the details are an object of {', '.join(PARTS)}")
    for name, fields in given.items():
        if not isinstance(fields, Mapping) or len(fields) > _MAX_FIELDS:
            raise Rejected(f"{name} of the details is an object of fields")
        if not all(isinstance(each, str) for each in (*fields, *fields.values())):
            raise Rejected(f"{name} of the details has texts alone")
    return given
