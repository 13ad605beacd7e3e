"""Contract tests that a custody or customers plug-in is run against, without an anchor.

Subclass `SignerContract`, `CustodianContract` or `CustomersContract` in a test module of yours,
say how to make the plug-in, and let pytest (or anything that calls methods named ``test_…``)
run it. What is tested is what the anchor relies on: see `docs/reference/custody.md` and
`docs/reference/customers.md`. A custodian is tried for what its traits promise and for
nothing else.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import sleep
from uuid import uuid4

from anchor.customers.fields import FIELDS, NEVER_KEPT
from anchor.customers.fields import TYPES as FIELD_TYPES
from anchor.errors import Rejected
from anchor.integrations.custody import (
    Custodian,
    CustodyOrder,
    CustodyOutcome,
    Declined,
    Later,
    Paid,
    Sent,
    Signed,
    Signer,
    SigningAnswer,
    SigningRequest,
    Unknown,
)
from anchor.integrations.customers import (
    Accepted,
    Corrections,
    CustomerRecord,
    CustomersIntegration,
    Occasion,
    Refused,
    Undecided,
)
from anchor.ledger import envelopes
from anchor.ledger.keys import channel_keys, is_signed
from anchor.ledger.orders import LedgerOrder

PASSPHRASE = "Standalone Network ; February 2017"
_STRANGER, _CHANNEL = (channel_keys("a contract test", number).account for number in (0, 1))
_BEYOND_EVERY_PLUGIN = "no form of order"


class SignerContract:
    """What every `Signer` has to keep. Override `signer` and `account`, at least."""

    #: How often a request is made again, and how long after, until somebody agreed.
    patience = 50
    pause_ms = 20

    def signer(self) -> Signer:
        """Make the signer."""
        raise NotImplementedError

    def account(self) -> str:
        """Return an account (``G…``) that it signs for."""
        raise NotImplementedError

    def agree(self, request: SigningRequest) -> None:
        """Let whoever has to agree to `request` do so, where somebody has to."""

    def test_it_signs_the_envelope(self) -> None:
        """Whatever comes, and however late, is a signature of the envelope."""
        request = self._request(self.account())
        for signature in self._signed(self.signer(), request).signatures:
            assert is_signed(signature, bytes.fromhex(request.hash)), signature.key
            envelopes.add_signatures(request.envelope_xdr, [signature], PASSPHRASE)

    def test_it_can_be_asked_again(self) -> None:
        """The same request again, also to another process, is signed again."""
        request = self._request(self.account())
        first = self._signed(self.signer(), request)
        again = self._signed(self.signer(), request)
        assert {s.key for s in first.signatures} == {s.key for s in again.signatures}

    def test_it_signs_for_nobody_else(self) -> None:
        """For an account that is not its own it gives no signature."""
        answer = _sign(self.signer(), self._request(_STRANGER))
        assert isinstance(answer, Declined), "it has to decline"

    def test_it_is_not_lied_to_about_the_hash(self) -> None:
        """Beside a hash that is not the envelope's, that hash stays unsigned."""
        lie = "ab" * 32
        request = replace(self._request(self.account()), hash=lie)
        self.agree(request)
        answer = _sign(self.signer(), request)
        found = answer.signatures if isinstance(answer, Signed) else ()
        assert not any(is_signed(signature, bytes.fromhex(lie)) for signature in found)

    def test_it_checks_itself_with_a_sentence(self) -> None:
        """`flask anchor doctor` shows one sentence."""
        assert self.signer().check().strip()

    def _request(self, account: str) -> SigningRequest:
        valid_until = datetime.now(UTC) + timedelta(hours=1)
        order = LedgerOrder("payment", _STRANGER, "native", 1)
        unsigned = envelopes.build(
            _CHANNEL,
            1,
            account,
            [order],
            fee_per_operation=100,
            max_time=int(valid_until.timestamp()),
            passphrase=PASSPHRASE,
        )
        key = f"contract-{uuid4()}"
        return SigningRequest(
            key=f"{key}-1",
            transaction_id=key,
            envelope_xdr=unsigned.envelope_xdr,
            hash=unsigned.hash,
            network_passphrase=PASSPHRASE,
            accounts=(account,),
            valid_until=valid_until,
        )

    def _signed(self, signer: Signer, request: SigningRequest) -> Signed:
        for _ in range(self.patience):
            answer = signer.sign(request)
            if isinstance(answer, Signed):
                assert answer.signatures, "signed, and no signature"
                return answer
            assert isinstance(answer, Later), f"no signature for its own account: {answer}"
            self.agree(request)
            sleep(self.pause_ms / 1000)
        raise AssertionError("nobody agreed in time")


