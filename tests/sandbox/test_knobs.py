"""The sandbox misbehaves exactly as it was told to, and is right again afterwards."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from stellar_sdk import Account, Asset, Keypair, TransactionBuilder, TransactionEnvelope

from anchor.sandbox.network import Sandbox


@dataclass
class Place:
    """A sandbox seen from outside, with two accounts."""

    sandbox: Sandbox
    alice: Keypair
    bob: Keypair

    def knob(self, name: str, **body: object) -> requests.Response:
        return requests.post(f"{self.sandbox.url}/sandbox/{name}", json=body, timeout=10)

    def turn(self, name: str, **body: object) -> dict[str, int]:
        response = self.knob(name, **body)
        response.raise_for_status()
        answer: dict[str, int] = response.json()
        return answer

    def get(self, path: str) -> requests.Response:
        return requests.get(self.sandbox.url + path, timeout=10)

    def payment(self, amount: str = "1", *, fee: int = 100, ahead: int = 0) -> TransactionEnvelope:
        sequence = int(self.get(f"/accounts/{self.alice.public_key}").json()["sequence"])
        source = Account(self.alice.public_key, sequence + ahead)
        builder = TransactionBuilder(source, self.sandbox.network.passphrase, fee)
        builder.append_payment_op(self.bob.public_key, Asset.native(), amount)
        envelope = builder.set_timeout(60).build()
        envelope.sign(self.alice)
        return envelope

    def submit(self, envelope: TransactionEnvelope, path: str = "") -> requests.Response:
        data = {"tx": envelope.to_xdr()}
        return requests.post(f"{self.sandbox.url}/transactions{path}", data=data, timeout=10)

    def is_applied(self, envelope: TransactionEnvelope) -> bool:
        while self.sandbox.network.waiting:
            with self.sandbox.network.lock:
                self.sandbox.network.changed.wait(0.1)
        return self.get(f"/transactions/{envelope.hash_hex()}").status_code == 200

    def received(self) -> list[str]:
        page = self.get(f"/accounts/{self.bob.public_key}/payments?limit=200").json()
        return [each["amount"] for each in page["_embedded"]["records"] if "amount" in each]

    def stream(self, limit: int, cursor: str = "now") -> Iterator[dict[str, Any]]:
        """The events of one connection, without hello and byebye."""
        path = f"/accounts/{self.bob.public_key}/payments?cursor={cursor}&limit={limit}"
        headers = {"Accept": "text/event-stream"}
        with requests.get(
            self.sandbox.url + path, headers=headers, stream=True, timeout=10
        ) as response:
            for line in response.iter_lines():
                if line.startswith(b"data: {"):
                    yield json.loads(line[6:])


@pytest.fixture
def place() -> Iterator[Place]:
    with Sandbox(close_every_s=0, close_on_submit=True, stream_s=5, submit_s=0.3) as sandbox:
        place = Place(sandbox, Keypair.random(), Keypair.random())
        for keypair in (place.alice, place.bob):
            assert place.get(f"/friendbot?addr={keypair.public_key}").status_code == 200
        yield place


@pytest.mark.parametrize(
    ("answer", "status", "applied"),
    [
        ("504-applied", 504, True),
        ("504-lost", 504, False),
        ("503", 503, False),
        ("503-stale", 503, False),
        ("429", 429, False),
        ("500", 500, False),
    ],
)
def test_a_submission_gets_the_wrong_answer_once(
    place: Place, answer: str, status: int, applied: bool
) -> None:
    place.turn("misbehave", answer=answer)
    envelope = place.payment()
    response = place.submit(envelope)
    assert response.status_code == response.json()["status"] == status
    assert place.is_applied(envelope) is applied
    assert place.submit(envelope).status_code == 200
    assert place.received() == ["1.0000000"]


def test_a_time_out_names_the_hash_to_look_for(place: Place) -> None:
    place.turn("misbehave", answer="504-lost")
    envelope = place.payment()
    extras = place.submit(envelope).json()["extras"]
    assert extras == {"hash": envelope.hash_hex(), "envelope_xdr": envelope.to_xdr()}


@pytest.mark.parametrize(("answer", "applied"), [("cut-applied", True), ("cut-lost", False)])
def test_a_connection_is_cut_without_an_answer(place: Place, answer: str, applied: bool) -> None:
    place.turn("misbehave", answer=answer)
    envelope = place.payment()
    with pytest.raises(requests.ConnectionError):
        place.submit(envelope)
    assert place.is_applied(envelope) is applied


def test_a_bad_sequence_is_told_once_although_nothing_is_wrong(place: Place) -> None:
    place.turn("misbehave", answer="bad-seq")
    envelope = place.payment()
    response = place.submit(envelope)
    assert response.status_code == 400
    assert response.json()["extras"]["result_codes"] == {"transaction": "tx_bad_seq"}
    assert not place.is_applied(envelope)
    assert place.submit(envelope).status_code == 200


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        ("tx_internal_error", {"transaction": "tx_internal_error"}),
        ("op_no_issuer", {"transaction": "tx_failed", "operations": ["op_no_issuer"]}),
    ],
)
def test_a_submission_is_refused_with_any_result_code_and_not_taken(
    place: Place, answer: str, codes: dict[str, object]
) -> None:
    place.turn("misbehave", answer=answer, times=2)
    envelope = place.payment()
    assert place.submit(envelope).json()["extras"]["result_codes"] == codes
    assert place.submit(envelope, "_async").json()["tx_status"] == "ERROR"
    assert not place.is_applied(envelope)


def test_misbehaviour_is_called_off(place: Place) -> None:
    place.turn("misbehave", answer="503", times=9)
    place.turn("misbehave", answer="503", get="/", times=9)
    place.turn("behave")
    assert place.submit(place.payment()).status_code == 200


def test_asynchronous_submissions_get_wrong_answers_too(place: Place) -> None:
    for answer in ("bad-seq", "try-again-later", "503"):
        place.turn("misbehave", answer=answer)
    envelope = place.payment()
    answers = [place.submit(envelope, "_async") for _ in range(4)]
    assert [each.status_code for each in answers] == [400, 503, 503, 201]
    words = [each.json().get("tx_status") for each in answers]
    assert words == ["ERROR", "TRY_AGAIN_LATER", None, "PENDING"]
    assert place.is_applied(envelope)


def test_a_synchronous_submission_that_should_come_again_later_times_out(place: Place) -> None:
    place.turn("misbehave", answer="try-again-later")
    envelope = place.payment()
    assert place.submit(envelope).status_code == 504
    assert not place.is_applied(envelope)


def test_misbehaviour_lasts_as_long_as_it_was_asked_for(place: Place) -> None:
    place.turn("misbehave", answer="503", times=2)
    envelope = place.payment()
    assert [place.submit(envelope).status_code for _ in range(3)] == [503, 503, 200]


@pytest.mark.parametrize(
    ("answer", "status"),
    [("503", 503), ("503-stale", 503), ("429", 429), ("500", 500), ("504", 504)],
)
def test_a_get_below_a_path_gets_the_wrong_answer_once(
    place: Place, answer: str, status: int
) -> None:
    place.turn("misbehave", answer=answer, get="/accounts")
    path = f"/accounts/{place.alice.public_key}"
    assert place.get("/fee_stats").status_code == 200
    assert place.get(path).status_code == status
    assert place.get(path).status_code == 200


def test_a_get_is_cut_without_an_answer(place: Place) -> None:
    place.turn("misbehave", answer="cut", get="/ledgers")
    with pytest.raises(requests.ConnectionError):
        place.get("/ledgers")
    assert place.get("/ledgers").status_code == 200


def test_a_stream_may_be_refused_when_it_is_opened(place: Place) -> None:
    place.turn("misbehave", answer="429", get="/payments")
    headers = {"Accept": "text/event-stream"}
    url = f"{place.sandbox.url}/payments?cursor=0&limit=1"
    answers = [requests.get(url, headers=headers, timeout=10) for _ in range(2)]
    assert [each.status_code for each in answers] == [429, 200]


def test_events_are_sent_twice(place: Place) -> None:
    place.turn("streams", fault="repeat", times=1)
    for amount in ("1", "2"):
        place.submit(place.payment(amount))
    amounts = [each.get("amount") for each in place.stream(3, cursor="0")]
    assert amounts == [None, None, "1.0000000", "2.0000000"]


def test_events_come_in_the_wrong_order_and_none_is_lost(place: Place) -> None:
    for amount in ("1", "2"):
        place.submit(place.payment(amount))
    place.turn("streams", fault="reorder")
    told = [[each.get("amount") for each in place.stream(3, cursor="0")] for _ in range(2)]
    assert told == [["2.0000000", "1.0000000", None], [None, "1.0000000", "2.0000000"]]


def test_a_stalled_stream_stays_open_and_silent_and_then_goes_on(place: Place) -> None:
    place.turn("streams", fault="stall", seconds=60)
    seen: list[str] = []
    listening = threading.Thread(
        target=lambda: seen.extend(each["amount"] for each in place.stream(1))
    )
    listening.start()
    place.submit(place.payment("1"))
    listening.join(0.3)
    assert (listening.is_alive(), seen) == (True, [])
    place.turn("streams", fault="stall", seconds=0)
    place.submit(place.payment("2"))
    listening.join(5)
    assert seen in (["1.0000000"], ["2.0000000"])


def test_a_stream_ends_with_an_error_and_goes_on_when_it_is_opened_again(place: Place) -> None:
    place.submit(place.payment("1"))
    place.turn("streams", fault="error")
    url = f"{place.sandbox.url}/accounts/{place.bob.public_key}/payments?limit=2"
    headers = {"Accept": "text/event-stream"}
    failed = requests.get(url, headers=headers, timeout=10).text
    assert failed.endswith('"hello"\n\nevent: error\ndata: Unexpected stream error\n\n')
    assert requests.get(url, headers=headers, timeout=10).text.endswith('"byebye"\n\n')


def test_open_streams_end_with_a_goodbye_before_their_time(place: Place) -> None:
    url = f"{place.sandbox.url}/payments?cursor=now"
    headers = {"Accept": "text/event-stream"}
    with requests.get(url, headers=headers, stream=True, timeout=10) as response:
        lines = response.iter_lines()
        assert next(lines) == b"retry: 1000"
        place.turn("end-streams")
        assert list(lines)[-2] == b'data: "byebye"'


def test_open_streams_are_dropped_without_a_goodbye(place: Place) -> None:
    url = f"{place.sandbox.url}/payments?cursor=now"
    headers = {"Accept": "text/event-stream"}
    with requests.get(url, headers=headers, stream=True, timeout=10) as response:
        lines = response.iter_lines()
        assert next(lines) == b"retry: 1000"
        place.turn("drop-streams")
        with pytest.raises(requests.RequestException):
            assert b"byebye" not in b"".join(lines)


def test_a_frozen_horizon_shows_nothing_new_until_it_thaws(place: Place) -> None:
    place.turn("freeze")
    envelope = place.payment()
    assert place.submit(envelope).status_code == 504
    assert not place.is_applied(envelope)
    assert place.received() == []
    numbers = place.turn("close")
    assert numbers["core_latest_ledger"] > numbers["history_latest_ledger"]
    place.turn("thaw")
    assert place.is_applied(envelope)
    assert place.received() == ["1.0000000"]
    assert place.submit(envelope).status_code == 200


def test_a_raised_base_fee_is_asked_for_and_shown(place: Place) -> None:
    place.turn("base-fee", stroops=250)
    refused = place.submit(place.payment(fee=249)).json()["extras"]["result_codes"]
    assert refused == {"transaction": "tx_insufficient_fee"}
    assert place.submit(place.payment(fee=300)).json()["fee_charged"] == "250"
    [ledger] = place.get("/ledgers?order=desc&limit=1").json()["_embedded"]["records"]
    assert ledger["base_fee_in_stroops"] == 250


def test_a_surge_asks_more_than_the_base_fee_and_says_so(place: Place) -> None:
    place.turn("surge", stroops=5000)
    stats = place.get("/fee_stats").json()
    assert (stats["last_ledger_base_fee"], stats["ledger_capacity_usage"]) == ("100", "1")
    assert stats["fee_charged"]["p50"] == stats["max_fee"]["p99"] == "5000"
    refused = place.submit(place.payment(fee=4999)).json()["extras"]["result_codes"]
    assert refused == {"transaction": "tx_insufficient_fee"}
    assert place.submit(place.payment(fee=9000)).json()["fee_charged"] == "5000"
    place.turn("surge", stroops=0)
    assert place.submit(place.payment(fee=9000)).json()["fee_charged"] == "100"


def test_ledgers_close_by_hand(place: Place) -> None:
    before = place.turn("close")["core_latest_ledger"]
    assert place.turn("close", ledgers=5)["core_latest_ledger"] == before + 5


def test_a_clock_ahead_makes_time_bounds_run_out(place: Place) -> None:
    envelope = place.payment()
    place.turn("clock", seconds=3600)
    assert place.submit(envelope).json()["extras"]["result_codes"] == {"transaction": "tx_too_late"}


def test_forgotten_history_is_gone_and_the_accounts_stay(place: Place) -> None:
    envelope = place.payment()
    place.submit(envelope)
    latest = place.turn("close")["core_latest_ledger"]
    assert place.turn("forget-before", ledger=latest)["history_elder_ledger"] == latest
    assert place.get(f"/transactions/{envelope.hash_hex()}").status_code == 404
    assert place.get("/ledgers/2").status_code == 410
    assert place.get("/payments?cursor=1&order=desc").status_code == 410
    assert place.get(f"/accounts/{place.alice.public_key}").status_code == 200


def test_a_reset_begins_again_and_forgets_what_was_asked_for(place: Place) -> None:
    place.turn("misbehave", answer="503")
    place.turn("misbehave", answer="503", get="/accounts")
    assert place.turn("reset")["core_latest_ledger"] == 1
    assert place.get(f"/accounts/{place.alice.public_key}").status_code == 404
    assert place.get(f"/friendbot?addr={place.alice.public_key}").status_code == 200
    assert place.submit(place.payment()).status_code == 400


def test_a_second_transaction_of_a_source_has_to_wait(place: Place) -> None:
    place.sandbox.close_on_submit = False
    first, second = place.payment("1"), place.payment("2", ahead=1)
    answers = [place.submit(each, "_async") for each in (first, second)]
    assert [each.status_code for each in answers] == [201, 503]
    assert place.submit(second).status_code == 504
    place.turn("close")
    assert place.submit(second, "_async").status_code == 201


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("misbehave", {"answer": "nonsense"}),
        ("misbehave", {"answer": "tx_nonsense"}),
        ("misbehave", {"answer": "tx_bad_seq", "get": "/accounts"}),
        ("misbehave", {"answer": "504-applied", "get": "/accounts"}),
        ("misbehave", {"answer": "503", "get": 7}),
        ("misbehave", {"answer": "503", "times": -1}),
        ("streams", {"fault": "nonsense"}),
        ("streams", {"fault": "stall"}),
        ("base-fee", {"stroops": True}),
        ("forget-before", {}),
    ],
)
def test_a_knob_refuses_what_it_does_not_understand(
    place: Place, name: str, body: dict[str, object]
) -> None:
    assert place.knob(name, **body).status_code == 400


def test_an_unknown_knob_is_not_found(place: Place) -> None:
    assert place.knob("nonsense").status_code == 404
    assert place.get("/sandbox/close").status_code == 405
