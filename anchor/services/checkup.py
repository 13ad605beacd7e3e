"""Everything a deployment needs, looked at once: the rows of `flask anchor doctor`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from anchor.clock import utcnow
from anchor.errors import AnchorError, Rejected
from anchor.extensions import contracts, db, gateway, house, settings, transaction
from anchor.integrations.custody import Custodian, Signer
from anchor.integrations.protocols import RailsIntegration
from anchor.ledger.gateway import LedgerAccount
from anchor.money import format_amount
from anchor.policies import AssetPolicy
from anchor.services import contract_logins, custodians, exchanges, logins, networks, rails

#: Two base reserves, and one more for each entry of the account.
_BASE_RESERVE = 5_000_000
_CLOCK_DRIFT = timedelta(seconds=5)
_LEDGER_AGE = timedelta(minutes=2)
#: A contract that is archived within so many ledgers, about two weeks, is one to look after.
_LIVES_LEDGERS = 240_000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. A finding that is not good ends the command with 1."""

    name: str
    is_good: bool
    sentence: str


def look(revision: tuple[str | None, str | None], broker: Callable[[], str]) -> Iterator[Finding]:
    """Yield what is found, one thing after the other; nothing that fails stops the next.

    `revision` is what the schema is at and ought to be at; `broker` asks the broker.
    """
    at, head = revision
    yield Finding("database", at == head, f"at revision {at}, the newest is {head}")
    yield _try("database clock", _database_clock)
    yield _try("broker", broker)
    yield _try("signing key", lambda: logins.policy().signing_key)
    yield _try("network", _network)
    yield from _nodes()
    yield _try("ledger clock", _ledger_clock)
    if house().contracts is not None:
        yield _try("rpc", _rpc)
    if 45 in settings().seps:
        yield _try("web auth contract", _web_auth_contract)
    for policy in settings().assets.values():
        yield _try(f"account of {policy.code}", lambda policy=policy: _account(policy))  # type: ignore[misc]
        if custodians.why_no_contract() is None and policy.deposit.enabled:
            yield _try(f"contract of {policy.code}", lambda policy=policy: _contract(policy))  # type: ignore[misc]
        if policy.delivery.authorize_trustlines:
            yield _try(f"issuer of {policy.code}", lambda policy=policy: _issuer(policy))  # type: ignore[misc]
    custody = house().custody
    if custody is not None:
        yield _try(f"custody {custody.name}", lambda: _custody(custody))
    customers = house().customers
    if customers is not None:
        yield _try(f"customers {customers.name}", customers.check)
    pages = house().interactive
    if pages is not None:
        yield _try(f"pages {pages.name}", pages.check)
    for name, rail in house().rails.items():
        yield _try(f"rail {name}", lambda rail=rail: _rail(rail))  # type: ignore[misc]
    for name, source in house().rates.items():
        yield _try(f"rates {name}", source.check)
    for what, check in exchanges.prices():
        yield _try(what, check)


def _custody(custody: Signer | Custodian) -> str:
    """Try the custody; a custodian has to do whatever the assets offer."""
    sentence = custody.check()
    if isinstance(custody, Signer):
        return sentence
    missing = _forms_offered() - custody.traits.forms
    if missing:
        raise Rejected(f"the assets offer what it cannot do: {', '.join(sorted(missing))}")
    return sentence


def _rail(rail: RailsIntegration) -> str:
    """Try a rail; one by which customers pay in has to be able to tell that they did."""
    sentence = rail.check()
    codes = [p.code for p in settings().assets.values() if _pays_in(rail.name, p)]
    if codes and not rails.tells_of_money(rail):
        raise Rejected(
            f"deposits of {', '.join(codes)} are offered, and their money would never be seen: "
            "it has no poll_pending_deposits, no receipts_since with traits.lists_receipts, "
            "and no webhook"
        )
    return sentence


def _pays_in(rail: str, policy: AssetPolicy) -> bool:
    """Tell whether customers may pay by a rail for an asset, with or without an exchange."""
    quotes = settings().quotes
    methods = (
        quotes.offchain[pair.offchain].sell_delivery_methods
        for pair in quotes.pairs
        if pair.asset == policy.code and pair.deposit is not None
    )
    is_open = policy.deposit.enabled or any(rail in each for each in methods)
    return is_open and rail in policy.rails


def _forms_offered() -> set[str]:
    """Return the forms of payment that some asset's deposits may need."""
    forms = {"payment"}
    for policy in settings().assets.values():
        if not policy.deposit.enabled:
            continue
        if policy.delivery.create_accounts:
            forms.add("create_account" if policy.issuer is None else "establish")
        if policy.delivery.claimable_balances:
            forms.add("claimable_balance")
    return forms


