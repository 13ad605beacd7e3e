"""Refunds that a policy makes by itself: off unless set, bounded, and never to ourselves."""

from dataclasses import replace

from stellar_sdk import Keypair

from anchor.money import parse_amount
from anchor.policies import RefundPolicy
from anchor.services import desk, passes, sweeps
from anchor.services.policy_refunds import POLICY_REFUND
from tests.deposits import Bench
from tests.test_refunds import open_refunds
from tests.waiting import until
from tests.world import World, _keys

ALL = frozenset({"unmatched", "late", "too_small", "too_large", "second"})


def policy(world: World, **changed: object) -> Bench:
    bench = Bench(world)
    found = RefundPolicy(automatic=ALL, min_amount=parse_amount("2"))
    bench.serve(replace(world.policy, refund=replace(found, **changed)))  # type: ignore[arg-type]
    return bench


def run(world: World) -> None:
    def at_rest() -> bool:
        passes.owe("work")
        sweeps.work_off(passes.SERVICES["work"].kinds)
        return not open_refunds()

    until(at_rest, 30, "for the refunds")


def refunds_made(bench: Bench) -> int:
    return int(bench.sql("SELECT count(*) FROM outflows WHERE kind = 'refund'")[0][0])


def test_promise_14_nothing_is_sent_back_by_itself_unless_that_is_set(world: World) -> None:
    world.pay("25", "id:12345")
    world.read()
    run(world)
    assert refunds_made(Bench(world)) == 0
    assert [case.closed_at for case in desk.listing()] == [None]


def test_money_that_matches_nobody_goes_back_by_itself(world: World) -> None:
    bench = policy(world)
    world.pay("25", "id:12345")
    world.read()
    run(world)
    run(world)
    assert refunds_made(bench) == 1
    assert desk.listing() == []
    [case] = desk.listing(closed=True)
    assert [(act.what, act.who) for act in desk.show(case.id).done] == [("refund", "policy")]


def test_promise_14_what_is_below_the_least_amount_stays(world: World) -> None:
    bench = policy(world)
    world.pay("1", "id:12345")
    world.read()
    run(world)
    assert refunds_made(bench) == 0
    assert "least amount" in (desk.listing()[0].note or "")


def test_promise_14_the_daily_number_is_kept(world: World) -> None:
    bench = policy(world, daily_count=1)
    for payer in (bench.account(), bench.account()):
        pay_from(world, payer)
    world.read()
    run(world)
    assert refunds_made(bench) == 1
    assert "24 hours" in (desk.listing()[0].note or "")


def test_promise_14_the_daily_amount_is_kept(world: World) -> None:
    bench = policy(world, daily_amount=parse_amount("40"))
    for payer in (bench.account(), bench.account()):
        pay_from(world, payer)
    world.read()
    run(world)
    assert refunds_made(bench) == 1


def test_promise_14_what_answers_a_refund_of_ours_stays(world: World) -> None:
    bench = policy(world)
    world.pay("25", "id:12345")
    world.read()
    run(world)
    world.pay("25", "id:12345")
    world.read()
    run(world)
    assert refunds_made(bench) == 1
    assert "short time ago" in (desk.listing()[0].note or "")


def test_promise_14_money_of_the_issuer_stays(world: World) -> None:
    bench = policy(world)
    issuer = Keypair.from_secret(_keys[world.distribution].issuer)
    builder = world.builder(issuer.public_key)
    world.submit(builder.append_payment_op(world.distribution, world.asset, "25"), issuer)
    world.read()
    run(world)
    assert refunds_made(bench) == 0
    assert "an account of ours" in (desk.listing()[0].note or "")


def test_a_payer_that_asks_for_a_memo_is_left_to_a_person(world: World) -> None:
    bench = policy(world)
    world.pay("25", "id:12345")
    builder = world.builder(world.payer.public_key)
    world.submit(builder.append_manage_data_op("config.memo_required", "1"), world.payer)
    world.read()
    run(world)
    assert refunds_made(bench) == 0
    assert "memo" in (desk.listing()[0].note or "")


def test_a_decision_that_ran_out_of_time_is_made_again_without_a_second_refund(
    world: World,
) -> None:
    bench = policy(world)
    world.pay("25", "id:12345")
    world.read()
    passes.owe("work")
    sweeps.work_off([POLICY_REFUND])
    bench.sql("UPDATE cases SET looked_at = NULL")  # as if it had died before writing that
    run(world)
    assert refunds_made(bench) == 1


def pay_from(world: World, payer: Keypair) -> None:
    issuer = Keypair.from_secret(_keys[world.distribution].issuer)
    builder = world.builder(issuer.public_key)
    builder.append_payment_op(payer.public_key, world.asset, "25")
    builder.append_payment_op(world.distribution, world.asset, "25", source=payer.public_key)
    world.submit(builder, issuer, payer)
