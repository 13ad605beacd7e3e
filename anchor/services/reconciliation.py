"""Comparing the ledger with what we know of it, and reading again what the stream may have missed.

For each watched account the payments of the last hours are read once more and what is missing
goes through the same door as ever (`payments.feed`). Then what the account holds has to be what
it held when it was first compared, with all that came and left since (money rule 12).
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from time import sleep

from sqlalchemy import ColumnElement, case, delete, func, select

from anchor.assets import NATIVE
from anchor.clock import utcnow
from anchor.errors import NotFound
from anchor.extensions import atomic, db, gateway, settings
from anchor.ledger.gateway import Gateway, LedgerAccount
from anchor.models import Account, Channel, Opening, Outflow, Payment, Submission
from anchor.money import signed
from anchor.services import audits, cases, jobs, networks, payments, statements
from anchor.services.audits import Difference
from anchor.services.networks import Watch

RECONCILE = "reconcile"
WINDOW_HOURS = 48
_SUBJECT, _LANE, _LEASE_S = "all", "reconciliation", 300
#: A ledger closes every five seconds; on faster networks the window is shorter.
_LEDGERS_AN_HOUR = 720
_TRIES, _REST_S = 5, 2


@dataclass
class Report:
    """What a comparison came to: payments that were missing, and what differs still."""

    accounts: int = 0
    payments_read: int = 0
    payments_missing: int = 0
    receipts_missing: int = 0
    first_compared: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)


def run(hours: int = WINDOW_HOURS, day: date | None = None) -> Report:
    """Compare everything once, banks by their statement of `day` (yesterday, in UTC).

    Raises `Unavailable` where the ledger does not answer.
    """
    report = Report()
    banks = statements.compare(day or utcnow().date() - timedelta(days=1))
    report.receipts_missing = banks.receipts_missing
    report.differences += banks.differences
    for watch in networks.watched():
        report.accounts += 1
        _read_again(watch, hours, report)
        _weigh(watch, report)
    report.differences += audits.look()
    return report


def _read_again(watch: Watch, hours: int, report: Report) -> None:
    """Read the window before the cursor again, and keep what is missing of it."""
    source = gateway().one()  # another node's history may begin later
    state = source.network()
    first = max(state.oldest_ledger, (watch.cursor >> 32) - hours * _LEDGERS_AN_HOUR)
    cursor = max(first << 32, watch.first_cursor)
    while cursor < watch.cursor:
        page = source.payments_page(watch.account_id, str(cursor))
        known = [each for each in page.payments if int(each.paging_token) <= watch.cursor]
        seen = payments.feed(watch, known)
        report.payments_read += len(known)
        report.payments_missing += seen.new
        if page.up_to_date or len(known) < len(page.payments):
            return
        cursor = int(page.cursor)


def _weigh(watch: Watch, report: Report) -> None:
    """Compare what an account holds with what it ought to, asset by asset.

    What is on its way into our books at this moment is given some time to get there.
    """
    found: list[Difference] = []
    for attempt in range(_TRIES):
        if attempt:
            sleep(_REST_S)
        source = gateway().one()  # a balance and its payments, as the same node has them
        account = source.account(watch.account_id)
        if account is None or account.ledger is None:
            found = [Difference("balance", watch.account_id, "is not on the ledger")]
            continue
        read_on(watch, source)
        found = _compare(watch, account, account.ledger, report)
        if not found:
            return
    report.differences += found


def read_on(watch: Watch, source: Gateway | None = None) -> None:
    """Keep what lies behind the cursor already, moving nothing: the stream finds it kept.

    Only `source`, one node, is asked where it is named.
    """
    source, cursor = source or gateway().one(), watch.cursor
    while True:
        page = source.payments_page(watch.account_id, str(cursor))
        payments.feed(watch, page.payments)
        if page.up_to_date:
            return
        cursor = int(page.cursor)


@atomic
def _compare(watch: Watch, account: LedgerAccount, ledger: int, report: Report) -> list[Difference]:
    """Weigh each asset that is served; the first time only notes what the account holds."""
    served = {policy.id for policy in settings().assets.values()}
    differences = []
    for line in account.balances:
        if line.asset not in served:
            continue
        opening = db.session.get(Opening, (watch.id, line.asset))
        if opening is None:
            db.session.add(
                Opening(account_id=watch.id, asset=line.asset, amount=line.amount, ledger=ledger)
            )
            report.first_compared.append(f"{watch.account_id} {line.asset}")
            continue
        wanted = opening.amount + _moved(watch, line.asset, opening.ledger, ledger)
        if wanted != line.amount:
            sentence = f"holds {signed(line.amount)}, and {signed(wanted)} are accounted for"
            about = f"{watch.account_id} {line.asset}"
            differences.append(Difference("balance", about, sentence))
    return differences


def _moved(watch: Watch, asset: str, after: int, until: int) -> int:
    """Return by how much what we know of has changed a balance in the ledgers after one."""
    paid = select(
        func.coalesce(
            func.sum(case((Payment.direction == "in", Payment.amount), else_=-Payment.amount)), 0
        )
    ).where(
        Payment.network_id == watch.network_id,
        Payment.account_id == watch.account_id,
        Payment.asset == asset,
        Payment.ledger > after,
        Payment.ledger <= until,
    )
    # what makes or ends a claimable balance is no payment in the ledger's words
    set_aside = (
        select(
            func.coalesce(
                func.sum(case((Outflow.form == "claim", -Outflow.amount), else_=Outflow.amount)), 0
            )
        )
        .join(Submission, Submission.id == Outflow.submission_id)
        .where(
            Outflow.state == "done",
            Outflow.form.in_(("claimable_balance", "claim")),
            Outflow.source == watch.account_id,
            Outflow.asset == asset,
            Submission.ledger > after,
            Submission.ledger <= until,
        )
    )
    by_custody = (
        select(func.coalesce(func.sum(Outflow.amount), 0))
        .where(Outflow.form == "claimable_balance", Outflow.asset == asset)
        .where(*_by_custody(watch, after, until))
    )
    moved = int(db.session.scalar(paid) or 0) - int(db.session.scalar(set_aside) or 0)
    moved -= int(db.session.scalar(by_custody) or 0)
    return moved - (_fees(watch, after, until) if asset == NATIVE else 0)


def _fees(watch: Watch, after: int, until: int) -> int:
    """Return what our submissions cost the account, in stroops of lumens.

    A channel pays, also for its fee bumps; without a pool the account is its own channel.
    """
    query = (
        select(func.coalesce(func.sum(Submission.fee_charged), 0))
        .join(Channel, Channel.id == Submission.channel_id)
        .where(
            Channel.account_id == watch.account_id,
            Submission.ledger > after,
            Submission.ledger <= until,
        )
    )
    by_custody = select(func.coalesce(func.sum(Outflow.fee_charged), 0)).where(
        *_by_custody(watch, after, until)
    )
    return int(db.session.scalar(query) or 0) + int(db.session.scalar(by_custody) or 0)


def _by_custody(watch: Watch, after: int, until: int) -> tuple[ColumnElement[bool], ...]:
    """Say which orders a custodian has carried out from an account in some ledgers."""
    return (
        Outflow.custody.is_not(None),
        Outflow.state == "done",
        Outflow.source == watch.account_id,
        Outflow.ledger > after,
        Outflow.ledger <= until,
    )


@atomic
def begin_anew(account_id: str, asset: str) -> None:
    """Forget what an account held of an asset: the next comparison begins with what it holds.

    For what a person has explained, such as a transfer by hand. Raises `NotFound`.
    """
    gone = db.session.execute(
        delete(Opening)
        .where(
            Opening.asset == asset,
            Opening.account_id.in_(select(Account.id).where(Account.account_id == account_id)),
        )
        .returning(Opening.account_id)
    )
    if not gone.all():
        raise NotFound(f"{account_id} was never compared in {asset}")


def daily(claimed: jobs.Claim) -> None:
    """Compare everything, and put what differs on the desk; the job `RECONCILE`."""
    jobs.extend(claimed)
    _tell(run())


@atomic
def _tell(report: Report) -> None:
    for each in report.differences:
        cases.open_case(
            "books_differ",
            f"{each.kind} {each.about}/{utcnow():%Y-%m-%d}",
            note=f"{each.about} {each.sentence}"[:500],
        )
    missing = report.payments_missing + report.receipts_missing
    if missing:
        cases.open_case(
            "money_was_missed",
            f"{utcnow():%Y-%m-%dT%H:%M}",
            note=f"{report.payments_missing} payment(s) and {report.receipts_missing} booking(s) "
            "that nobody had told are kept now",
        )


@atomic
def owe() -> None:
    """Owe a comparison: this service is asked for once a day."""
    jobs.ensure([(jobs.Address(RECONCILE, _SUBJECT), _LANE)])


jobs.declare(RECONCILE, jobs.Work(daily, lambda _lane: _LEASE_S, lambda _lane: 1, parks=False))
