"""Trust lines of our own distribution accounts, opened by the keys that are here.

Each is opened by a submission of the account's own (`anchor.services.own_submissions`, which has
the crash windows): whoever asks again finds the line, or opens it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from anchor.errors import AnchorError, Rejected
from anchor.extensions import gateway, house, settings
from anchor.ledger import destinations
from anchor.ledger.gateway import Gateway, LedgerAccount, Signature
from anchor.ledger.orders import LedgerOrder, Unsigned
from anchor.money import format_amount
from anchor.policies import AssetPolicy
from anchor.services import own_submissions

_BASE_RESERVE = 5_000_000


@dataclass(frozen=True)
class Line:
    """How a distribution account stands to its asset; `state` is one of

    - ``not_needed``: no line is needed, for lumens and for the issuer's own account;
    - ``open``: there was one. Its `balance` is in stroops;
    - ``opened``: there is one now, by the transaction `hash`;
    - ``missing``: there is none, and the sentence says what to do.
    """

    asset: str
    account: str
    state: str
    sentence: str
    balance: int | None = None
    is_authorized: bool | None = None
    hash: str | None = None


def look_after(policy: AssetPolicy) -> Line:
    """Tell of the trust line of an asset's distribution account, or open it with its key.

    May be repeated at any time. What stands in the way is told in the line, never raised.
    """
    try:
        return _line(policy)
    except AnchorError as error:
        return Line(policy.code, policy.distribution, "missing", str(error))


def _line(policy: AssetPolicy) -> Line:
    account_id = policy.distribution
    if policy.issuer in {None, account_id}:
        why = "lumens need no trust line" if policy.issuer is None else "it is the issuer itself"
        return Line(policy.code, account_id, "not_needed", why)
    found = _told(policy, gateway().account(account_id))
    if found is not None:
        return found
    _demand_key(policy)
    return _open(policy)


def _told(
    policy: AssetPolicy, account: LedgerAccount | None, new: str | None = None
) -> Line | None:
    """Tell of a line as the ledger has it, None where there is none; `new` is what opened it."""
    line = account.balance(policy.id) if account else None
    if line is None:
        return None
    sentence = f"opened by {new}" if new else f"open, with {format_amount(line.amount)}"
    if not line.is_authorized:
        sentence += "; its issuer has to authorize it yet"
    return Line(
        *(policy.code, policy.distribution, "opened" if new else "open", sentence),
        *(line.amount, line.is_authorized, new),
    )


def _demand_key(policy: AssetPolicy) -> None:
    if policy.distribution in settings().keys:
        return
    custody = house().custody
    if settings().custody != "local" and custody is not None:
        raise Rejected(
            f"its key is with the custody {custody.name}: have a change_trust for {policy.id} "
            "signed and submitted there"
        )
    raise Rejected(
        f"its key is not here: set ANCHOR_DISTRIBUTION_SECRET_{policy.code}, or have who holds "
        f"the key submit a change_trust for {policy.id}"
    )


def _open(policy: AssetPolicy) -> Line:
    source = policy.distribution

    def wanted(node: Gateway, account: LedgerAccount | None) -> Sequence[LedgerOrder]:
        if _told(policy, account) is not None:
            return ()  # it has come to be while we waited for the queue
        _demand_lumens(source, account)
        if node.account(policy.issuer or "") is None:
            raise Rejected(f"its issuer {policy.issuer} does not exist on the ledger")
        return [LedgerOrder("trust", asset=policy.id)]

    new = own_submissions.carry_out(source, wanted, _sign)
    line = _told(policy, gateway().account(source), new)
    return line or Line(policy.code, source, "opened", f"opened by {new}", balance=0, hash=new)


def _sign(unsigned: Unsigned, _max_time: int) -> Sequence[Signature]:
    from anchor.ledger.keys import sign  # only who signs needs stellar_sdk

    [source] = unsigned.sources
    return [sign(settings().keys[source], bytes.fromhex(unsigned.hash))]


def _demand_lumens(source: str, account: LedgerAccount | None) -> None:
    held = account or LedgerAccount(source, 0, (), (), 0, 0, 0, 0)
    lacks = destinations.lumens_for_line(held, _BASE_RESERVE)
    if account is None:
        raise Rejected(
            f"the account does not exist: send it {format_amount(lacks)} lumens or more first"
        )
    if lacks:
        raise Rejected(
            f"it has too few lumens for a trust line: send it {format_amount(lacks)} or more first"
        )
