"""The sandbox answers each recorded request as Horizon did: status, headers and body."""

import json
from collections.abc import Iterator, Set
from typing import Any

import pytest

from anchor.sandbox.network.results import is_code
from tests.sandbox.recording import HELD_BACK, Answer, Played, Replay, Vector, load, objects, read

SUBMISSIONS: list[Vector] = load("transactions")["vectors"]
GETS: list[Vector] = [each for each in load("gets") if "path" in each]
ELDER_LEDGER = 1072

_OFFERS = "the sandbox has no offers, and so no paths from one asset to another"

# recorded requests whose answers are not compared
SKIPPED_SUBMISSIONS = dict.fromkeys(
    (
        "manage_sell_offer:usd_for_xlm",
        "path_receive:xlm_to_usd",
        "path_send:xlm_to_usd",
        "path_receive:over_source_max",
        "path_send:under_dest_min",
    ),
    _OFFERS,
)
SKIPPED_GETS = dict.fromkeys(
    (
        "order_book",
        "paths_receive",
        "paths_receive_acct",
        "paths_send",
        "paths_send_acct",
        "paths_none",
        "paths_bad",
        "offers",
        "trades",
    ),
    _OFFERS,
)

# what one network has for itself alone: compared by presence, not by value
OWN = {
    "ledger": ("id", "hash", "prev_hash", "fee_pool", "protocol_version"),
    "root": (
        "horizon_version",
        "core_version",
        "current_protocol_version",
        "supported_protocol_version",
        "core_supported_protocol_version",
    ),
}


@pytest.fixture(scope="module")
def replay() -> Iterator[Replay]:
    with Replay() as replay:
        replay.play_all()
        yield replay


@pytest.fixture(scope="module")
def gets(replay: Replay) -> dict[str, Answer]:
    replay.sandbox.network.forget_before(ELDER_LEDGER)
    found = {}
    for vector in GETS:
        replay.now = max(replay.now, vector["at"])
        replay.close_until(1252)
        replay.close_until(int(vector["headers"].get("Latest-Ledger", 0)))
        found[vector["name"]] = replay.get(vector["path"], **vector.get("request_headers", {}))
    return found


def without_its_own(body: Any) -> Any:
    body = json.loads(json.dumps(body))
    for each in objects(body) if isinstance(body, dict | list) else ():
        kind = "root" if "horizon_version" in each else "ledger" if "fee_pool" in each else ""
        each.pop("header_xdr", None)
        for name in OWN.get(kind, ()):
            each[name] = type(each[name]).__name__
        if "friendbot" in each:
            each["friendbot"] = sorted(each["friendbot"])
    return body


def without_exchanges(body: Any, left_out: Set[str]) -> Any:
    """A page without the records of transactions for which others stand in."""
    for each in objects(body) if isinstance(body, dict) else ():
        if "records" in each:
            kept = [r for r in each["records"] if r.get("transaction_hash") not in left_out]
            each["records"] = kept
    return body


def check(answer: Answer, vector: Vector, stand_ins: frozenset[str] = frozenset()) -> None:
    left_out = stand_ins | {read(v["tx"])[0] for v in SUBMISSIONS if skips(v)}
    got, recorded = without_its_own(answer.body), without_its_own(vector["body"])
    assert answer.status == vector["status"]
    assert without_exchanges(got, left_out) == without_exchanges(recorded, left_out)
    assert answer.headers == {k: v for k, v in vector["headers"].items() if k not in HELD_BACK}


def skips(vector: Vector) -> bool:
    return vector["name"] in SKIPPED_SUBMISSIONS


def is_in_ledger(vector: Vector) -> bool:
    if vector["status"] == 200 or vector.get("seq_before") != vector.get("seq_after"):
        return True
    codes = vector["body"].get("extras", {}).get("result_codes", {})
    in_ledger_again = vector["name"] in ("tx:resubmit_failed", "fee_bump:inner_failed")
    return in_ledger_again and "operations" in codes


