"""Two anchors on one network, and the short words in which tests speak of what one sends the other.

Ours sends. Theirs is a whole anchor of this package behind a mask that can make it misbehave.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select, update
from stellar_sdk import AuthorizationFlag, Keypair
from stellar_sdk.operation.set_trust_line_flags import TrustLineFlags
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from anchor import create_app
from anchor.config import Settings
from anchor.extensions import db, transaction
from anchor.models import Case, Posting, Remittance, Transaction
from anchor.money import parse_amount
from anchor.policies import HOUSE, ReceivingAnchor, SendingAnchor, SendPolicy
from anchor.sandbox.bank import Bank
from anchor.sandbox.network import Sandbox
from anchor.services import (
    audits,
    customer_desk,
    deposit_payments,
    refunds,
    remittance_waits,
    remittances,
    sweeps,
)
from anchor.services.payouts import POLL
from anchor.services.refunds import Order
from anchor.services.remittance_orders import Wanted
from anchor.services.transactions import PAY_OUT
from anchor.web_auth.answering import account_of
from tests import knowing
from tests.puppets import due_now
from tests.sending import RULES, TYPES
from tests.world import ACCOUNT, World, _keys, settings_for

DETAILS = {
    "sender": {"first_name": "Ada"},
    "receiver": {"first_name": "Grace", "bank_account_number": ACCOUNT},
}
#: What a mask does with an answer: the method, the path, the status and the object; the same back.
Twist = Callable[[str, str, int, Any], tuple[int, Any]]


@dataclass
class Mask:
    """Stands before an anchor: counts what it is asked, and twists what it answers."""

    app: Any = None
    twist: Twist | None = None
    is_down: bool = False
    asked: list[str] = field(default_factory=list)
    #: A request whose method and path begin so is acted on, and its answer kept back once.
    holds: str | None = None
    is_held: threading.Event = field(default_factory=threading.Event)
    may_go: threading.Event = field(default_factory=threading.Event)

    def hold(self, begins: str) -> None:
        self.is_held.clear()
        self.may_go.clear()
        self.holds = begins

    def __call__(self, environ: Any, start: Any) -> Any:
        request = Request(environ)
        self.asked.append(f"{request.method} {request.path}")
        if self.is_down:
            return Response("", 503)(environ, start)
        response = Response.from_app(self.app, environ)
        if self.holds and self.asked[-1].startswith(self.holds):
            self.holds = None
            self.is_held.set()
            self.may_go.wait(60)
        if self.twist is not None and response.mimetype == "application/json":
            found = json.loads(response.get_data())
            status, body = self.twist(request.method, request.path, response.status_code, found)
            response = Response(json.dumps(body), status, mimetype="application/json")
        return response(environ, start)

    def count(self, begins: str) -> int:
        return sum(each.startswith(begins) for each in self.asked)


@dataclass
class Pair:
    """Our anchor, which sends, and theirs, which receives."""

    ours: World
    theirs: World
    mask: Mask
    domain: str

    # -- what we do -----------------------------------------------------------------------

    def wanted(self, amount: str = "100", **more: Any) -> Wanted:
        usual = {"rail": HOUSE, "details": DETAILS}
        return Wanted(self.domain, parse_amount(amount), **(usual | more))

    def begin(self, amount: str = "100", **more: Any) -> str:
        """Send the house's own money, or what is said otherwise; return the id."""
        wanted = self.wanted(amount, **more)
        return remittances.begin(self.ours.policy, wanted, "an operator")

    def work(self, times: int = 1) -> None:
        """Do what is due of what we send, whatever pause it makes."""
        for _ in range(times):
            due_now()
            sweeps.work_off(remittance_waits.KINDS)

    def paid(self, amount: str = "100", **more: Any) -> str:
        """Send, until the payment is in a ledger; return the id."""
        row_id = self.begin(amount, **more)
        self.until(row_id, "pending_external")
        return row_id

    def until(self, row_id: str, status: str) -> None:
        for _ in range(40):
            self.work()
            if self.ours.status(row_id) == status:
                return
        raise AssertionError(f"it is {self.ours.status(row_id)}: {self.notes()}")

    def known(self, row_id: str) -> Remittance:
        with transaction():
            found = db.session.get(Remittance, row_id, populate_existing=True)
        assert found is not None
        return found

    def details(self, row_id: str) -> Any:
        """What is known of its parties."""
        return remittances.unseal(self.known(row_id))

    def remark(self, row_id: str, message: str) -> None:
        """Let somebody say something of it."""
        with transaction():
            mine = update(Transaction).where(Transaction.id == row_id)
            db.session.execute(mine.values(message=message))

    def notes(self) -> list[tuple[str, str | None, int | None]]:
        with transaction():
            query = select(Case.reason, Case.note, Case.amount_owed).order_by(Case.id)
            return [(row[0], row[1], row[2]) for row in db.session.execute(query)]

    def agree(self) -> None:
        """Say that our books contradict nothing, and sum to zero."""
        assert audits.look() == []
        with transaction():
            assert sum(db.session.scalars(select(Posting.amount))) == 0

    # -- what they do ---------------------------------------------------------------------

    def deliver(self) -> None:
        """Let them read the ledger and pay out what came."""
        with self.theirs.app.app_context():
            self.theirs.read()
            due_now()
            sweeps.work_off([PAY_OUT, POLL])

    def deliver_refused(self) -> None:
        """Let them read the ledger, and send back what came instead of paying it out."""
        with self.theirs.app.app_context():
            self.theirs.read()
            [row] = self.received()
            refunds.begin(Order(refunds.of_transaction(row.id).cause, None, "an operator"))
            for _ in range(20):
                due_now()
                sweeps.work_off([deposit_payments.DRIVE])
                if self.received()[0].status == "refunded":
                    return

    def accept(self) -> None:
        """Let them accept everybody who waits for a person."""
        with self.theirs.app.app_context():
            for line in customer_desk.listing(None, None):
                if line.type == "sep31-receiver" and line.stand == "PROCESSING":
                    customer_desk.accept(line.customer_id, line.type, knowing.BY)

    def received(self) -> list[Transaction]:
        with self.theirs.app.app_context(), transaction():
            query = select(Transaction).order_by(Transaction.started_at)
            return list(db.session.scalars(query.execution_options(populate_existing=True)))

    def delivered(self) -> list[int]:
        """The transfers that their bank made, in cents."""
        return [each.cents for each in self.theirs.bank.transfers.values()]

    def send_back(self, amount: str, memo: str, *, asset: Any = None) -> None:
        """Pay our account from theirs, and let us read that."""
        keys = Keypair.from_secret(_keys[self.theirs.distribution].distribution)
        builder = self.theirs.builder(keys.public_key)
        builder.append_payment_op(self.ours.distribution, asset or self.ours.asset, amount)
        World.add_memo(builder, memo)
        self.theirs.submit(builder, keys)
        self.ours.read()

    def authorize(self, *, authorized: bool) -> None:
        """Let the issuer authorize their account to hold the asset, or take that back."""
        issuer = Keypair.from_secret(_keys[self.theirs.distribution].issuer)
        builder = self.theirs.builder(issuer.public_key)
        if not authorized:
            builder.append_set_options_op(set_flags=AuthorizationFlag(3))
        flag = TrustLineFlags.AUTHORIZED_FLAG
        change = {"set_flags": flag} if authorized else {"clear_flags": flag}
        builder.append_set_trust_line_flags_op(self.theirs.distribution, self.ours.asset, **change)
        self.theirs.submit(builder, issuer)

    def answer(self, changes: Callable[[str, Any], Any], *, of: str) -> None:
        """Change their answers to requests whose method and path begin so."""

        def twist(method: str, path: str, status: int, found: Any) -> tuple[int, Any]:
            if f"{method} {path}".startswith(of):
                return status, changes(path, found)
            return status, found

        self.mask.twist = twist


