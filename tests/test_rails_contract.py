"""The contract of rails: each mistake fails the test that is for it."""

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from unittest import SkipTest

import pytest
import requests
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from anchor.integrations.bank import SimulatedBankRail
from anchor.integrations.protocols import (
    OutgoingTransaction,
    PendingDeposit,
    RailsIntegration,
    Receipt,
    Transfer,
)
from anchor.integrations.testing_rails import RailsContract
from anchor.sandbox.bank import Bank
from anchor.sandbox.network import Sandbox
from tests.paper_rail import Paper, PaperContract, PaperRail
from tests.rail_mistakes import MISTAKES
from tests.waiting import until

SECRET = "a secret of the bank"


class TestPaper(PaperContract):
    """A rail in memory that can do all that a rail can."""


def results(contract: RailsContract) -> dict[str, Exception | None]:
    """Run each test as pytest does; return those that did not pass, with why."""
    found: dict[str, Exception | None] = {}
    for name in names_of(contract):
        try:
            getattr(type(contract)(), name)()
        except Exception as error:
            found[name] = error
    return found


def names_of(contract: RailsContract) -> list[str]:
    return [name for name in dir(contract) if name.startswith("test_")]


@pytest.mark.parametrize(
    ("mistake", "wanted"), MISTAKES, ids=[mistake.__name__ for mistake, _ in MISTAKES]
)
def test_a_mistake_fails_the_test_that_is_for_it(mistake: type[PaperRail], wanted: str) -> None:
    class Tried(PaperContract):
        kind = mistake
        paper = Paper()

    failed = results(Tried())
    assert {wanted} == set(failed), failed
    assert len(str(failed[wanted]).split()) > 5, "that is no sentence"


def test_each_test_of_the_contract_can_fail() -> None:
    assert {wanted for _, wanted in MISTAKES} == set(names_of(RailsContract()))


class Nothing(RailsContract):
    """A rail of which nothing is said."""

    def rails(self) -> RailsIntegration:
        return RefusesAll("nothing", {})


class RefusesAll(RailsIntegration):
    """Promises nothing."""

    def execute_outgoing_transaction(self, transaction: OutgoingTransaction) -> Any:
        return None


def test_what_is_not_promised_and_not_given_is_skipped_with_the_reason() -> None:
    skipped = {name: why for name, why in results(Nothing()).items() if isinstance(why, SkipTest)}
    assert "idempotent_for" in str(skipped["test_the_same_key_again_moves_money_once"])
    assert "unreachable()" in str(skipped["test_a_bank_that_is_away_says_nothing_of_orders"])
    assert "webhook()" in str(skipped["test_an_event_of_the_bank_is_known"])


class Post:
    """An address to which the bank tells its events."""

    def __init__(self) -> None:
        self.came: list[tuple[dict[str, str], bytes]] = []

    @Request.application
    def __call__(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers}
        self.came.append((headers, request.get_data()))
        return Response("")


class TestSimulatedBank(RailsContract):
    """The built-in rail, at the bank of the sandbox, over HTTP."""

    details = {"bank_account_number": "DE89370400440532010003"}
    refused_details = {"bank_account_number": "DE89370400440532010001"}
    many = 101

    @pytest.fixture(autouse=True)
    def _running(self, sandbox: Sandbox, bank: Bank) -> Iterator[None]:
        self.url, self.bank, self.post = f"{sandbox.url}/bank", bank, Post()
        server = make_server("127.0.0.1", 0, self.post, threaded=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        self.ask("/webhook", url=f"http://127.0.0.1:{server.port}/", secret=SECRET)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self.silent = f"http://127.0.0.1:{silent.getsockname()[1]}"
            yield
        server.shutdown()
        thread.join()
        server.server_close()

    def ask(self, path: str, **body: Any) -> Any:
        answer = requests.post(self.url + path, json=body, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def rails(self) -> RailsIntegration:
        options = {"url": self.url, "timeout_s": 5, "webhook_secret": SECRET}
        return SimulatedBankRail("bank", options)

    def unreachable(self) -> RailsIntegration:
        return SimulatedBankRail("bank", {"url": self.silent, "timeout_s": 1})

    def losing_answers(self) -> RailsIntegration:
        """To the rail a bank that took an order is as silent as one that reads nothing."""
        return self.unreachable()

    def settle(self, order: OutgoingTransaction) -> None:
        self.ask(f"/transfers/by-key/{order.key}/settled")

    def paid(self, order: OutgoingTransaction) -> Sequence[Transfer]:
        answer = requests.get(f"{self.url}/transfers", timeout=10).json()
        return [
            Transfer(each["key"], Decimal(each["amount"]), each["currency"] or None)
            for each in answer
            if each["key"] == order.key
        ]

    def book(self, deposit: PendingDeposit) -> None:
        self.ask(
            "/deposits", amount=f"{deposit.amount:.2f}", reference=deposit.reference, payer="DE55"
        )

    def reverse(self, receipt: Receipt) -> None:
        self.ask(f"/deposits/{receipt.receipt_id}/reversed")

    def webhook(self, deposit: PendingDeposit) -> tuple[Mapping[str, str], bytes]:
        return self.told(str(deposit.reference))

    def webhook_of(self, order: OutgoingTransaction) -> tuple[Mapping[str, str], bytes]:
        return self.told(order.key, '"settled"')

    def told(self, *words: str) -> tuple[Mapping[str, str], bytes]:
        def found() -> list[tuple[dict[str, str], bytes]]:
            return [e for e in self.post.came if all(word.encode() in e[1] for word in words)]

        return until(found)[0]  # type: ignore[no-any-return]
