"""Custody: who signs for the anchor's accounts, and who is asked to pay from them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import EntryPoint
from typing import Any
from uuid import uuid4

import pytest

from anchor.config import TESTNET_PASSPHRASE, Secret
from anchor.errors import Misconfigured
from anchor.integrations import registry
from anchor.integrations.custody import (
    Custodian,
    CustodyOrder,
    CustodyOutcome,
    Declined,
    KeyHolder,
    Paid,
    Sent,
    Signed,
    Signer,
    SigningAnswer,
    SigningRequest,
    Unknown,
)
from anchor.integrations.local_keys import LocalKeys
from anchor.integrations.testing import CustodianContract, SignerContract
from anchor.ledger import envelopes
from anchor.ledger.keys import channel_keys, sign
from anchor.ledger.orders import Unsigned
from anchor.sandbox.network import Sandbox
from tests.custodian import Vault, VaultPlugin, VaultSigner
from tests.ledger.chain import Chain

FIRST, SECOND, THIRD = (channel_keys("custody tests", number) for number in range(3))


@pytest.fixture
def vault() -> Iterator[Vault]:
    """A remote custodian beside a network of its own."""
    made = Vault()
    with Sandbox(close_every_s=1, close_on_submit=True, mounts={"/vault": made}) as running:
        made.chain = Chain(running)
        yield made


def url_of(vault: Vault) -> dict[str, str]:
    assert vault.chain
    return {"url": f"{vault.chain.sandbox.url}/vault"}


# -- the contract -----------------------------------------------------------------------------


class TestLocalKeys(SignerContract):
    """The built-in one."""

    def signer(self) -> Signer:
        return LocalKeys("local", {}, {FIRST.account: FIRST.secret})

    def account(self) -> str:
        return FIRST.account


class TestASignerThatIsAskedAgain(SignerContract):
    """A remote one, where two people have to agree first."""

    @pytest.fixture(autouse=True)
    def _remote(self, vault: Vault) -> None:
        self.vault = vault
        vault.approvals = 2

    def signer(self) -> Signer:
        return VaultSigner("vault", url_of(self.vault))

    def account(self) -> str:
        assert self.vault.chain
        return self.vault.chain.treasury


class RemoteCustodian(CustodianContract):
    """One that is asked over HTTP and pays on the sandbox."""

    __test__ = False
    knobs: dict[str, int] = {}

    @pytest.fixture(autouse=True)
    def _remote(self, vault: Vault) -> None:
        self.vault = vault
        for name, value in self.knobs.items():
            setattr(vault, name, value)

    def custodian(self) -> Custodian:
        return VaultPlugin("vault", url_of(self.vault))

    def order(self) -> CustodyOrder:
        return order_of(self.vault)

    def times_paid(self, order: CustodyOrder) -> int:
        assert self.vault.chain
        arrived = self.vault.chain.gateway.payments_page(order.destination, "0").payments
        return len([each for each in arrived if each.type == "payment"])


class TestACustodianThatPaysAtOnce(RemoteCustodian):
    """It says so in its answer."""

    __test__ = True


class TestACustodianThatAnswersLate(RemoteCustodian):
    """It takes an order, and carries it out when it has been asked three times."""

    __test__ = True
    knobs = {"late": 3}


class TestACustodianWhoseAnswerIsLost(RemoteCustodian):
    """It pays, and nobody hears of it but who looks it up."""

    __test__ = True
    knobs = {"lost": 2}


class TestACustodianThatNeverHeardOfIt(RemoteCustodian):
    """The order does not arrive, and the answer looks the same as a lost one."""

    __test__ = True
    knobs = {"dropped": 2}


def order_of(vault: Vault, **more: Any) -> CustodyOrder:
    """An order of the treasury for an account that nobody else pays."""
    assert vault.chain
    order = CustodyOrder(
        key=f"{uuid4()}-1",
        transaction_id="t",
        source=vault.chain.treasury,
        form="payment",
        destination=vault.chain.account(),
        asset="native",
        amount=Decimal("1.5"),
        started_at=datetime.now(UTC),
    )
    return replace(order, **more)


@dataclass
class Careless(VaultPlugin):
    """Gives the custodian a key of its own each time: a repeat pays again."""

    def send(self, order: CustodyOrder) -> CustodyOutcome:
        return super().send(replace(order, key=str(uuid4())))


@dataclass
class Credulous(LocalKeys):
    """Signs whatever hash it is shown."""

    def sign(self, request: SigningRequest) -> SigningAnswer:
        return Signed((sign(self.keys[FIRST.account], bytes.fromhex(request.hash)),))


def test_the_contract_finds_a_custodian_that_pays_twice(vault: Vault) -> None:
    class Tried(TestACustodianThatPaysAtOnce):
        def custodian(self) -> Custodian:
            return Careless("careless", url_of(vault))

    tried = Tried()
    tried.vault = vault
    tried.test_an_order_is_carried_out_once()
    with pytest.raises(AssertionError):
        tried.test_the_same_key_again_moves_nothing_more()
    with pytest.raises(AssertionError):
        tried.test_the_same_key_at_once_moves_money_once()


def test_the_contract_finds_a_signer_that_signs_whatever_it_is_shown() -> None:
    class Tried(TestLocalKeys):
        def signer(self) -> Signer:
            return Credulous("credulous", {}, {FIRST.account: FIRST.secret})

    Tried().test_it_signs_the_envelope()
    for test in (
        Tried().test_it_is_not_lied_to_about_the_hash,
        Tried().test_it_signs_for_nobody_else,
    ):
        with pytest.raises(AssertionError):
            test()


# -- a custodian in words ---------------------------------------------------------------------


def test_promise_07_an_answer_that_is_lost_is_unknown_and_found_by_its_key(vault: Vault) -> None:
    vault.lost = 1
    plugin, order = VaultPlugin("vault", url_of(vault)), order_of(vault)
    assert isinstance(plugin.send(order), Unknown)
    found = plugin.find(order)
    assert isinstance(found, Paid)
    assert plugin.send(order) == found, "the second answer is the first"


def test_a_late_custodian_has_taken_the_order_before_it_is_paid(vault: Vault) -> None:
    vault.late = 2
    plugin, order = VaultPlugin("vault", url_of(vault)), order_of(vault)
    sent = plugin.send(order)
    assert isinstance(sent, Sent)
    assert isinstance(plugin.poll([order])[order.key], Sent)
    assert isinstance(plugin.poll([order])[order.key], Paid)


def test_a_custodian_says_by_name_what_the_ledger_said(vault: Vault) -> None:
    assert vault.chain
    plugin = VaultPlugin("vault", url_of(vault))
    declined = plugin.send(order_of(vault, asset=vault.chain.asset))
    assert declined == Declined("the ledger refused it", "op_no_trust")


# -- local keys -------------------------------------------------------------------------------


def request_of(unsigned: Unsigned, *accounts: str) -> SigningRequest:
    return SigningRequest(
        key="t-1",
        transaction_id="t",
        envelope_xdr=unsigned.envelope_xdr,
        hash=unsigned.hash,
        network_passphrase=TESTNET_PASSPHRASE,
        accounts=accounts,
        valid_until=datetime.now(UTC),
    )


def test_what_local_keys_sign_the_ledger_takes(sandbox: Sandbox) -> None:
    chain = Chain(sandbox)
    channel = chain.account()
    known = {account: Secret(chain.keys[account].secret) for account in (channel, chain.treasury)}
    custody = LocalKeys("local", {}, known)
    unsigned = chain.build(chain.pay(chain.issuer), channel=channel)
    answer = custody.sign(request_of(unsigned, *unsigned.sources))
    assert isinstance(answer, Signed)
    signed = envelopes.add_signatures(unsigned.envelope_xdr, answer.signatures, TESTNET_PASSPHRASE)
    assert chain.gateway.submit(signed).hash == unsigned.hash


def test_local_keys_sign_what_they_can_and_leave_the_rest_to_others() -> None:
    custody = LocalKeys("local", {}, {FIRST.account: FIRST.secret, SECOND.account: FIRST.secret})
    order = envelopes.LedgerOrder("payment", THIRD.account, "native", 1)
    unsigned = envelopes.build(
        FIRST.account,
        1,
        THIRD.account,
        [order],
        fee_per_operation=100,
        max_time=1,
        passphrase=TESTNET_PASSPHRASE,
    )
    answer = custody.sign(request_of(unsigned, FIRST.account, SECOND.account, THIRD.account))
    assert isinstance(answer, Signed)
    assert [signature.key for signature in answer.signatures] == [FIRST.account]
    assert isinstance(custody.sign(request_of(unsigned, THIRD.account)), Declined)
    other = replace(request_of(unsigned, FIRST.account), hash="ab" * 32)
    assert isinstance(custody.sign(other), Declined)
    assert custody.check() == f"signs for 2 accounts, by another key for {SECOND.account}"


def test_promise_15_local_keys_show_no_secret() -> None:
    custody = LocalKeys("local", {}, {FIRST.account: FIRST.secret})
    assert FIRST.secret not in repr(custody) + str(custody)
    broken = FIRST.secret[:-1]
    for options, keys in (({}, {FIRST.account: broken}), ({"seed": broken}, {})):
        with pytest.raises(ValueError, match=r"option|secret") as caught:
            LocalKeys("local", options, keys)
        assert broken not in str(caught.value)


# -- finding them -----------------------------------------------------------------------------


def test_the_built_in_custody_is_found_and_gets_the_keys() -> None:
    found = registry.load_custody(["local"], {}, {FIRST.account: FIRST.secret})
    assert isinstance(found["local"], LocalKeys)
    assert found["local"].keys == {FIRST.account: FIRST.secret}
    assert [name for name, _, _ in registry.available(registry.CUSTODY)] == ["local"]


def test_promise_15_somebody_elses_custody_never_sees_a_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    point = EntryPoint("vault", "tests.custodian:VaultPlugin", registry.CUSTODY)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    found = registry.load_custody(
        ["vault"], {"vault": {"url": "http://x"}}, {FIRST.account: FIRST.secret}
    )["vault"]
    assert not isinstance(found, KeyHolder)
    assert vars(found) == {"name": "vault", "options": {"url": "http://x"}}


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([], "is not installed"),
        (["tests.custodian:VaultPlugin", "other:Thing"], "registered twice"),
        (["no_such_module:Thing"], "cannot be imported"),
        (["anchor.integrations.bank:SimulatedBankRail"], "is not a Signer or a Custodian"),
        (["anchor.integrations.custody:Custody"], "is not a Signer or a Custodian"),
        (["anchor.integrations.custody:Custodian"], "refuses its options"),
    ],
)
def test_a_broken_custody_stops_the_start(
    points: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [EntryPoint("odd", value, registry.CUSTODY) for value in points]
    monkeypatch.setattr(registry, "entry_points", lambda group: made)
    with pytest.raises(Misconfigured, match=said) as caught:
        registry.load_custody(["odd"], {}, {})
    assert "The custody odd" in str(caught.value)


def test_promise_15_a_custody_that_refuses_its_keys_does_not_show_them() -> None:
    broken = Secret(FIRST.secret[:-1])
    with pytest.raises(Misconfigured) as caught:
        registry.load_custody(["local"], {}, {FIRST.account: broken})
    assert FIRST.account in str(caught.value)
    assert broken not in str(caught.value)