def played(vectors: list[Vector], skipped: dict[str, str]) -> list[Any]:
    marks = ((each, skipped.get(each["name"])) for each in vectors)
    return [
        pytest.param(each, id=each["name"], marks=pytest.mark.skip(reason=why) if why else ())
        for each, why in marks
        if each["name"] != "tx:json_body"
    ]


@pytest.mark.parametrize("vector", played(SUBMISSIONS, SKIPPED_SUBMISSIONS))
def test_a_submission_is_answered_as_it_was_recorded(vector: Vector, replay: Replay) -> None:
    check(replay.submissions[vector["name"]].answer, vector)


@pytest.mark.parametrize(
    "vector",
    played([each for each in SUBMISSIONS if "seq_before" in each], SKIPPED_SUBMISSIONS),
)
def test_a_submission_uses_up_the_recorded_sequence_numbers(vector: Vector, replay: Replay) -> None:
    played = replay.submissions[vector["name"]]
    assert played.sequence_before == vector["seq_before"]
    assert played.sequence_after == vector["seq_after"]


@pytest.mark.parametrize("vector", played(SUBMISSIONS, SKIPPED_SUBMISSIONS))
def test_what_failed_is_in_a_ledger_only_if_it_was_recorded_there(
    vector: Vector, replay: Replay
) -> None:
    played: Played = replay.submissions[vector["name"]]
    if played.by_hash is None:
        assert not is_in_ledger(vector)
    elif is_in_ledger(vector):
        assert played.by_hash.status == 200
        assert played.by_hash.body["successful"] is (vector["status"] == 200)
    else:
        assert played.by_hash.status == 404


def test_a_submission_as_json_is_refused_as_it_was_recorded(replay: Replay) -> None:
    vector = next(each for each in SUBMISSIONS if each["name"] == "tx:json_body")
    url = replay.sandbox.url
    response = replay.http.post(f"{url}/transactions", json={"tx": "AAAA"}, timeout=10)
    check(Answer.of(response, url), vector)


def test_another_method_is_refused_as_it_was_recorded(replay: Replay) -> None:
    url = replay.sandbox.url
    response = replay.http.delete(f"{url}/fee_stats", timeout=10)
    check(Answer.of(response, url), next(v for v in load("gets") if v["name"] == "delete_405"))


def test_a_browser_from_anywhere_may_ask_as_it_was_recorded(replay: Replay) -> None:
    url = replay.sandbox.url
    headers = {"Origin": "http://x", "Access-Control-Request-Method": "GET"}
    response = replay.http.options(f"{url}/fee_stats", headers=headers, timeout=10)
    check(Answer.of(response, url), next(v for v in load("gets") if v["name"] == "cors_preflight"))


def _get_is_skipped(vector: Vector) -> str | None:
    named = vector["name"].partition(":")[2]
    return SKIPPED_GETS.get(vector["name"]) or SKIPPED_SUBMISSIONS.get(named)


@pytest.mark.parametrize(
    "vector", played(GETS, {v["name"]: why for v in GETS if (why := _get_is_skipped(v))})
)
def test_a_get_is_answered_as_it_was_recorded(
    vector: Vector, gets: dict[str, Answer], replay: Replay
) -> None:
    check(gets[vector["name"]], vector, frozenset(replay.stand_ins))


def test_what_is_left_out_was_recorded_and_everything_else_is_compared() -> None:
    assert {each["name"] for each in SUBMISSIONS} >= set(SKIPPED_SUBMISSIONS)
    assert {each["name"] for each in GETS} >= set(SKIPPED_GETS)
    left_out = set(SKIPPED_SUBMISSIONS) | {each["name"] for each in GETS if _get_is_skipped(each)}
    names = [each["name"] for each in (*SUBMISSIONS, *GETS)]
    assert len(names) - len(left_out) >= 320
    assert len(names) == len(set(names))


def test_each_recorded_failure_can_be_asked_for_by_its_word() -> None:
    codes = [each["body"].get("extras", {}).get("result_codes", {}) for each in SUBMISSIONS]
    words = {
        word for each in codes for word in (each.get("transaction"), *each.get("operations", []))
    }
    unknown = {word for word in words - {None, "op_success"} if not is_code(word)}
    assert unknown <= {"tx_fee_bump_inner_failed"}