def _try(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except AnchorError as error:
        return Finding(name, False, str(error))
    except Exception as error:  # a rail may raise anything
        return Finding(name, False, f"{type(error).__name__}: {error}")


def _database_clock() -> str:
    with transaction():
        theirs = db.session.scalar(text("SELECT now()"))
        lasting = db.session.scalar(text("SHOW synchronous_commit"))
    if theirs is None or abs(theirs - utcnow()) > _CLOCK_DRIFT:
        raise Rejected("the database's clock and this host's differ by more than 5 seconds")
    if lasting == "off":
        raise Rejected("synchronous_commit is off: a crash would lose money facts")
    return "agrees with this host's"


def _network() -> str:
    networks.verify(gateway(), settings().network_passphrase)
    state = gateway().network()
    return f"{state.passphrase}, ledgers {state.oldest_ledger} to {state.latest_ledger}"


def _nodes() -> Iterator[Finding]:
    """Yield how each of several sources of the network stands."""
    try:
        for node in gateway().standing():
            told = node.trouble or f"of this network, its newest ledger is {node.latest_ledger}"
            yield Finding(f"horizon {node.name}", node.trouble is None, told)
    except AnchorError as error:
        yield Finding("horizon", False, str(error))


def _ledger_clock() -> str:
    age = utcnow() - gateway().network().latest_closed_at
    if age > _LEDGER_AGE:
        raise Rejected(f"the newest ledger is {age.total_seconds():.0f} seconds old")
    if age < -_CLOCK_DRIFT:
        raise Rejected("the newest ledger closed in this host's future: check the clock")
    return "the newest ledger is recent"


def _rpc() -> str:
    state = contracts().state()
    if state.passphrase != settings().network_passphrase:
        raise Rejected("it is of another network")
    if not state.is_healthy:
        raise Rejected("it is behind its network")
    return f"of this network, its newest ledger is {state.latest_ledger}"


def _web_auth_contract() -> str:
    """Look at the contract of SEP-45, and make a challenge with it (SEP45-42)."""
    policy = logins.policy()
    found = contracts().instance(policy.contract_id or "")
    if found is None:
        raise Rejected(f"{policy.contract_id} is not on this network, or archived")
    if gateway().account(policy.signing_key) is None:
        raise Rejected(f"the account {policy.signing_key} of the signing key does not exist")
    contract_logins.begin(found.contract_id, settings().home_domains[0])
    if found.live_until is None:
        return "makes challenges"
    left = found.live_until - found.latest_ledger
    if left < _LIVES_LEDGERS:
        raise Rejected(f"it is archived in {left} ledgers: extend its life")
    return f"makes challenges; it lives for {left} ledgers more"


def _account(policy: AssetPolicy) -> str:
    account = gateway().account(policy.distribution)
    if account is None:
        raise Rejected(f"{policy.distribution} does not exist on the ledger")
    held = {balance.asset: balance for balance in account.balances}
    if policy.id not in held and policy.distribution != policy.issuer:
        raise Rejected(
            f"{policy.distribution} has no trust line for {policy.id}; "
            "`flask anchor trust` opens it"
        )
    if policy.id in held and not held[policy.id].is_authorized:
        raise Rejected(f"{policy.distribution} is not authorized to hold {policy.id}")
    spare = held["native"].amount - _reserve(account)
    if spare <= 0:
        raise Rejected(f"{policy.distribution} has no lumens above its reserve")
    return f"exists and trusts it; {format_amount(spare)} lumens above the reserve"


def _contract(policy: AssetPolicy) -> str:
    """Look whether the asset has its contract, by which contract accounts are paid."""
    from anchor.ledger.operations import contract_of

    contract_id = contract_of(policy.id, settings().network_passphrase)
    if contracts().instance(contract_id) is None:
        raise Rejected(
            f"{contract_id} is not on this network, or archived: deploy it (`stellar contract "
            "asset deploy`), or no contract account can be paid"
        )
    return f"{contract_id} is there"


def _issuer(policy: AssetPolicy) -> str:
    """Look whether an issuer asks to authorize lines: else those that are closed were revoked."""
    account = gateway().account(policy.issuer or "")
    if account is None:
        raise Rejected(f"{policy.issuer} does not exist on the ledger")
    if not account.flags.auth_required:
        raise Rejected(f"{policy.issuer} does not ask for it (AUTH_REQUIRED): take it off")
    return "exists, and has its trust lines authorized"


def _reserve(account: LedgerAccount) -> int:
    entries = 2 + account.subentry_count + account.num_sponsoring - account.num_sponsored
    return entries * _BASE_RESERVE