def receiving(settings: Settings, domain: str, sender: str) -> Settings:
    """Return settings of an anchor at `domain` that takes what `sender` sends; all are accepted."""
    code, policy = next(iter(settings.assets.items()))
    rules = RULES.replace('verdict = "manual"', 'verdict = "automatic"')
    return replace(
        knowing.knowing(settings, customers=knowing.policy(rules)),
        public_url=f"http://{domain}",
        home_domains=(domain,),
        web_auth_domain=domain,
        assets={code: replace(policy, sends=SendPolicy(**TYPES))},
        seps=frozenset({1, 10, 12, 31, 38}),
        sending_anchors={sender: SendingAnchor("ours", (sender,))},
    )


@contextmanager
def served(mask: Mask) -> Iterator[str]:
    """Let a mask answer on a port of its own; its domain."""
    with make_server("127.0.0.1", 0, mask, threaded=True) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"localhost:{server.server_port}"
        finally:
            mask.may_go.set()
            server.shutdown()
            thread.join()


@contextmanager
def paired(
    sandbox: Sandbox, bank: Bank, our_database: str, their_database: str, cap: str = "1000"
) -> Iterator[Pair]:
    """Two anchors with one asset; theirs answers on a port of its own."""
    mask = Mask()
    with served(mask) as domain:
        settings = settings_for(sandbox, our_database, None)
        ours = replace(
            settings,
            broker_url=None,
            customer_keys=knowing.KEYS,
            receiving_anchors={domain: ReceivingAnchor(domain, parse_amount(cap))},
        )
        issuer = _keys[next(iter(settings.assets.values())).distribution].issuer
        theirs = receiving(
            settings_for(sandbox, their_database, None, issuer),
            domain,
            account_of(settings.signing_secret),
        )
        their_world = World(create_app(theirs), theirs, sandbox, bank)
        mask.app = their_world.app
        our_world = World(create_app(ours), ours, sandbox, bank)
        with our_world.app.app_context():
            yield Pair(our_world, their_world, mask, domain)
