"""Jobs that are done many at a time: nobody is worse off for it."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
from sqlalchemy import text

from anchor.errors import Unavailable
from anchor.extensions import db, transaction
from anchor.services import batches, deposit_payments, jobs, sweeps
from anchor.services.deposit_payments import PAY_ON_LEDGER
from anchor.services.jobs import Address, Claim, Later, Ran, Superseded, Untried
from tests.deposits import Bench
from tests.world import World

KIND = "many"
Ends = Mapping[Claim, Exception]


@pytest.fixture
def bench(world: World) -> Bench:
    return Bench(world)


@pytest.fixture
def declare(world: World) -> Iterator[Callable[[Callable[[Sequence[Claim]], Ends]], None]]:
    """Say how jobs of a kind are done together, three at a time by two hands at most."""

    def say(run: Callable[[Sequence[Claim]], Ends]) -> None:
        together = batches.Together(run, 3)
        jobs.declare(
            KIND, jobs.Work(batches.alone(run), lambda _: 60, lambda _: 2, together=together)
        )

    yield say
    jobs._kinds.pop(KIND)


def owe(count: int) -> list[Address]:
    addresses = [Address(KIND, f"{number:02}") for number in range(count)]
    with transaction():
        jobs.ensure((address, "a lane") for address in addresses)
    return addresses


def left(bench: Bench) -> list[str]:
    return [row[0] for row in bench.sql("SELECT subject_id FROM jobs ORDER BY subject_id")]


def test_what_is_claimed_together_is_one_pair_of_hands(bench: Bench, declare: Callable) -> None:
    declare(lambda _claims: {})
    addresses = owe(9)
    first = jobs.claim_together(addresses[4], 3)
    second = jobs.claim_together(addresses[5], 3)
    assert len(first) == len(second) == 3
    assert addresses[4].subject_id in {claim.subject_id for claim in first}
    assert not {claim.subject_id for claim in first} & {claim.subject_id for claim in second}
    held = {claim.subject_id for claim in first + second}
    free = [each for each in addresses if each.subject_id not in held]
    assert jobs.claim_together(free[0], 3) == []
    bench.sql("UPDATE jobs SET leased_until = NULL WHERE subject_id = ANY(:ids)", ids=[*held])
    assert len(jobs.claim_together(free[0], 3)) == 3


def test_no_more_are_claimed_than_asked_for_however_the_database_goes_about_it(
    bench: Bench, declare: Callable
) -> None:
    """A plan may run the choice again for each row, which finds others each time."""
    declare(lambda _claims: {})
    addresses = owe(9)
    with transaction():
        for name in ("hashjoin", "mergejoin", "hashagg", "sort", "material", "memoize"):
            db.session.execute(text(f"SET LOCAL enable_{name} = off"))
        assert len(jobs.claim_together(addresses[4], 3)) == 3


def test_each_job_of_a_batch_ends_as_it_would_alone(bench: Bench, declare: Callable) -> None:
    ends = [Later(50, "wait"), Untried(), ValueError("nobody foresaw that")]
    declare(lambda claims: dict(zip(claims, ends, strict=True)))
    addresses = owe(3)
    before = bench.sql("SELECT due_at FROM jobs WHERE subject_id = '01'")
    assert jobs.run_all(addresses[0]) == {
        addresses[0]: Ran.DONE,
        addresses[1]: Ran.NOTHING,
        addresses[2]: Ran.PARKED,
    }
    rows = bench.sql(
        "SELECT due_at > now() + interval '40 seconds', attempts, parked_at IS NOT NULL, last_error"
        " FROM jobs WHERE leased_until IS NULL ORDER BY subject_id"
    )
    assert rows == [
        (True, 0, False, "wait"),
        (False, 0, False, None),
        (False, 1, True, "ValueError"),
    ]
    assert bench.sql("SELECT due_at FROM jobs WHERE subject_id = '01'") == before
    assert bench.world.cases() == ["job_parked"]


def test_without_an_answer_a_batch_is_postponed(bench: Bench, declare: Callable) -> None:
    def run(_claims: Sequence[Claim]) -> Ends:
        raise Unavailable("nobody is there")

    declare(run)
    ran = jobs.run_all(owe(3)[0])
    assert set(ran.values()) == {Ran.POSTPONED}
    assert len(left(bench)) == 3


def test_promise_12_a_batch_that_fails_is_done_one_by_one(bench: Bench, declare: Callable) -> None:
    done: list[str] = []

    def run(claims: Sequence[Claim]) -> Ends:
        if any(claim.subject_id == "01" for claim in claims):
            raise ZeroDivisionError
        done.extend(claim.subject_id for claim in claims)
        return {}

    declare(run)
    owe(5)
    assert str(sweeps.work_off([KIND])) == "4 done, 0 postponed, 1 parked"
    assert sorted(done) == ["00", "02", "03", "04"]
    assert left(bench) == ["01"]


def test_a_job_that_is_called_for_again_while_it_is_held_is_done_again(
    bench: Bench, declare: Callable
) -> None:
    seen: list[str] = []

    def run(claims: Sequence[Claim]) -> Ends:
        with transaction():
            if not seen:
                jobs.renew(Address(KIND, "01"), "a lane")
        seen.extend(claim.subject_id for claim in claims)
        return {}

    declare(run)
    addresses = owe(3)
    jobs.run_all(addresses[0])
    assert left(bench) == ["01"]
    assert jobs.run(addresses[1]) is Ran.DONE
    assert seen.count("01") == 2
    assert left(bench) == []


def test_who_lost_a_job_neither_writes_for_it_nor_ends_it(bench: Bench, declare: Callable) -> None:
    told: list[Ends] = []

    def run(claims: Sequence[Claim]) -> Ends:
        bench.sql("UPDATE jobs SET token = token + 1 WHERE subject_id = '01'")
        with transaction():
            told.append(batches.hold(claims))
        return told[0]

    declare(run)
    jobs.run_all(owe(3)[0])
    [(lost, why)] = told[0].items()
    assert lost.subject_id == "01"
    assert isinstance(why, Superseded)
    assert left(bench) == ["01"]
    assert bench.sql("SELECT leased_until IS NOT NULL FROM jobs") == [(True,)]


def test_promise_12_one_that_fails_alone_is_found_in_few_steps() -> None:
    steps: list[int] = []

    def act(items: Sequence[int]) -> None:
        steps.append(len(items))
        if 77 in items:
            raise ZeroDivisionError

    failed = batches.in_halves(range(100), act)
    assert list(failed) == [77]
    assert len(steps) < 16


def test_promise_12_a_deposit_that_can_never_be_queued_keeps_no_other(bench: Bench) -> None:
    account = bench.account().public_key
    rows = [bench.deposit(account, str(10 + number)) for number in range(9)]
    in_the_way, unkeyed, undirected = rows[2], rows[4], rows[6]
    bench.sql(
        "INSERT INTO outflows (transaction_id, kind, attempt, key, rail, state, asset, amount,"
        " amount_fee, calls) VALUES (:other, 'payout', 7, :key, 'bank', 'done', 'x', 1, 0, 0)",
        other=in_the_way,
        key=f"{unkeyed}-1",
    )
    bench.sql("UPDATE transactions SET destination = 'Mnonsense' WHERE id = :id", id=undirected)
    sweeps.work_off([PAY_ON_LEDGER])
    parked = bench.sql("SELECT subject_id FROM jobs WHERE parked_at IS NOT NULL")
    assert {row[0] for row in parked} == {unkeyed, undirected}
    assert bench.world.cases() == ["job_parked", "job_parked"]
    for row_id in rows:
        if row_id not in {unkeyed, undirected}:
            bench.wait(row_id)
    assert bench.world.row(unkeyed).amount_out is None
    assert bench.held(account) == "89.0000000"


def test_promise_05_many_hands_open_one_outflow_for_each_deposit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = bench.account().public_key
    rows = [bench.deposit(account, "2") for _ in range(40)]
    together = batches.Together(deposit_payments.pay, 3)
    found = jobs._kinds[PAY_ON_LEDGER]
    monkeypatch.setitem(
        jobs._kinds,
        PAY_ON_LEDGER,
        jobs.Work(found.run, found.lease_s, found.ceiling, together=together),
    )

    def work() -> None:
        with bench.world.app.app_context():
            for row_id in rows:
                jobs.run(Address(PAY_ON_LEDGER, row_id))

    hands = [threading.Thread(target=work) for _ in range(4)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    assert bench.sql("SELECT count(*), count(DISTINCT transaction_id) FROM outflows") == [(40, 40)]
    assert bench.sql("SELECT count(*) FROM jobs WHERE kind = :kind", kind=PAY_ON_LEDGER) == [(0,)]
    for row_id in rows:
        bench.wait(row_id)
    assert bench.held(account) == "40.0000000"


def test_promise_05_a_deposit_that_a_person_stopped_meanwhile_is_not_queued(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = bench.account().public_key
    rows = [bench.deposit(account) for _ in range(3)]
    look = deposit_payments.accounts.look

    def stop(*args: object) -> object:
        bench.sql("UPDATE transactions SET is_resting = true WHERE id = :id", id=rows[1])
        return look(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(deposit_payments.accounts, "look", stop)
    sweeps.work_off([PAY_ON_LEDGER])
    queued = {row[0] for row in bench.sql("SELECT transaction_id FROM outflows")}
    assert queued == {rows[0], rows[2]}


def test_promise_12_an_account_without_an_answer_keeps_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = bench.account().public_key, bench.account().public_key
    rows = [bench.deposit(bad), bench.deposit(good)]
    gateway = bench.world.app.extensions["anchor"].gateway
    account = gateway.account

    def ask(account_id: str, **options: bool) -> object:
        if account_id == bad:
            raise Unavailable("this one cannot be read")
        return account(account_id, **options)

    with monkeypatch.context() as patched:
        patched.setattr(gateway, "account", ask)
        bench.wait(rows[1])
        assert bench.world.status(rows[0]) == "pending_anchor"
    bench.wait(rows[0], hurry=True)
    assert (bench.held(good), bench.held(bad)) == ("99.0000000", "99.0000000")
