"""A customer moves no more in a day or in thirty than is allowed; what comes back is room."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from anchor.errors import Rejected
from anchor.integrations.rates import Way
from anchor.money import format_amount, parse_amount
from anchor.services import deposits, withdrawals
from anchor.services.transactions import Owner
from tests.deposits import Bench
from tests.doors.test_page_steps import id_of, visited
from tests.quoted import Trade
from tests.sending import Remitter
from tests.test_expiry import overdue, run, sql
from tests.test_refunds import give_back, on_hold, work
from tests.transfers import Wallet
from tests.waiting import until
from tests.world import ACCOUNT, World

DETAILS = {"bank_account_number": ACCOUNT}
FULL = "{0} USDC is left of the limit of {1} in {2}"


def limited(world: World, daily: str | None = "250", monthly: str | None = None) -> None:
    """Serve the asset with limits in time, the same whichever way."""
    flow = replace(
        world.policy.withdrawal,
        daily_limit=parse_amount(daily) if daily else None,
        monthly_limit=parse_amount(monthly) if monthly else None,
    )
    Bench(world).serve(replace(world.policy, withdrawal=flow, deposit=flow, send=flow))


def served(world: World) -> Any:
    return world.app.extensions["anchor"].settings.assets["USDC"]


def withdraw(world: World, amount: str, owner: Owner | None = None) -> str:
    """Open a withdrawal, as a page would, and have its sums agreed on."""
    owner = owner or Owner(world.payer.public_key)
    row_id = withdrawals.open_interactive(owner, served(world))
    withdrawals.give_details(row_id, parse_amount(amount), "bank", DETAILS, "form 1")
    return row_id


def left_of(world: World, limit: str = "250", window: str = "24 hours") -> str:
    """Ask for more than anybody may, and return what is said to be left."""
    with pytest.raises(Rejected) as caught:
        withdraw(world, "9999")
    said = str(caught.value)
    left = said.partition(" ")[0]
    assert said == FULL.format(left, limit, window)
    return left


def test_no_more_is_agreed_on_than_is_left(world: World) -> None:
    limited(world)
    withdraw(world, "100")
    assert left_of(world) == "150"
    withdraw(world, "150")
    assert left_of(world) == "0"
    sql("UPDATE transactions SET agreed_at = agreed_at - interval '24 hours 1 second'")
    assert left_of(world) == "250"


def test_thirty_days_count_beside_the_day(world: World) -> None:
    limited(world, "250", "300")
    withdraw(world, "250")
    sql("UPDATE transactions SET agreed_at = agreed_at - interval '25 hours'")
    with pytest.raises(Rejected, match=FULL.format("50", "300", "30 days")):
        withdraw(world, "51")
    withdraw(world, "50")
    sql("UPDATE transactions SET agreed_at = agreed_at - interval '30 days'")
    assert left_of(world) == "250"


def test_each_memo_of_an_account_and_each_way_has_room_of_its_own(world: World) -> None:
    limited(world)
    account = world.payer.public_key
    withdraw(world, "250")
    withdraw(world, "250", Owner(account, 5))
    world.deposit("250")
    for again in (None, Owner(account, 5)):
        with pytest.raises(Rejected, match="0 USDC is left"):
            withdraw(world, "2", again)
    with pytest.raises(Rejected, match="0 USDC is left"):
        world.deposit("2")


def test_eight_at_once_get_no_more_than_there_is_room_for(world: World) -> None:
    limited(world)
    made = [
        withdrawals.open_interactive(Owner(world.payer.public_key), served(world)) for _ in range(8)
    ]

    def agree(row_id: str) -> bool:
        with world.app.app_context():
            try:
                withdrawals.give_details(row_id, parse_amount("80"), "bank", DETAILS, "form 1")
            except Rejected:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(agree, made)) == 3
    assert sorted(map(world.status, made)).count("incomplete") == 5
    assert left_of(world) == "10"


def test_what_expired_unpaid_and_what_was_refunded_is_room_again(world: World) -> None:
    limited(world)
    overdue(withdraw(world, "150"))
    assert left_of(world) == "100"
    run()
    assert left_of(world) == "250"
    row_id = on_hold(world)
    assert left_of(world) == "150"
    give_back(row_id, "40")
    until(lambda: work(world) or world.row(row_id).amount_refunded, 30, "for the refund")
    assert left_of(world) == "190"


def test_money_that_comes_unasked_is_judged_as_ever_and_counts_as_it_came(world: World) -> None:
    limited(world)
    loose = replace(served(world), matching="tolerance", tolerance=parse_amount("70"))
    Bench(world).serve(loose)
    row_id = withdraw(world, "200")
    world.pay("260", world.memo(row_id))
    world.read()
    assert world.row(row_id).amount_received == parse_amount("260")
    assert left_of(world) == "0"


def test_a_link_that_was_only_opened_takes_no_room(world: World) -> None:
    limited(world)
    row_id = withdrawals.open_interactive(
        Owner(world.payer.public_key), served(world), amount=parse_amount("250")
    )
    withdraw(world, "10")
    with pytest.raises(Rejected, match="240 USDC is left"):
        withdrawals.give_details(row_id, parse_amount("250"), "bank", DETAILS, "form 1")
    withdrawals.give_details(row_id, parse_amount("240"), "bank", DETAILS, "form 1")
    assert left_of(world) == "0"


def test_a_page_tells_what_is_left_where_the_amount_is_typed(world: World) -> None:
    limited(world)
    world.fund()
    withdraw(world, "200")
    visitor = visited(world, world.app.test_client())
    visitor.send(amount="60")
    assert visitor.page.status_code == 400
    assert "50 USDC is left of the limit of 250 in 24 hours." in visitor.page.text
    visitor.send(amount="50")
    visitor.send(**DETAILS)
    withdraw(world, "2")  # another page was faster
    visitor.send()
    assert visitor.page.status_code == 400
    assert "48 USDC is left of the limit of 250 in 24 hours." in visitor.page.text
    assert world.status(id_of(visitor)) == "incomplete"


def test_a_wallet_is_told_in_its_language_and_has_to_name_an_amount(holder: Wallet) -> None:
    limited(holder.world)
    holder.known()
    assert holder.ask_withdrawal(amount="200").status_code == 200
    answer = holder.ask_withdrawal(amount="60", lang="es")
    assert answer.status_code == 400
    assert answer.json["error"] == "quedan 50 USDC del límite de 250 en 24 horas"
    assert holder.ask_withdrawal(amount=None).json["error"] == (
        "amount is required, for there is a limit in time"
    )
    assert holder.ask_deposit(amount="250").status_code == 200
    assert holder.ask_deposit(amount="1").status_code == 400


def test_what_waits_for_its_customer_has_its_room_and_takes_none_again(holder: Wallet) -> None:
    limited(holder.world)
    first = holder.withdrawal(amount="250")["id"]
    assert holder.seen(first)["status"] == "pending_customer_info_update"
    assert holder.ask_withdrawal(amount="1").status_code == 400
    holder.known()
    assert holder.seen(first)["status"] == "pending_user_transfer_start"


def test_a_sending_anchor_has_one_room_for_all_its_sends(remitter: Remitter) -> None:
    limited(remitter.world)
    found = remitter.world.app.extensions["anchor"].settings.assets["USDC"]
    Bench(remitter.world).serve(
        replace(found, sends=remitter.world.policy.sends, send=replace(found.send, enabled=True))
    )
    remitter.opened(amount="200")
    answer = remitter.post(amount="51")
    assert (answer.status_code, answer.json["error"]) == (
        400,
        FULL.format("50", "250", "24 hours"),
    )
    remitter.opened(amount="50")


def test_a_quoted_deposit_counts_in_the_asset_that_it_brings(world: World) -> None:
    limited(world, "150")
    world.fund()
    trade = Trade(world)
    quote = trade.quote(Way.DEPOSIT)
    row_id = deposits.open_interactive(trade.owner, served(world), quote_id=quote.id)
    deposits.give_details(row_id, quote.sell_amount, "bank", {}, "form 1")
    assert format_amount(quote.buy_amount) == "100"
    with pytest.raises(Rejected, match="50 USDC is left"):
        world.deposit("51")
    again = trade.quote(Way.DEPOSIT)
    with pytest.raises(Rejected, match="50 USDC is left"):
        deposits.open_interactive(trade.owner, served(world), quote_id=again.id)
