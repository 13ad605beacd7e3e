"""Asking a customers plug-in that takes its time: by a job, with no transaction open."""

from anchor.customers.standing import Stand
from anchor.extensions import atomic, db, refuse_inside_transaction
from anchor.integrations.customers import CustomerRecord, Occasion, Undecided, Verdict
from anchor.models import Customer
from anchor.services import customer_standings, customers, jobs, known_customers

#: The kind of its jobs.
JUDGE = customer_standings.JUDGE
_LEASE_MARGIN_S = 30
_SOON_S = 1


def judge(claimed: jobs.Claim) -> None:
    """Have the plug-in judge one customer for one type; the job `JUDGE`.

    What was given meanwhile makes the verdict one about somebody else: it is asked for anew.
    """
    asked = _ask(claimed)
    if asked is None:
        return
    version, record, about = asked
    refuse_inside_transaction()
    verdict = customers.plugin().judge(record, about)
    if not _take(claimed, version, about, verdict):
        raise jobs.Later(_SOON_S, "something was given meanwhile")
    if isinstance(verdict, Undecided) and verdict.ask_in_s is not None:
        raise jobs.Later(verdict.ask_in_s, "the plug-in has not decided")


@atomic
def _ask(claimed: jobs.Claim) -> tuple[int, CustomerRecord, Occasion] | None:
    """Return whom to judge on which occasion; None where nobody waits for that any more."""
    customer_id, _, type_ = claimed.subject_id.partition("/")
    customer = db.session.get(Customer, customer_id, populate_existing=True)
    if customer is None or customer.erased_at:
        return None
    last = known_customers.read(customer_id).standings.get(type_)
    if last is None or last.is_by_hand:
        return None
    about = customer_standings.occasion_of(last)
    if customer_standings.look(customer_id, about).stand is not Stand.PROCESSING:
        return None
    documents = customers.plugin().traits.reads_documents
    return customer.version, customers.record_of(customer, documents=documents), about


@atomic
def _take(claimed: jobs.Claim, version: int, about: Occasion, verdict: Verdict) -> bool:
    jobs.hold(claimed)
    customer_id = claimed.subject_id.partition("/")[0]
    customer = db.session.get(
        Customer, customer_id, populate_existing=True, with_for_update=customers.LOCK
    )
    if customer is None or customer.erased_at:
        return True
    if customer.version != version:
        return False
    last = known_customers.read(customer_id).standings.get(about.type)
    if last is not None and not last.is_by_hand and last.verdict is not Stand.REJECTED:
        customer_standings.decide(customer, about, verdict, customers.plugin().name)
    return True


def _lease_s(_lane: str) -> int:
    return customers.plugin().traits.timeout_s + _LEASE_MARGIN_S


def _ceiling(_lane: str) -> int:
    return customers.plugin().traits.max_in_flight


jobs.declare(JUDGE, jobs.Work(judge, _lease_s, _ceiling))
