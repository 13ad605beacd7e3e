"""The table of moves proves what the promises lean on."""

from itertools import product

import pytest

from anchor import lifecycle
from anchor.lifecycle import (
    FINAL,
    INITIAL,
    PAYOUT_EVENTS,
    REFUND_EVENTS,
    TABLE,
    Event,
    Kind,
    NoSuchMove,
    Status,
)
from scripts.make_conformance import rows

S = Status
_RAIL_HOME = {S.PENDING_ANCHOR, S.PENDING_RECEIVER}

#: The tables of SEP-6 and SEP-24 as texts and diagrams give them, without funds and with; with
#: funds in, an operator may also hold or refund what waits for the customer.
WITHDRAWAL_WITHOUT = {
    S.INCOMPLETE: "pending_anchor pending_user_transfer_start pending_user"
    " pending_customer_info_update expired error",
    S.PENDING_ANCHOR: "incomplete pending_user_transfer_start pending_user"
    " pending_customer_info_update expired error",
    S.PENDING_CUSTOMER_INFO_UPDATE: "pending_customer_info_update pending_anchor"
    " pending_user_transfer_start expired error",
    S.PENDING_TRANSACTION_INFO_UPDATE: "pending_anchor expired error",
    S.PENDING_USER_TRANSFER_START: "pending_anchor too_small too_large expired error",
    S.PENDING_USER: "pending_anchor pending_user_transfer_start expired error",
    S.TOO_SMALL: "pending_anchor expired error",
    S.TOO_LARGE: "pending_anchor expired error",
}
WITHDRAWAL_WITH = {
    S.PENDING_ANCHOR: "pending_external pending_user pending_user_transfer_complete on_hold"
    " pending_stellar pending_customer_info_update pending_transaction_info_update"
    " completed refunded error",
    S.PENDING_EXTERNAL: "completed pending_anchor pending_user_transfer_complete error",
    S.ON_HOLD: "pending_anchor pending_user_transfer_complete refunded error",
    S.PENDING_USER: "pending_anchor on_hold refunded error",
    S.PENDING_STELLAR: "refunded pending_anchor error",
    S.PENDING_USER_TRANSFER_COMPLETE: "completed pending_anchor error",
    S.PENDING_CUSTOMER_INFO_UPDATE: "pending_customer_info_update pending_anchor on_hold refunded"
    " error",
    S.PENDING_TRANSACTION_INFO_UPDATE: "pending_anchor on_hold refunded error",
    S.TOO_SMALL: "pending_anchor refunded error",
    S.TOO_LARGE: "pending_anchor refunded error",
    S.ERROR: "pending_anchor refunded",
    S.EXPIRED: "pending_anchor refunded",
    S.INCOMPLETE: "pending_anchor refunded error",
    S.PENDING_USER_TRANSFER_START: "pending_anchor refunded error",
}
DEPOSIT_WITHOUT = WITHDRAWAL_WITHOUT | {
    S.INCOMPLETE: f"{WITHDRAWAL_WITHOUT[S.INCOMPLETE]} pending_trust",
    S.PENDING_USER_TRANSFER_START: "pending_external pending_anchor too_small too_large expired"
    " error",
    S.PENDING_EXTERNAL: "pending_anchor too_small too_large expired error",
    S.PENDING_TRUST: "pending_user_transfer_start expired error",
}
_SHARED = WITHDRAWAL_WITH.keys() - {S.PENDING_USER_TRANSFER_COMPLETE}
DEPOSIT_WITH = {status: WITHDRAWAL_WITH[status] for status in _SHARED} | {
    S.PENDING_ANCHOR: "pending_trust pending_user pending_stellar pending_external no_market"
    " on_hold pending_customer_info_update pending_transaction_info_update"
    " completed refunded error",
    S.PENDING_TRUST: "pending_anchor pending_stellar completed on_hold pending_external refunded"
    " error",
    S.PENDING_STELLAR: "completed pending_anchor pending_trust error",
    S.PENDING_EXTERNAL: "pending_anchor too_small too_large refunded error",
    S.NO_MARKET: "pending_anchor refunded error",
    S.ON_HOLD: "pending_anchor refunded error",
}
SEND_WITHOUT = {
    S.PENDING_RECEIVER: "pending_sender pending_customer_info_update expired error",
    S.PENDING_SENDER: "pending_receiver expired error",
    S.PENDING_CUSTOMER_INFO_UPDATE: "pending_customer_info_update pending_receiver"
    " pending_sender expired error",
    S.PENDING_TRANSACTION_INFO_UPDATE: "pending_receiver expired error",
}
SEND_WITH = {
    S.PENDING_RECEIVER: "pending_external pending_stellar pending_customer_info_update"
    " pending_transaction_info_update completed refunded error",
    S.PENDING_EXTERNAL: "completed pending_receiver refunded error",
    S.PENDING_STELLAR: "refunded pending_receiver error",
    S.PENDING_CUSTOMER_INFO_UPDATE: "pending_customer_info_update pending_receiver refunded error",
    S.PENDING_TRANSACTION_INFO_UPDATE: "pending_receiver refunded error",
    S.ERROR: "pending_receiver refunded",
    S.EXPIRED: "pending_receiver refunded",
    S.PENDING_SENDER: "pending_receiver refunded error",
}


