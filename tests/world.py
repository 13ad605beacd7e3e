"""An anchor on a sandbox, and the short words in which tests speak of it."""

import json
import threading
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from flask import Flask
from sqlalchemy import select
from stellar_sdk import (
    Asset,
    HashMemo,
    IdMemo,
    Keypair,
    MuxedAccount,
    TextMemo,
    TransactionBuilder,
    TransactionEnvelope,
)

from anchor.config import (
    TESTNET_PASSPHRASE,
    Secret,
    Settings,
)
from anchor.extensions import db, gateway, transaction
from anchor.fees import Fees, FeeSchedule
from anchor.lifecycle import Kind, Status
from anchor.models import Case, History, Memo, Outflow, Payment, Transaction, new_id
from anchor.money import parse_amount
from anchor.policies import AssetPolicy, FlowPolicy, LimitPolicy
from anchor.policies.quotes import OffchainAsset, PairPolicy, QuotePolicy
from anchor.reasons import Reason
from anchor.sandbox.bank import Bank
from anchor.sandbox.ground import CODE, Keys, new_keys
from anchor.sandbox.network import Sandbox
from anchor.services import deposits, jobs, memos, networks, sweeps, withdrawals
from anchor.services.payouts import POLL
from anchor.services.transactions import PAY_OUT, Owner
from anchor.streams.follower import _Reading
from tests import by_hand
from tests.operating import OPERATORS

ACCOUNT = "DE89370400440532013000"
_keys: dict[str, Any] = {}


def settings_for(
    sandbox: Sandbox, database_url: str, broker_url: str | None, issuer: str | None = None
) -> Settings:
    """Return settings of an anchor on `sandbox`, whose accounts are established.

    Its asset is its own, or that of an `issuer`, by the secret key.
    """
    keys = new_keys()
    if issuer is not None:
        keys = replace(keys, issuer=issuer)
    by_hand.established(sandbox, keys)
    return settings_on(sandbox.url, keys, database_url, broker_url)


def settings_on(url: str, keys: Keys, database_url: str, broker_url: str | None) -> Settings:
    """Return settings of an anchor with these keys on the sandbox at `url`."""
    _keys[keys.distribution_id] = keys
    withdrawal = FlowPolicy(
        True,
        parse_amount("1"),
        parse_amount("10000"),
        Fees(FeeSchedule(parse_amount("1"), Decimal("0.5"))),
    )
    policy = AssetPolicy(
        code=CODE,
        issuer=keys.issuer_id,
        distribution=keys.distribution_id,
        rails=("bank",),
        decimals=2,
        matching="exact",
        tolerance=0,
        withdrawal=withdrawal,
        deposit=withdrawal,
        send=FlowPolicy(True),
        currency="USD",
    )
    return Settings(
        public_url="http://localhost",
        home_domains=("localhost", "other.example"),
        web_auth_domain="localhost",
        seps=frozenset({1, 10, 24, 38}),
        network_passphrase=TESTNET_PASSPHRASE,
        horizon_urls=(url,),
        database_url=database_url,
        broker_url=broker_url,
        signing_secret=Secret(keys.signing),
        jwt_secret=Secret("a secret of more than thirty-two bytes"),
        channel_secret=Secret("another secret of more than thirty-two bytes"),
        distribution_secrets={CODE: Secret(keys.distribution)},
        assets={CODE: policy},
        organization={},
        rails={"bank": {"url": f"{url}/bank", "timeout_s": 5}},
        schedule={},
        quotes=quotes_of(CODE),
        rates={"fixed": {f"{CODE}/BRL": "5"}},
        client_domains={"required": False, "allow": [], "deny": []},
        limits=LimitPolicy(0, *[1_000_000] * 6),
        operators=OPERATORS,
        development=True,
        testing=True,
    )


