"""Amount, exchange, review: what the customer saw is what is confirmed, and nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import func, select, text

from anchor import create_app
from anchor.errors import Unavailable
from anchor.extensions import db, transaction
from anchor.fees import Fees, FeeSchedule
from anchor.integrations.fixed_rates import FixedRates
from anchor.models import Quote
from anchor.money import parse_amount
from anchor.services import audits
from tests.deposits import Bench
from tests.doors.test_page_sessions import opened, place_of
from tests.puppets import Puppet
from tests.visiting import Visitor
from tests.world import ACCOUNT, World, dispose

BRL = "iso4217:BRL"


@pytest.fixture
def client(world: World) -> Any:
    world.fund()
    return world.app.test_client()


def visited(world: World, client: Any, way: str = "withdraw", **body: Any) -> Visitor:
    return Visitor(client, opened(world, way, **body)["url"])


def id_of(visitor: Visitor) -> str:
    return visitor.place.split("/")[3]


def price(client: Any, visitor: Visitor, **query: str) -> Any:
    place = "/".join(visitor.place.split("/")[:4])
    return client.get(f"{place}/price", query_string=query)


def quotes() -> int:
    with transaction():
        return db.session.scalar(select(func.count()).select_from(Quote)) or 0


@pytest.mark.conforms("SEP24-06")
def test_the_fee_and_the_rate_are_shown_while_one_types(world: World, client: Any) -> None:
    visitor = visited(world, client)
    assert price(client, visitor, amount="100").json == {
        "paid": "100.00\xa0USDC",
        "fee": "1.50\xa0USDC",
        "received": "98.50\xa0USD",
        "rate": "1\xa0USD = 1\xa0USDC",
        "is_firm": True,
    }
    assert price(client, visitor, amount="100", other=BRL).json == {
        "paid": "100.00\xa0USDC",
        "fee": "2.00\xa0USDC",
        "received": "490.00\xa0BRL",
        "rate": "1\xa0USDC = 5\xa0BRL",
        "is_firm": False,
    }
    deposit = visited(world, client, "deposit")
    assert price(client, deposit, amount="542", other=BRL).json["received"] == "100.00\xa0USDC"
    for wrong in (
        {},
        {"amount": "0.5"},
        {"amount": "x"},
        {"amount": "10", "other": "iso4217:XXX"},
        {"amount": "1", "other": BRL},
        {"amount": "10", "other": BRL, "rail": "pigeon"},
    ):
        answer = price(client, visitor, **wrong)
        assert answer.status_code == 400, wrong
        assert answer.json["error"]
    assert quotes() == 0


@pytest.mark.conforms("SEP24-06")
@pytest.mark.parametrize(
    ("way", "amount", "paid", "received"),
    [
        ("withdraw", "100", ("100", "stellar"), ("490", BRL)),
        ("deposit", "542", ("542", BRL), ("100", "stellar")),
    ],
)
def test_a_customer_exchanges_another_currency_at_a_rate_that_is_promised(
    world: World, client: Any, way: str, amount: str, paid: Any, received: Any
) -> None:
    visitor = visited(world, client, way)
    assert "is an estimate" in visitor.page.text
    visitor.send(amount=amount, other=BRL)
    if visitor.step == "account":
        visitor.send(bank_account_number=ACCOUNT)
    row_id = id_of(visitor)
    assert visitor.step == "review"
    assert "This rate is yours if the money comes by" in visitor.page.text
    visitor.send()
    assert visitor.step == "status"
    wallet = world.app.test_client()
    found = wallet.get(f"/sep24/transaction?id={row_id}", headers=world.log_in(wallet)).json
    assert found is not None
    told = found["transaction"]
    assert (told["kind"], told["status"]) == (
        "withdrawal" if way == "withdraw" else "deposit",
        "pending_user_transfer_start",
    )
    assert (told["amount_in"], told["amount_out"]) == (paid[0], received[0])
    assert told["amount_in_asset"].startswith(paid[1])
    assert told["amount_out_asset"].startswith(received[1])
    assert told["fee_details"]["asset"] == told["amount_in_asset"]
    assert told["quote_id"]
    assert world.row(row_id).deadline_at is not None
    if way == "withdraw":
        world.pay("100", world.memo(row_id))
        world.read()
        world.work()
        assert world.status(row_id) == "completed"
    assert audits.look() == []


@pytest.mark.conforms("SEP24-06")
@pytest.mark.parametrize(
    ("way", "name", "amount"), [("withdraw", "destination", "100"), ("deposit", "source", "20000")]
)
def test_a_wallet_may_choose_the_currency_and_the_page_promises_the_rate(
    world: World, client: Any, way: str, name: str, amount: str
) -> None:
    visitor = visited(world, client, way, **{f"{name}_asset": BRL}, amount=amount)
    assert f'<option value="{BRL}" selected>' in visitor.page.text
    assert visitor.form.values["amount"] == amount
    assert "token" not in visitor.page.request.url
    assert quotes() == 0
    visitor.send(other=BRL)
    if visitor.step == "account":
        visitor.send(bank_account_number=ACCOUNT)
    assert (visitor.step, quotes()) == ("review", 1)
    visitor.send()
    assert world.row(id_of(visitor)).kind.endswith("-exchange")
    assert audits.look() == []


@pytest.mark.conforms("SEP24-06")
@pytest.mark.parametrize(("way", "name"), [("withdraw", "destination"), ("deposit", "source")])
def test_the_currency_of_the_asset_itself_is_no_exchange_and_others_are_refused(
    world: World, client: Any, way: str, name: str
) -> None:
    visitor = visited(world, client, way, **{f"{name}_asset": "iso4217:USD"}, amount="10")
    assert f'<option value="{BRL}" selected>' not in visitor.page.text
    visitor.fill_in(bank_account_number=ACCOUNT)
    assert world.row(id_of(visitor)).quote_id is None
    headers = world.log_in(client)
    for other in ("iso4217:EUR", "stellar:native", "BRL", f"stellar:{world.policy.id}"):
        body = {"asset_code": "USDC", f"{name}_asset": other}
        answer = client.post(f"/sep24/transactions/{way}/interactive", json=body, headers=headers)
        assert answer.status_code == 400
        assert "not exchanged" in answer.json["error"]


def test_a_customer_may_change_their_mind_about_the_currency(world: World, client: Any) -> None:
    visitor = visited(world, client)
    visitor.send(amount="100", other=BRL)
    row_id = id_of(visitor)
    assert world.row(row_id).kind == "withdrawal-exchange"
    visitor.go("/".join(visitor.place.split("/")[:4]))
    assert '<option value="iso4217:BRL" selected>' in visitor.page.text
    visitor.send(amount="50", other="")
    row = world.row(row_id)
    assert (row.kind, row.quote_id, row.amount_in_asset) == ("withdrawal", None, None)
    visitor.fill_in(bank_account_number=ACCOUNT)
    assert "48.75\xa0USD" in visitor.page.text
    assert world.row(row_id).amount_in == parse_amount("50")


def test_a_rate_that_ran_out_is_promised_anew_before_it_is_confirmed(
    world: World, client: Any
) -> None:
    visitor = visited(world, client)
    visitor.send(amount="100", other=BRL)
    visitor.send(bank_account_number=ACCOUNT)
    assert visitor.step == "review"
    row_id, old = id_of(visitor), world.row(id_of(visitor)).quote_id
    with transaction():
        db.session.execute(text("UPDATE quotes SET expires_at = now() - interval '1 second'"))
    db.session.expire_all()
    rates = world.app.extensions["anchor"].rates
    rates["fixed"] = FixedRates("fixed", {"USDC/BRL": "4"})
    visitor.send()
    assert visitor.page.status_code == 400
    assert "The quote has run out" in visitor.page.text
    assert "392.00\xa0BRL" in visitor.page.text
    assert world.status(row_id) == "incomplete"
    assert world.row(row_id).quote_id != old
    visitor.send()
    assert visitor.step == "status"
    assert "392.00\xa0BRL" in visitor.page.text
    assert audits.look() == []


def test_what_changed_after_it_was_shown_is_shown_again(world: World, client: Any) -> None:
    visitor = visited(world, client)
    visitor.send(amount="100")
    visitor.send(bank_account_number=ACCOUNT)
    dearer = replace(world.policy.withdrawal, fees=Fees(FeeSchedule(parse_amount("5"))))
    Bench(world).serve(replace(world.policy, withdrawal=dearer))
    visitor.send()
    assert visitor.page.status_code == 400
    assert "Something has changed meanwhile" in visitor.page.text
    assert "95.00\xa0USD" in visitor.page.text
    assert world.status(id_of(visitor)) == "incomplete"
    visitor.send()
    assert world.row(id_of(visitor)).amount_out == parse_amount("95")


def test_another_tab_s_change_is_not_confirmed_unseen(world: World, client: Any) -> None:
    visitor = visited(world, client)
    visitor.send(amount="100")
    visitor.send(bank_account_number=ACCOUNT)
    form = visitor.form
    visitor.go("/".join(visitor.place.split("/")[:4]))
    visitor.send(amount="900")
    answer = client.post(form.action, data=form.values)
    assert answer.status_code == 400
    assert "Something has changed meanwhile" in answer.text
    assert world.status(id_of(visitor)) == "incomplete"


def test_while_nobody_knows_the_rate_nothing_is_kept(world: World, client: Any) -> None:
    visitor = visited(world, client)

    class Silent(FixedRates):
        def rate(self, query: Any) -> Any:
            raise Unavailable("no price is known at the moment; try again in a minute")

    world.app.extensions["anchor"].rates["fixed"] = Silent("fixed", {"USDC/BRL": "5"})
    visitor.send(amount="100", other=BRL)
    assert visitor.page.status_code == 503
    assert "No price is known at the moment; try again in a minute." in visitor.page.text
    assert 'value="100"' in visitor.page.text
    assert world.row(id_of(visitor)).amount_expected is None


@pytest.fixture
def two_rails(world: World) -> Iterator[World]:
    """The same anchor with another rail, which asks for something else."""
    policy = replace(world.policy, rails=("bank", "mobile_money"))
    app = create_app(replace(world.settings, quotes=replace(world.settings.quotes, pairs=())))
    found = app.extensions["anchor"]
    found.rails["mobile_money"] = Puppet("mobile_money")
    app.extensions["anchor"] = replace(
        found, settings=replace(found.settings, assets={"USDC": policy})
    )
    with app.app_context():
        yield World(app, world.settings, world.sandbox, world.bank, world.payer)
    dispose(app)


def test_the_way_to_pay_is_chosen_and_decides_what_is_asked(two_rails: World) -> None:
    client = two_rails.app.test_client()
    visitor = visited(two_rails, client)
    assert visitor.form.offered["rail"] == ["bank", "mobile_money"]
    assert "Mobile money" in visitor.page.text
    visitor.send(amount="100", rail="pigeon")
    assert visitor.page.status_code == 400
    visitor.send(amount="100", rail="mobile_money")
    assert visitor.step == "review", "it asks for nothing"
    visitor.send()
    assert two_rails.row(id_of(visitor)).rail == "mobile_money"


def test_a_withdrawal_is_paid_by_a_link_for_exactly_what_is_due(world: World, client: Any) -> None:
    visitor = visited(world, client)
    visitor.fill_in(amount="100.5", bank_account_number=ACCOUNT)
    page = visitor.page.text.replace("&amp;", "&")
    [link] = [each for each in page.split('"') if each.startswith("web+stellar:")]
    parts = urlsplit(link)
    assert parts.path == "pay"
    assert {name: value for name, [value] in parse_qs(parts.query).items()} == {
        "destination": world.distribution,
        "amount": "100.5",
        "asset_code": "USDC",
        "asset_issuer": world.policy.issuer,
        "memo": world.memo(id_of(visitor)),
        "memo_type": "MEMO_ID",
        "network_passphrase": world.settings.network_passphrase,
    }
    assert '<svg viewBox="0 0' in page
    assert 'style="' not in page


def test_steps_lead_back_and_keep_what_was_given(world: World, client: Any) -> None:
    one = opened(world)
    visitor = Visitor(client, one["url"])
    visitor.send(amount="100")
    visitor.send(bank_account_number=ACCOUNT)
    assert visitor.step == "review"
    assert f'href="{place_of(one)}/account"' in visitor.page.text
    visitor.go(f"{place_of(one)}/account")
    assert f'value="{ACCOUNT}"' in visitor.page.text
    visitor.go(place_of(one))
    assert 'value="100"' in visitor.page.text


def test_a_complete_transaction_has_only_its_status(world: World, client: Any) -> None:
    one = opened(world)
    visitor = Visitor(client, one["url"])
    visitor.fill_in(amount="100", bank_account_number=ACCOUNT)
    for step in ("", "/customer", "/account", "/review"):
        visitor.go(place_of(one) + step)
        assert visitor.step == "status"
