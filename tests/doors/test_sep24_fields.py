"""Each row of SEP-24's tables of fields: read where it is asked with, shown where it is known."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from stellar_sdk import Keypair, MuxedAccount

from anchor.extensions import db, transaction
from anchor.integrations.protocols import Field
from anchor.models import Transaction
from anchor.policies import DeliveryPolicy
from anchor.services import desk
from scripts.make_conformance import rows
from tests.deposits import Bench
from tests.doors.test_sep06_fields import PASSED_OVER, held
from tests.doors.test_sep24_objects import DEPOSIT, ME, WITHDRAW, opened, paid, shown
from tests.quoted import BRL
from tests.test_refunds import give_back, settle
from tests.world import ACCOUNT, World


@dataclass
class Asker:
    """Somebody who logged in once, and asks for deposits or withdrawals."""

    world: World
    client: Any
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.headers = self.world.log_in(self.client)

    def post(self, path: str, **body: Any) -> Any:
        """Ask; None takes a field away."""
        given = {"asset_code": "USDC"} | body
        asked = {name: value for name, value in given.items() if value is not None}
        return self.client.post(path, json=asked, headers=self.headers)

    def opened(self, path: str, **body: Any) -> Transaction:
        """Open a deposit or withdrawal, and return its row."""
        answer = self.post(path, **body)
        assert answer.status_code == 200, answer.text
        return self.world.row(answer.json["id"])

    def refused(self, path: str, **body: Any) -> bool:
        """Tell whether a deposit or withdrawal is refused with a sentence."""
        answer = self.post(path, **body)
        return (answer.status_code, answer.json.keys()) == (400, {"error"})

    def speaks(self, path: str) -> bool:
        """Tell whether a refusal is in the language that was asked for."""
        answer = self.post(path, amount="0.5", lang="es")
        return bool(answer.json["error"] == "el importe mínimo es 1")

    def promised(self, path: str, context: str = "sep24", headers: Any = None) -> str:
        """Have 542 BRL for 100 USDC promised, or 100 USDC for 490 BRL; return the quote's id."""
        usdc = f"stellar:{self.world.policy.id}"
        sold, bought, amount = (BRL, usdc, "542") if path == DEPOSIT else (usdc, BRL, "100")
        body = {"sell_asset": sold, "buy_asset": bought, "sell_amount": amount, "context": context}
        answer = self.client.post("/sep38/quote", json=body, headers=headers or self.headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json["id"])

    def contradictions(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield what a quote for this way does not say, and quotes that are none for it."""
        yield {"asset_issuer": Keypair.random().public_key}
        yield {("source_asset" if path == DEPOSIT else "destination_asset"): "iso4217:EUR"}
        yield {"amount": "99"}
        yield {"quote_id": "unknown"}
        yield {"quote_id": self.promised(WITHDRAW if path == DEPOSIT else DEPOSIT)}
        yield {"quote_id": self.promised(path, "sep6")}
        stranger = self.world.log_in(self.client, Keypair.random())
        yield {"quote_id": self.promised(path, headers=stranger)}


@pytest.fixture
def asker(world: World) -> Asker:
    world.fund()
    return Asker(world, world.app.test_client())


@pytest.mark.conforms("8.3/*", "SEP24-07", "SEP24-21")
def test_a_deposit_reads_each_parameter(asker: Asker) -> None:
    world = asker.world
    bench = Bench(world)
    other, issuer = bench.account().public_key, world.policy.issuer
    bench.serve(replace(world.policy, delivery=DeliveryPolicy(claimable_balances=True)))
    rail = world.app.extensions["anchor"].rails["bank"]
    rail.deposit_fields = (Field("last_name", "Your family name"),)
    quote = asker.promised(DEPOSIT)
    exchange = {"quote_id": quote, "asset_issuer": issuer, "source_asset": BRL, "amount": "542"}
    for wrong in asker.contradictions(DEPOSIT):
        assert asker.refused(DEPOSIT, **exchange | wrong), wrong
    on_quote = asker.opened(DEPOSIT, **exchange)
    assert asker.refused(DEPOSIT, **exchange), "it is used already"
    plain = {"account": other, "memo": "5", "memo_type": "id", "claimable_balance_supported": True}
    row = asker.opened(DEPOSIT, last_name="Ng", lang="es", **plain, **PASSED_OVER)
    held(
        "8.3/*",
        **{
            "asset_code": row.asset_code == "USDC" and asker.refused(DEPOSIT, asset_code=None),
            "asset_issuer": on_quote.asset == world.policy.id,
            "source_asset": on_quote.amount_in_asset == BRL,
            "amount": on_quote.amount_expected == 542_0000000,
            "quote_id": on_quote.quote_id == quote,
            "account": row.destination == other,
            "memo_type": row.destination_memo_type == "id",
            "memo": row.destination_memo == "5",
            "wallet_name": row.client_domain is None,
            "wallet_url": "wallet_url" not in row.details,
            "lang": row.lang == "es" and asker.speaks(DEPOSIT),
            "claimable_balance_supported": row.takes_claimable_balance,
            "<field>": row.details == {"last_name": "Ng"},
        },
    )


@pytest.mark.conforms("8.4/*", "SEP24-07", "SEP24-21", "E-02")
def test_a_withdrawal_reads_each_parameter(asker: Asker) -> None:
    world = asker.world
    other = MuxedAccount(Keypair.random().public_key, 5).account_muxed
    quote = asker.promised(WITHDRAW)
    exchange = {
        "quote_id": quote,
        "asset_issuer": world.policy.issuer,
        "destination_asset": BRL,
        "amount": "100",
    }
    for wrong in asker.contradictions(WITHDRAW):
        assert asker.refused(WITHDRAW, **exchange | wrong), wrong
    on_quote = asker.opened(WITHDRAW, **exchange)
    assert asker.refused(WITHDRAW, **exchange), "it is used already"
    back = {"refund_memo": "back", "refund_memo_type": "text"}
    old = {"memo": "5", "memo_type": "id"} | PASSED_OVER
    more = {"account": other, "lang": "es", "bank_account_number": ACCOUNT}
    row = asker.opened(WITHDRAW, **more, **back, **old)
    held(
        "8.4/*",
        **{
            "asset_code": row.asset_code == "USDC" and asker.refused(WITHDRAW, asset_code=None),
            "asset_issuer": on_quote.asset == world.policy.id,
            "destination_asset": on_quote.amount_out_asset == BRL,
            "amount": on_quote.amount_expected == 100_0000000,
            "quote_id": on_quote.quote_id == quote,
            "lang": row.lang == "es" and asker.speaks(WITHDRAW),
            "account": row.from_account == other,
            "memo": row.owner_subaccount is None,
            "memo_type": row.destination_memo_type is None,
            "refund_memo": row.refund_memo == "back"
            and asker.refused(WITHDRAW, refund_memo_type="text"),
            "refund_memo_type": row.refund_memo_type == "text"
            and asker.refused(WITHDRAW, refund_memo="5"),
            "wallet_name": row.client_domain is None,
            "wallet_url": "wallet_url" not in row.details,
            "<field>": row.details == {"bank_account_number": ACCOUNT},
        },
    )


@pytest.mark.conforms("8.6/*", "SEP24-62")
def test_the_list_and_the_one_read_each_parameter(asker: Asker) -> None:

    def listed(**query: Any) -> list[str]:
        asked = {"asset_code": "USDC"} | query
        found = asker.client.get("/sep24/transactions", query_string=asked, headers=asker.headers)
        assert found.status_code == 200, found.text
        return [each["id"] for each in found.json["transactions"]]

    def one(**query: Any) -> dict[str, Any]:
        found = asker.client.get("/sep24/transaction", query_string=query, headers=asker.headers)
        assert found.status_code == 200, found.text
        return dict(found.json["transaction"])

    assert listed() == []
    first, second, third = (asker.opened(path).id for path in (DEPOSIT, WITHDRAW, DEPOSIT))
    with transaction():
        row = db.session.get_one(Transaction, third)
        row.message = "We cannot offer you this service."
        row.stellar_transaction_id, row.external_transaction_id = "ab" * 32, "B1"
    began = one(id=second)["started_at"]
    bare = asker.client.get("/sep24/transactions", headers=asker.headers)
    held(
        "8.6/*",
        asset_code=(bare.status_code, bare.json.keys()) == (400, {"error"}),
        no_older_than=listed(no_older_than=began) == [third, second],
        limit=listed(limit=1) == [third],
        kind=listed(kind="withdrawal") == [second],
        paging_id=listed(paging_id=second) == [first],
        lang=one(id=third, lang="es")["message"] == "No podemos ofrecerle este servicio.",
        id=one(id=third)["id"] == third,
        stellar_transaction_id=one(stellar_transaction_id="ab" * 32)["id"] == third,
        external_transaction_id=one(external_transaction_id="B1")["id"] == third,
    )


@pytest.mark.conforms("8.10/*")
def test_a_transaction_shows_each_field_where_it_is_known(asker: Asker) -> None:
    """A deposit on a quote with a memo, one that was claimed, and a withdrawal that went back."""
    world, client = asker.world, asker.client
    quote = {"quote_id": asker.promised(DEPOSIT), "source_asset": BRL, "amount": "542"}
    begun = opened(world, client, DEPOSIT, memo="5", memo_type="id", **quote)
    done = opened(world, client, DEPOSIT)
    with transaction():
        row = db.session.get_one(Transaction, done)
        row.message, row.from_account = "Done.", "DE89"
        row.claimable_balance_id = "00000000" + "cd" * 32
        row.external_transaction_id = "B1"
    back = paid(world, client)
    desk.hold(back, ME)
    give_back(back)
    settle(world, back)
    seen = {each: shown(world, client, each) for each in (begun, done, back)}
    told = {name for each in seen.values() for name, value in each.items() if value is not None}
    assert told == set(rows("8.10/*"))
    always = {"id", "kind", "status", "more_info_url", "amount_in", "started_at"}
    assert all(always <= each.keys() for each in seen.values())
    assert seen[begun]["fee_details"]["total"] == seen[begun]["amount_fee"] == "42"