def quotes_of(code: str) -> QuotePolicy:
    """Return what is exchanged: one of the asset is 5 BRL; a withdrawal costs 1 and 1 %."""
    methods = {"bank": "By PIX"}
    return QuotePolicy(
        offchain={"iso4217:BRL": OffchainAsset("iso4217:BRL", 2, ("BR",), methods, methods)},
        pairs=(
            PairPolicy(
                code,
                "iso4217:BRL",
                "fixed",
                Decimal(0),
                deposit=Fees(FeeSchedule(parse_amount("42"))),
                withdrawal=Fees(FeeSchedule(parse_amount("1"), Decimal(1))),
            ),
        ),
    )


def dispose(app: Flask) -> None:
    """Close the connections of an application."""
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@dataclass
class World:
    """An anchor, its network and its bank."""

    app: Flask
    settings: Settings
    sandbox: Sandbox
    bank: Bank
    payer: Keypair = field(default_factory=Keypair.random)
    rung: list[jobs.Address] = field(default_factory=list)

    def __post_init__(self) -> None:
        with self.app.app_context():
            network_id = networks.stamp(gateway(), TESTNET_PASSPHRASE)
            networks.watch(gateway(), network_id, [self.distribution])
        self.network_id = network_id
        self._funded = False

    @property
    def policy(self) -> AssetPolicy:
        return self.settings.assets[CODE]

    @property
    def distribution(self) -> str:
        return self.policy.distribution

    @property
    def asset(self) -> Asset:
        return Asset(CODE, self.policy.issuer)

    # -- what customers do ----------------------------------------------------------------

    def withdrawal(self, amount: str = "100", account: str = ACCOUNT, rail: str = "bank") -> str:
        """Open a withdrawal and complete it; return its id."""
        owner = Owner(self.payer.public_key)
        row_id = withdrawals.open_interactive(owner, self.policy)
        details = {"bank_account_number": account}
        withdrawals.give_details(row_id, parse_amount(amount), rail, details, "form 1")
        return row_id

    def deposit(self, amount: str = "100", rail: str = "bank", **options: Any) -> str:
        """Open a deposit and complete it; return its id."""
        self.fund()
        row_id = deposits.open_interactive(Owner(self.payer.public_key), self.policy, **options)
        deposits.give_details(row_id, parse_amount(amount), rail, {}, "form 1")
        return row_id

    def paid_withdrawal(self, amount: str = "100", **options: str) -> str:
        """Open a withdrawal, pay it on the ledger and read the ledger; return its id."""
        row_id = self.withdrawal(amount, **options)
        self.pay(amount, self.memo(row_id))
        self.read()
        return row_id

    def of_kind(
        self, kind: Kind, status: Status, *, amount: str | None = "100", **more: Any
    ) -> str:
        """Make a transaction of any kind as its door will, with a memo; return its id."""
        with transaction():
            row = Transaction(
                id=new_id(),
                kind=kind,
                flow="send" if kind is Kind.SEND else "programmatic",
                status=status,
                owner_account=self.payer.public_key,
                **{"asset": self.policy.id, "asset_code": CODE, "rail": "bank"} | more,
                amount_expected=parse_amount(amount) if amount else None,
                details={"bank_account_number": ACCOUNT},
            )
            db.session.add(row)
            db.session.flush()
            memos.issue(self.distribution, row.id)
            return row.id

    def create(self, *accounts: str) -> None:
        """Have friendbot create accounts."""
        by_hand.created(self.sandbox, *accounts)

    def fund(self) -> None:
        """Give the payer lumens and plenty of the asset."""
        if self._funded:
            return
        self._funded = True
        self.create(self.payer.public_key)
        issuer = Keypair.from_secret(_keys[self.distribution].issuer)
        builder = self.builder(issuer.public_key)
        builder.append_change_trust_op(self.asset, source=self.payer.public_key)
        builder.append_payment_op(self.payer.public_key, self.asset, "1000000")
        self.submit(builder, issuer, self.payer)

    def pay(
        self,
        amount: str,
        memo: str | None = None,
        *,
        asset: Asset | None = None,
        to: str | MuxedAccount | None = None,
        times: int = 1,
    ) -> str:
        """Pay the distribution account; `memo` as ``id:5``, ``text:5``, or an id."""
        self.fund()
        builder = self.builder(self.payer.public_key)
        for _ in range(times):
            builder.append_payment_op(to or self.distribution, asset or self.asset, amount)
        self.add_memo(builder, memo)
        return self.submit(builder, self.payer)

    @staticmethod
    def add_memo(builder: TransactionBuilder, memo: str | None) -> None:
        kind, _, text = ("id:" + memo if memo and ":" not in memo else memo or "").partition(":")
        if kind == "id":
            builder.add_memo(IdMemo(int(text)))
        elif kind == "text":
            builder.add_memo(TextMemo(text))
        elif kind == "hash":
            builder.add_memo(HashMemo(text))

    def builder(self, source: str | MuxedAccount) -> TransactionBuilder:
        return by_hand.builder(self.sandbox, source)

    def submit(self, builder: TransactionBuilder, *signers: Keypair) -> str:
        envelope = builder.build()
        for signer in signers:
            envelope.sign(signer)
        return self.submit_envelope(envelope)

    def submit_envelope(self, envelope: Any) -> str:
        return by_hand.submitted(self.sandbox, envelope)

    def sandbox_get(self, path: str, **query: str) -> Any:
        import requests

        answer = requests.get(self.sandbox.url + path, params=query, timeout=10)
        answer.raise_for_status()
        return answer.json()

    # -- what the anchor does -------------------------------------------------------------

    def read(self) -> None:
        """Read the ledger to its end, as the stream runner does."""
        for watch in networks.watched():
            leased = networks.lease(watch.id)
            assert leased is not None
            reading = _Reading(leased, lambda _ids: None, threading.Event())
            reading.catch_up(leased.cursor)
            networks.let_go(leased)

    def work(self) -> int:
        """Do what is due of the payouts and polls; return how many jobs ran."""
        return sweeps.work_off([PAY_OUT, POLL]).total

    # -- what is known --------------------------------------------------------------------

    def row(self, row_id: str) -> Transaction:
        with transaction():
            found = db.session.get(Transaction, row_id, populate_existing=True)
        assert found is not None
        return found

    def status(self, row_id: str) -> str:
        return self.row(row_id).status

    def memo(self, row_id: str) -> str:
        with transaction():
            found = db.session.scalar(select(Memo).where(Memo.transaction_id == row_id))
        assert found is not None
        return found.memo

    def payments(self) -> list[Payment]:
        with transaction():
            query = select(Payment).where(Payment.direction == "in").order_by(Payment.id)
            return list(db.session.scalars(query.execution_options(populate_existing=True)))

    def verdicts(self) -> list[str]:
        return [payment.verdict for payment in self.payments()]

    def cases(self) -> list[str]:
        with transaction():
            found = list(db.session.scalars(select(Case.reason).order_by(Case.id)))
        assert set(found) <= set(Reason), found
        return found

    def events(self, row_id: str) -> list[str]:
        with transaction():
            query = select(History.event).where(History.transaction_id == row_id)
            return list(db.session.scalars(query.order_by(History.version)))

    def outflows(self, row_id: str) -> list[Outflow]:
        with transaction():
            query = select(Outflow).where(Outflow.transaction_id == row_id).order_by(Outflow.id)
            return list(db.session.scalars(query.execution_options(populate_existing=True)))

    def paid_by_bank(self) -> int:
        """How many transfers the bank has made."""
        return len(self.bank.transfers)

    def signed_challenge(self, client: Any, keys: Keypair, **query: str) -> str:
        answer = client.get("/auth", query_string={"account": keys.public_key} | query)
        assert answer.status_code == 200, answer.text
        body = json.loads(answer.text)
        envelope = TransactionEnvelope.from_xdr(body["transaction"], TESTNET_PASSPHRASE)
        envelope.sign(keys)
        return envelope.to_xdr()

    def log_in(self, client: Any, keys: Keypair | None = None, **query: str) -> dict[str, str]:
        """Log in and return the headers of a request by that account."""
        keys = keys or self.payer
        signed = self.signed_challenge(client, keys, **query)
        answer = client.post("/auth", json={"transaction": signed})
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json['token']}"}