class CustodianContract:
    """What every `Custodian` has to keep. Override the first three, at least."""

    #: How often an order is looked up, and how long after, until it is final.
    patience = 50
    pause_ms = 20

    def custodian(self) -> Custodian:
        """Make the custodian."""
        raise NotImplementedError

    def order(self) -> CustodyOrder:
        """Return an order that can be carried out, with a key of its own each time."""
        raise NotImplementedError

    def times_paid(self, order: CustodyOrder) -> int:
        """Tell how often the ledger shows that `order` was carried out."""
        raise NotImplementedError

    def test_an_order_is_carried_out_once(self) -> None:
        """Sent once it is paid once, and the hash is one that a ledger can have."""
        order = self.order()
        outcome = self._settled(order)
        assert len(bytes.fromhex(outcome.transaction_hash)) == 32
        assert outcome.transaction_hash == outcome.transaction_hash.lower()
        assert self.times_paid(order) == 1

    def test_the_same_key_again_moves_nothing_more(self) -> None:
        """A repeat, after whatever answer, is the same order (`idempotent_for`)."""
        if self.custodian().traits.idempotent_for is None:
            return
        order = self.order()
        first = self._settled(order)
        for _ in range(3):
            again = _send(self.custodian(), order)
            assert not isinstance(again, Declined), "it has paid, and now it says no"
        assert self._settled(order).transaction_hash == first.transaction_hash
        assert self.times_paid(order) == 1

    def test_the_same_key_at_once_moves_money_once(self) -> None:
        """Two processes may send the same order at the same time (`idempotent_for`)."""
        if self.custodian().traits.idempotent_for is None:
            return
        order, custodian = self.order(), self.custodian()
        with ThreadPoolExecutor(4) as pool:
            for each in [pool.submit(_send, custodian, order) for _ in range(4)]:
                assert not isinstance(each.result(), Declined)
        self._settled(order)
        assert self.times_paid(order) == 1

    def test_another_key_is_another_order(self) -> None:
        """Two orders that look alike are both paid."""
        first = self.order()
        second = replace(first, key=self.order().key)
        hashes = {self._settled(order).transaction_hash for order in (first, second)}
        assert len(hashes) == 2

    def test_a_key_that_was_never_sent_is_not_found(self) -> None:
        """None, and nothing else, means that the custodian does not know it."""
        if self.custodian().traits.can_look_up:
            assert self.custodian().find(self.order()) is None

    def test_what_is_final_stays_final(self) -> None:
        """Looked up again it says the same, for ever."""
        custodian, order = self.custodian(), self.order()
        first = self._settled(order)
        if custodian.traits.can_look_up:
            assert [custodian.find(order) for _ in range(3)] == [first] * 3

    def test_what_it_cannot_do_it_declines(self) -> None:
        """A form of order that its traits do not have is finally refused."""
        order = replace(self.order(), form=_BEYOND_EVERY_PLUGIN)
        for _ in range(self.patience):
            outcome = _send(self.custodian(), order)
            if not isinstance(outcome, Unknown):
                break
        assert isinstance(outcome, Declined), f"it did not decline: {outcome}"
        assert self.times_paid(order) == 0

    def test_a_poll_speaks_of_what_it_was_asked(self) -> None:
        """Keys that were not asked about do not appear."""
        asked = [self.order(), self.order()]
        for order in asked:
            _send(self.custodian(), order)
        assert set(self.custodian().poll(asked[:1])) <= {asked[0].key}

    def test_it_checks_itself_with_a_sentence(self) -> None:
        """`flask anchor doctor` shows one sentence."""
        assert self.custodian().check().strip()

    def _settled(self, order: CustodyOrder) -> Paid:
        """Send an order, and ask about it as the anchor does until it is paid."""
        custodian = self.custodian()
        outcome = _send(custodian, order)
        for _ in range(self.patience):
            if isinstance(outcome, Paid):
                return outcome
            assert not isinstance(outcome, Declined), f"it declined: {outcome}"
            sleep(self.pause_ms / 1000)
            if isinstance(outcome, Sent):
                order = replace(order, reference=outcome.reference or order.reference)
            outcome = self._heard(custodian, order) or outcome
        raise AssertionError(f"not final in time: {outcome}")

    def _heard(self, custodian: Custodian, order: CustodyOrder) -> CustodyOutcome | None:
        if custodian.traits.can_look_up:
            found = custodian.find(order)
            if found is None and custodian.traits.idempotent_for is not None:
                return _send(custodian, order)
            return found
        return custodian.poll([order]).get(order.key)