#: What is sent by another anchor (ADR 026): all that is not final may fail.
REMITTANCE_WITHOUT = {S.PENDING_USER_TRANSFER_START: "pending_anchor expired error"}
REMITTANCE_WITH = {
    S.PENDING_USER_TRANSFER_START: "pending_anchor refunded error",
    S.PENDING_ANCHOR: "pending_stellar pending_external pending_customer_info_update on_hold"
    " refunded error",
    S.PENDING_CUSTOMER_INFO_UPDATE: "pending_anchor on_hold refunded error",
    S.PENDING_STELLAR: "pending_external pending_anchor error",
    S.PENDING_EXTERNAL: "completed pending_anchor error",
    S.ON_HOLD: "pending_anchor refunded error",
    S.ERROR: "pending_anchor refunded",
    S.EXPIRED: "pending_anchor refunded",
}


#: What each table lists: the kind, whether there are funds, and the moves.
LISTED: dict[str, list[tuple[Kind, bool, dict[Status, str]]]] = {
    "8.12/*": [
        (Kind.WITHDRAWAL, False, WITHDRAWAL_WITHOUT),
        (Kind.WITHDRAWAL, True, WITHDRAWAL_WITH),
        (Kind.DEPOSIT, False, DEPOSIT_WITHOUT),
        (Kind.DEPOSIT, True, DEPOSIT_WITH),
    ],
    "9.5/*": [(Kind.SEND, False, SEND_WITHOUT), (Kind.SEND, True, SEND_WITH)],
    "ADR 026": [
        (Kind.REMITTANCE, False, REMITTANCE_WITHOUT),
        (Kind.REMITTANCE, True, REMITTANCE_WITH),
    ],
}


@pytest.mark.conforms("8.12/*", "9.5/*")
@pytest.mark.parametrize(
    ("kind", "funds_in", "listed"), [each for table in LISTED.values() for each in table]
)
def test_the_moves_are_those_of_the_seps(
    kind: Kind, funds_in: bool, listed: dict[Status, str]
) -> None:
    found: dict[Status, set[Status]] = {}
    for row in TABLE:
        stays = row.status == row.target and row.event is not Event.CUSTOMER_INFO_NEEDED
        if row.kind == kind and row.funds_in == funds_in and not stays:
            found.setdefault(row.status, set()).add(row.target)
    assert found == {
        status: {Status(word) for word in words.split()} for status, words in listed.items()
    }


@pytest.mark.conforms("8.12/*", "9.5/*")
@pytest.mark.parametrize("table", ["8.12/*", "9.5/*"])
def test_each_row_of_the_tables_of_the_seps_is_listed_or_final(table: str) -> None:
    listed = {status for _, _, moves in LISTED[table] for status in moves}
    assert listed | FINAL == set(rows(table))


