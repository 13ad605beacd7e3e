"""The words of the console for transactions, for what came, and for what left."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from anchor.assets import NATIVE, currency_of
from anchor.config import Settings
from anchor.languages import mark as _
from anchor.lifecycle import Kind, Status
from anchor.matching import FOR_THE_DESK, Verdict
from anchor.models import OUTFLOW_KINDS, OUTFLOW_STATES
from anchor.serializers import console
from anchor.serializers.admin_money import KINDS, STATUSES, VERDICTS
from anchor.serializers.console import Standing, moment, money
from anchor.serializers.pages import Fact
from anchor.services.arrival_views import Came
from anchor.services.outflow_views import Left
from anchor.services.transaction_search import Found
from anchor.services.transaction_stories import Facts, Story, Waiting

_S = Status
_KINDS = {
    Kind.DEPOSIT: _("Deposit"),
    Kind.DEPOSIT_EXCHANGE: _("Deposit with exchange"),
    Kind.WITHDRAWAL: _("Withdrawal"),
    Kind.WITHDRAWAL_EXCHANGE: _("Withdrawal with exchange"),
    Kind.SEND: _("Send"),
    Kind.REMITTANCE: _("Remittance"),
}
_STANDINGS = {
    _S.INCOMPLETE: Standing(_("Incomplete")),
    _S.PENDING_USER_TRANSFER_START: Standing(_("Waits for its money"), "wait"),
    _S.PENDING_USER_TRANSFER_COMPLETE: Standing(_("Ready for pick-up"), "wait"),
    _S.PENDING_SENDER: Standing(_("Waits for its money"), "wait"),
    _S.PENDING_ANCHOR: Standing(_("In our hands"), "busy"),
    _S.PENDING_RECEIVER: Standing(_("Being paid out"), "busy"),
    _S.PENDING_EXTERNAL: Standing(_("On its way at the bank"), "busy"),
    _S.PENDING_STELLAR: Standing(_("On its way to the ledger"), "busy"),
    _S.PENDING_TRUST: Standing(_("Waits for a trust line"), "wait"),
    _S.PENDING_CUSTOMER_INFO_UPDATE: Standing(_("Waits for its customer"), "wait"),
    _S.PENDING_TRANSACTION_INFO_UPDATE: Standing(_("Waits for details"), "wait"),
    _S.PENDING_USER: Standing(_("Waits for its customer"), "wait"),
    _S.ON_HOLD: Standing(_("On hold"), "bad"),
    _S.NO_MARKET: Standing(_("No market"), "bad"),
    _S.TOO_SMALL: Standing(_("Too small"), "bad"),
    _S.TOO_LARGE: Standing(_("Too large"), "bad"),
    _S.ERROR: Standing(_("Failed"), "bad"),
    _S.EXPIRED: Standing(_("Expired")),
    _S.COMPLETED: Standing(_("Completed"), "good"),
    _S.REFUNDED: Standing(_("Refunded")),
}
_VERDICTS = {
    Verdict.CREDITED: Standing(_("Credited"), "good"),
    Verdict.UNMATCHED: Standing(_("Nobody’s"), "bad"),
    Verdict.LATE: Standing(_("Late"), "bad"),
    Verdict.WRONG_ASSET: Standing(_("Wrong asset"), "bad"),
    Verdict.TOO_SMALL: Standing(_("Too small"), "bad"),
    Verdict.TOO_LARGE: Standing(_("Too large"), "bad"),
    Verdict.SECOND: Standing(_("Paid twice"), "bad"),
    Verdict.HISTORY: Standing(_("History")),
    Verdict.UNREADABLE: Standing(_("Unreadable"), "bad"),
    Verdict.UNJUDGED: Standing(_("Not judged yet"), "wait"),
    Verdict.OUTGOING: Standing(_("Outgoing")),
    Verdict.RETURNED: Standing(_("Returned"), "busy"),
}
_CAME_BACK = Standing(_("Came back"), "bad")
_TAKEN_BACK = Standing(_("Taken back"), "bad")
_OUTFLOWS = {
    "payout": _("Payout"),
    "submission": _("Payment on the ledger"),
    "refund": _("Refund"),
}
_FORMS = {
    "create_account": _("creates the account"),
    "claimable_balance": _("a claimable balance"),
    "establish": _("prepares the account"),
    "trustline_lumens": _("lumens for a trust line"),
    "claim": _("takes a balance back"),
}


def kind(name: str) -> str:
    """Return what a kind of transaction is called."""
    return _KINDS.get(Kind(name), name)


def standing(found: Found) -> Standing:
    """Return how a transaction stands."""
    return standing_of(found.kind, found.status, found.rests)


def standing_of(kind: str, status: str, is_resting: bool) -> Standing:
    """Return how a transaction of a kind stands; a remittance as its own pages say."""
    if kind == Kind.REMITTANCE:
        return console.standing(status, is_resting)
    if is_resting and status != _S.ON_HOLD:
        return console.RESTS
    return _STANDINGS[Status(status)]


def verdict(found: Came) -> Standing:
    """Return what became of money that came."""
    return _TAKEN_BACK if found.reversed_at else _VERDICTS[Verdict(found.verdict)]


def state(found: Left) -> Standing:
    """Return what became of an outflow."""
    return _CAME_BACK if found.returned_at else console.OUTFLOW_STANDINGS[found.state]


def job_standing(found: Waiting) -> Standing:
    """Return how work stands that waits."""
    if found.is_parked:
        return console.GIVEN_UP
    return console.AGAIN if found.attempts else console.DUE


def outflow(name: str) -> str:
    """Return what a kind of outflow is called."""
    return _OUTFLOWS.get(name, name)


def form(name: str | None) -> str:
    """Return what an outflow on the ledger does besides paying; empty for nothing."""
    return _FORMS.get(name or "", "")


def code(held: str | None) -> str:
    """Return what people call an asset of the books."""
    if held is None or held == "?":
        return ""
    found = currency_of(held) or held.partition(":")[0]
    return "XLM" if found == NATIVE else found


def sum_of(stroops: int | None, held: str | None) -> str:
    """Write an amount with its asset; a question mark for what nobody can read."""
    return "?" if stroops is None else f"{money(stroops)} {code(held)}".strip()


def short(address: str | None) -> str:
    """Return an address or a hash as lists show it: how it begins, and how it ends."""
    if not address or len(address) <= 16:
        return address or ""
    return f"{address[:6]}…{address[-6:]}"


def kinds() -> list[tuple[str, str]]:
    """Return the kinds of transaction to choose from, each with its words."""
    return [(name, kind(name)) for name in KINDS]


def statuses() -> list[tuple[str, str]]:
    """Return the statuses to choose from, as the wire has them: several have the same words."""
    return [(name, console.named(name)) for name in STATUSES]


def verdicts(*, is_by_rail: bool = False) -> list[tuple[str, str]]:
    """Return the verdicts to choose from, those for the desk first."""
    by_rail = {Verdict.OUTGOING, Verdict.RETURNED} if is_by_rail else set()
    known = [each for each in map(Verdict, VERDICTS) if each not in by_rail]
    known.sort(key=lambda each: each not in FOR_THE_DESK)
    return [(each, _VERDICTS[each].label) for each in known]


def outflow_kinds() -> list[tuple[str, str]]:
    """Return the kinds of outflow to choose from, each with its words."""
    return [(name, outflow(name)) for name in OUTFLOW_KINDS]


def states() -> list[tuple[str, str]]:
    """Return the states of outflows to choose from, each with its words."""
    return [(name, console.OUTFLOW_STANDINGS[name].label) for name in OUTFLOW_STATES]


def facts(found: Story, settings: Settings) -> list[Fact]:
    """Return what is known of a transaction, without what its heading says."""
    lines = [*_sums(found.facts), *_places(found, settings), *_times(found.facts)]
    lines += [
        Fact(_("Known of {part}"), ", ".join(names), is_code=True, words={"part": part})
        for part, names in found.details.items()
    ]
    return [line for line in lines if line.value]


def _sums(facts: Facts) -> Iterator[Fact]:
    for label, amount, held in (
        (_("Awaited"), facts.expected, facts.in_asset),
        (_("Came"), facts.came, facts.in_asset),
        (_("Fee"), facts.amount_fee, facts.in_asset),
        (_("To be paid out"), facts.amount_out, facts.out_asset),
        (_("Paid out, with the fee"), facts.paid, facts.in_asset),
        (_("Refunded, with fees"), facts.refunded, facts.in_asset),
    ):
        yield Fact(label, sum_of(amount, held) if amount else "")


def _places(found: Story, settings: Settings) -> Iterator[Fact]:
    facts = found.facts
    yield _code(_("Id"), found.shown.id)
    yield Fact(_("Rail"), console.source(found.shown.rail))
    yield _code(_("Owner"), found.shown.owner)
    yield Fact(_("Wallet"), facts.client_domain or "")
    yield _code(_("Reference"), facts.reference)
    yield _code(_("Paid to"), facts.account)
    yield _code(_("Under the memo"), _memo(facts.memo_type, facts.memo))
    yield _code(_("Paid by"), facts.payer)
    yield _code(_("Pays"), facts.to)
    yield _code(_("With the memo"), _memo(facts.to_memo_type, facts.to_memo))
    hash_ = facts.stellar_transaction_id
    yield _code(_("Stellar transaction"), hash_, settings.pages.explorer_link(hash_))
    yield _code(_("Id at the bank"), facts.external_transaction_id)
    yield _code(_("Quote"), facts.quote_id)
    yield Fact(_("Told to the customer"), facts.message or "")


def _times(facts: Facts) -> Iterator[Fact]:
    instants: tuple[tuple[str, datetime | None], ...] = (
        (_("Money awaited until"), None if facts.funded_at else facts.deadline_at),
        (_("Enough came"), facts.funded_at),
        (_("Changed"), facts.updated_at),
        (_("Over since"), facts.completed_at),
    )
    for label, instant in instants:
        yield Fact(label, moment(instant))


def _memo(memo_type: str | None, memo: str | None) -> str | None:
    """Write a memo; its type is said where it is not the usual one."""
    return memo if memo is None or memo_type in {None, "id"} else f"{memo_type}: {memo}"


def memo(found: Came) -> str:
    """Return what the payer wrote: a memo, or the reference on a transfer."""
    return _memo(found.memo_type, found.memo) or found.reference or ""


def _code(label: str, value: str | None, link: str = "") -> Fact:
    return Fact(label, value or "", is_code=True, copied=value or "", link=link)


def choices(known: Any) -> list[tuple[str, str]]:
    """Return what to choose from where each word says itself."""
    return [(each, each) for each in known]