class CustomersContract:
    """What every `CustomersIntegration` has to keep. Override the first two, at least."""

    def customers(self) -> CustomersIntegration:
        """Make the plug-in."""
        raise NotImplementedError

    def record(self, type_: str) -> CustomerRecord:
        """Return a customer of a type who has given all that is required."""
        raise NotImplementedError

    def test_it_knows_types_and_each_once(self) -> None:
        """There is one that is meant where a wallet names none."""
        types = list(self.customers().types())
        assert types
        assert len(types) == len(set(types))

    def test_what_it_asks_can_be_told_to_a_wallet(self) -> None:
        """Each need has a type and a description; standard fields have their own type."""
        for occasion in self._occasions():
            for need in self.customers().needs(occasion):
                assert need.type in FIELD_TYPES, need.name
                assert need.description.strip(), need.name
                assert need.name not in NEVER_KEPT, need.name
                assert need.name not in FIELDS or FIELDS[need.name].type == need.type, need.name

    def test_it_asks_the_same_again(self) -> None:
        """The same occasion calls for the same."""
        for occasion in self._occasions():
            first, second = (list(self.customers().needs(occasion)) for _ in range(2))
            assert first == second

    def test_its_verdicts_are_ones_that_the_anchor_knows(self) -> None:
        """Asked twice or at once, it judges, and corrects only what can be given."""
        for occasion in self._occasions():
            record, plugin = self.record(occasion.type), self.customers()
            with ThreadPoolExecutor(4) as pool:
                asked = [pool.submit(plugin.judge, record, occasion) for _ in range(4)]
            for verdict in [each.result() for each in asked]:
                assert isinstance(verdict, Accepted | Refused | Corrections | Undecided)
                names = {need.name for need in plugin.needs(occasion)} | FIELDS.keys()
                if isinstance(verdict, Corrections):
                    assert verdict.fields
                    assert verdict.fields.keys() <= names
                    assert all(error.strip() for error in verdict.fields.values())
                if isinstance(verdict, Refused):
                    assert verdict.message.strip()

    def test_it_checks_itself_with_a_sentence(self) -> None:
        """`flask anchor doctor` shows one sentence."""
        assert self.customers().check().strip()

    def _occasions(self) -> list[Occasion]:
        """Return each type without a transaction, and with a small and a large one."""
        amounts = (None, Decimal("0.01"), Decimal(1_000_000))
        return [
            Occasion(type_, amount=amount)
            for type_ in self.customers().types()
            for amount in amounts
        ]


def _sign(signer: Signer, request: SigningRequest) -> SigningAnswer:
    """Ask as the anchor does: `Rejected` is a final no."""
    try:
        return signer.sign(request)
    except Rejected as error:
        return Declined(str(error))


def _send(custodian: Custodian, order: CustodyOrder) -> CustodyOutcome:
    """Send as the anchor does: `Rejected` is a final no, any other exception tells nothing."""
    try:
        return custodian.send(order)
    except Rejected as error:
        return Declined(str(error))
    except Exception as error:
        return Unknown(f"{type(error).__name__}: {error}")