@pytest.mark.parametrize("kind", Kind)
def test_a_move_is_in_the_table_or_it_is_refused(kind: Kind) -> None:
    rows = {(r.status, r.funds_in, r.event): r.target for r in TABLE if r.kind == kind}
    for status, funds_in, event in product(Status, (False, True), Event):
        target = rows.get((status, funds_in, event))
        if target is None:
            with pytest.raises(NoSuchMove):
                lifecycle.next_status(kind, status, funds_in=funds_in, event=event)
        else:
            found = lifecycle.next_status(kind, status, funds_in=funds_in, event=event)
            assert found == target


def test_no_situation_has_two_rows() -> None:
    keys = [(r.kind, r.status, r.funds_in, r.event) for r in TABLE]
    assert len(keys) == len(set(keys))


def test_promise_04_nothing_pays_out_or_refunds_without_funds_in() -> None:
    assert all(row.funds_in for row in TABLE if row.event in PAYOUT_EVENTS | REFUND_EVENTS)
    assert all(row.funds_in for row in TABLE if row.target in FINAL)


@pytest.mark.conforms("ST-02")
def test_promise_04_nothing_expires_with_funds_in() -> None:
    assert not [r for r in TABLE if r.event is Event.EXPIRED and r.funds_in]
    assert not [r for r in TABLE if r.target is Status.EXPIRED and r.funds_in]


@pytest.mark.parametrize("kind", Kind)
def test_promise_04_money_may_arrive_in_every_status_that_is_not_over(kind: Kind) -> None:
    over = FINAL | {Status.ERROR, Status.EXPIRED}
    for row in TABLE:
        if row.kind == kind and row.status not in over:
            lifecycle.next_status(
                kind, row.status, funds_in=row.funds_in, event=Event.FUNDS_RECEIVED
            )


@pytest.mark.conforms("ST-01")
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.SEND])
def test_only_what_was_paid_is_held_and_then_it_goes_on_as_before(kind: Kind) -> None:
    """A send has no word for it; its status stays as it is."""
    assert all(row.funds_in for row in TABLE if Status.ON_HOLD in {row.status, row.target})
    freed = lifecycle.next_status(kind, Status.ON_HOLD, funds_in=True, event=Event.RELEASED)
    assert freed is Status.PENDING_ANCHOR


def test_what_is_final_has_no_way_out() -> None:
    assert not [row for row in TABLE if row.status in FINAL]


@pytest.mark.parametrize("kind", Kind)
def test_every_status_can_be_reached_and_every_other_one_can_end(kind: Kind) -> None:
    rows = [row for row in TABLE if row.kind == kind]
    reached = {(status, False) for status in INITIAL[kind]}
    while True:
        more = {
            (row.target, row.funds_in or row.event is Event.FUNDS_RECEIVED)
            for row in rows
            if (row.status, row.funds_in) in reached
        }
        if more <= reached:
            break
        reached |= more
    assert {status for status, _ in reached} == lifecycle.statuses_of(kind)
    ends = FINAL | {Status.EXPIRED, Status.ERROR}
    can_end = set(ends)
    while True:
        more_ends = {row.status for row in rows if row.target in can_end}
        if more_ends <= can_end:
            break
        can_end |= more_ends
    assert can_end >= lifecycle.statuses_of(kind)


@pytest.mark.conforms("ST-06")
def test_statuses_of_one_kind_do_not_appear_in_another() -> None:
    words = {kind: lifecycle.statuses_of(kind) for kind in Kind}
    assert Status.PENDING_TRUST not in words[Kind.WITHDRAWAL] | words[Kind.SEND]
    assert Status.NO_MARKET not in words[Kind.WITHDRAWAL] | words[Kind.SEND]
    assert Status.PENDING_USER_TRANSFER_COMPLETE not in words[Kind.DEPOSIT] | words[Kind.SEND]
    assert Status.PENDING_SENDER not in words[Kind.WITHDRAWAL] | words[Kind.DEPOSIT]
    assert words[Kind.DEPOSIT] == words[Kind.DEPOSIT_EXCHANGE]
    assert words[Kind.WITHDRAWAL] == words[Kind.WITHDRAWAL_EXCHANGE]
