"""How a deposit can reach its account on the ledger, as that stands: pure rules."""

from dataclasses import dataclass

from anchor.assets import NATIVE, is_contracts
from anchor.ledger import destinations
from anchor.ledger.contract_gateway import ContractInstance
from anchor.ledger.gateway import LedgerAccount
from anchor.models import PREPARING_FORMS
from anchor.policies import AssetPolicy

_BASE_RESERVE = 5_000_000
#: With less no account can be.
_LEAST_ACCOUNT = 2 * _BASE_RESERVE
#: What a line that was authorized before waits for.
_CLOSED = (
    "its trust line is closed, and was open once or is refused: its issuer authorizes it by hand, "
    "or `flask anchor allow-trustline` lets us"
)


@dataclass(frozen=True)
class Wanted:
    """A deposit that is to be paid: `amount` stroops of `asset` to `destination`."""

    transaction_id: str
    version: int
    asset: str
    amount: int
    destination: str
    account_id: str
    has_memo: bool
    takes_claimable_balance: bool
    was_prepared: bool = False
    line_is_known: bool = False

    @property
    def is_muxed(self) -> bool:
        """Whether it goes to an id below its account."""
        return self.destination != self.account_id

    @property
    def is_to_contract(self) -> bool:
        """Whether it goes to a contract account."""
        return is_contracts(self.destination)


@dataclass(frozen=True)
class Plan:
    """What to do next for a deposit: pay in a `form`, wait for trust, or hold it for a person.

    A payment that `authorizes` has the issuer authorize the line in its own envelope. Of what
    waits, a person is told `closed_because`, where nobody but the issuer can end that; what
    only prepares the account sends it so many stroops of `lumens`.
    """

    form: str | None = None
    held_because: str | None = None
    authorizes: bool = False
    closed_because: str | None = None
    lumens: int = 0

    @property
    def only_prepares(self) -> bool:
        """Whether lumens of ours are to leave, and none of the deposit."""
        return self.form in PREPARING_FORMS


WAIT_FOR_TRUST = Plan()


def choose(wanted: Wanted, account: LedgerAccount | None, policy: AssetPolicy) -> Plan:
    """Say how a deposit is to be delivered, as its account stands (SEP-24, SEP-29)."""
    if account is None:
        return _where_nobody_is(wanted, policy)
    if destinations.memo_required(account) and not wanted.has_memo:
        return Plan(held_because="the account asks for a memo (SEP-29), and none was given")
    room = room_of(wanted, account, policy)
    if room in destinations.OPEN:
        return Plan("payment", authorizes=room == destinations.TO_AUTHORIZE)
    if room == destinations.NO_LINE:
        return _without_a_line(wanted, account, policy)
    if room == destinations.NOT_AUTHORIZED and policy.delivery.authorize_trustlines:
        return Plan(closed_because=_CLOSED)
    return WAIT_FOR_TRUST


def choose_for_contract(wanted: Wanted, contract: ContractInstance | None) -> Plan:
    """Say how a deposit is to be delivered to a contract account: paid, or held for a person.

    It needs no trust line; nothing is created for it, and nothing can wait for it (SEP6-31).
    """
    if wanted.has_memo:
        return Plan(
            held_because="a payment to a contract account carries no memo, and one was given"
        )
    if contract is None:
        return Plan(held_because="no such contract is on the ledger, or it is archived")
    return Plan("payment")


def _where_nobody_is(wanted: Wanted, policy: AssetPolicy) -> Plan:
    offers = policy.delivery
    if wanted.asset == NATIVE:
        if not offers.create_accounts:
            return Plan(held_because="the account does not exist, and none is created")
        if wanted.is_muxed:
            return Plan(held_because="no account can be created by a muxed address")
        if wanted.amount < _LEAST_ACCOUNT:
            return Plan(held_because="the amount is too small to create the account with")
        return Plan("create_account")
    if _can_wait_there(wanted, policy):
        return Plan("claimable_balance")
    if _may_prepare(wanted, policy):
        return Plan("establish", lumens=offers.starting_balance)
    return WAIT_FOR_TRUST


def _without_a_line(wanted: Wanted, account: LedgerAccount, policy: AssetPolicy) -> Plan:
    """Send lumens first to who lacks them for a line: a claimable balance needs one later, too."""
    lumens = destinations.lumens_for_line(account, _BASE_RESERVE)
    if 0 < lumens <= policy.delivery.starting_balance and _may_prepare(wanted, policy):
        return Plan("trustline_lumens", lumens=lumens)
    return Plan("claimable_balance") if _can_wait_there(wanted, policy) else WAIT_FOR_TRUST


def _can_wait_there(wanted: Wanted, policy: AssetPolicy) -> bool:
    """Tell whether a claimable balance is offered, and taken, and loses no muxed id."""
    offered = policy.delivery.claimable_balances
    return wanted.takes_claimable_balance and offered and not wanted.is_muxed


def room_of(wanted: Wanted, account: LedgerAccount | None, policy: AssetPolicy) -> str:
    """Tell whether an account can take its deposit, as `anchor.ledger.destinations` says it.

    A line that nobody authorized before is one that we may authorize, where the asset says so.
    """
    may = policy.delivery.authorize_trustlines and not wanted.line_is_known
    return destinations.room_for(account, wanted.asset, wanted.amount, authorizes=may)


def _may_prepare(wanted: Wanted, policy: AssetPolicy) -> bool:
    """Tell whether lumens of ours may still make the account able to trust: once a deposit."""
    return policy.delivery.create_accounts and not wanted.was_prepared
