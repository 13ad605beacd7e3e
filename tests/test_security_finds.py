"""What a hostile reading found, so that it stays found."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from threading import Thread

import psycopg
import pytest
from click.testing import Result
from flask import request
from werkzeug.test import encode_multipart

from anchor.cli import group
from anchor.config import Secret
from anchor.integrations.store import RuledStore
from anchor.services import customer_codes
from tests.doors.test_sep12_files import listed, part, uploaded
from tests.knowing import NAMES, PNG, Kyc, work
from tests.waiting import until
from tests.world import World

JSON = {"Content-Type": "application/json"}
#: A few letters that stand for 100 MB of digits, or for more than a `Decimal` can hold.
HUGE = ("1e99999999", "-1e99999999", "1e-99999999", "0e99999999", "1e99999999999999999999")


@pytest.mark.parametrize("number", HUGE)
def test_no_number_in_a_body_becomes_gigabytes_of_digits(world: World, number: str) -> None:
    client = world.app.test_client()
    headers = world.log_in(client) | JSON
    raw = f'{{"asset_code": "USDC", "amount": {number}}}'
    for path in ("/auth", "/sep24/transactions/deposit/interactive", "/sep38/quote"):
        answer = client.post(path, data=raw, headers=headers)
        assert answer.status_code == 400
        assert answer.json == {"error": "a number in the body is too large or too small"}


@pytest.mark.parametrize("name", ["id", "memo", "occupation"])
def test_nor_does_one_that_says_something_of_a_customer(kyc: Kyc, name: str) -> None:
    headers = kyc.log_in() | JSON
    for number in HUGE:
        answer = kyc.client.put("/kyc/customer", data=f'{{"{name}": {number}}}', headers=headers)
        assert answer.status_code == 400
        assert "too large or too small" in answer.json["error"]


def test_a_file_of_one_customer_is_not_anothers_and_either_can_be_erased(kyc: Kyc) -> None:
    headers, me = kyc.log_in(), kyc.world.payer.public_key
    file_id = uploaded(kyc, headers)
    first = kyc.registered(headers, memo="1", photo_id_front_file_id=file_id)
    kyc.registered(headers, memo="2", **NAMES)
    refused = kyc.put(headers, memo="2", photo_id_front_file_id=file_id)
    assert refused.status_code == 400
    assert refused.json == kyc.put(headers, memo="2", photo_id_front_file_id="f" * 32).json
    assert [each["customer_id"] for each in listed(kyc, headers, file_id=file_id)] == [first]
    twice = {"photo_id_front_file_id": file_id, "photo_id_back_file_id": file_id}
    assert kyc.put(headers, memo="1", **twice).status_code == 202
    for memo in ("2", "1"):
        gone = kyc.client.delete(f"/kyc/customer/{me}", json={"memo": memo}, headers=headers)
        assert gone.status_code == 200
    assert listed(kyc, headers, file_id=file_id) == []


@contextmanager
def everybody_waits(world: World) -> Iterator[Callable[[int], None]]:
    """Hold all customers; what is yielded waits until so many queue for one."""
    queue = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    url = world.settings.database_url.replace("+psycopg", "")
    with psycopg.connect(url) as holder, psycopg.connect(url, autocommit=True) as looking:
        holder.execute("SELECT 1 FROM customers FOR UPDATE")
        yield lambda many: until(lambda: looking.execute(queue).fetchone() == (many,))


@pytest.mark.parametrize("is_proved_already", [False, True])
def test_a_code_proves_nothing_of_a_number_that_changes_while_it_is_looked_at(
    kyc: Kyc, monkeypatch: pytest.MonkeyPatch, is_proved_already: bool
) -> None:
    """The code is right for one's own number, and as it counts somebody else's stands there."""
    codes: list[str] = []
    monkeypatch.setattr(RuledStore, "send_code", lambda _, record, name, code: codes.append(code))
    headers = kyc.log_in()
    mine = {"mobile_number": "+4915112345678", "first_name": "Ada"}
    customer_id = kyc.registered(headers, type="coded", **mine)
    work(customer_codes.SEND)
    proof = {"id": customer_id, "mobile_number_verification": codes[0]}
    if is_proved_already:
        kyc.registered(headers, **proof)
    answers: dict[str, int] = {}

    def put(what: str, body: dict[str, str]) -> None:
        client = kyc.world.app.test_client()
        answers[what] = client.put("/kyc/customer", json=body, headers=headers).status_code

    change = {"id": customer_id, "mobile_number": "+4915199999999"}
    threads = [Thread(target=put, args=each) for each in (("changed", change), ("proved", proof))]
    with everybody_waits(kyc.world) as until_queued:
        for many, thread in enumerate(threads, 1):
            thread.start()
            until_queued(many)
    for thread in threads:
        thread.join()
    assert answers == {"changed": 202, "proved": 400}
    assert kyc.seen(headers, type="coded")["status"] == "NEEDS_INFO"


def test_a_code_for_a_customer_that_is_erased_meanwhile_is_refused(
    kyc: Kyc, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: list[str] = []
    monkeypatch.setattr(RuledStore, "send_code", lambda _, record, name, code: codes.append(code))
    headers, me = kyc.log_in(), kyc.world.payer.public_key
    kyc.registered(headers, type="coded", first_name="Ada", mobile_number="+4915112345678")
    work(customer_codes.SEND)
    found: list[int] = []

    def erase() -> None:
        client = kyc.world.app.test_client()
        found.append(client.delete(f"/kyc/customer/{me}", headers=headers).status_code)

    def prove() -> None:
        body = {"mobile_number_verification": codes[0]}
        client = kyc.world.app.test_client()
        found.append(client.put("/kyc/customer", json=body, headers=headers).status_code)

    threads = [Thread(target=erase), Thread(target=prove)]
    with everybody_waits(kyc.world) as until_queued:
        for many, thread in enumerate(threads, 1):
            thread.start()
            until_queued(many)
    for thread in threads:
        thread.join()
    assert sorted(found) == [200, 400]


def test_files_of_the_largest_id_are_like_any_others(kyc: Kyc) -> None:
    largest, me = 2**64 - 1, kyc.world.payer.public_key
    for headers in (kyc.log_in(memo=str(largest)), kyc.log_in_muxed(largest)):
        file_id = uploaded(kyc, headers)
        assert len(listed(kyc, headers, file_id=file_id)) == 1
        customer_id = kyc.registered(headers, photo_id_front_file_id=file_id)
        assert len(listed(kyc, headers, customer_id=customer_id)) == 1
        assert kyc.client.delete(f"/kyc/customer/{me}", headers=headers).status_code == 200
        assert listed(kyc, headers, file_id=file_id) == []


def test_promise_15_a_file_is_on_no_disk_before_it_is_sealed(kyc: Kyc) -> None:
    boundary, raw = encode_multipart({"file": part(PNG + b"x" * 2_000_000)})
    type_ = f"multipart/form-data; boundary={boundary}"
    with kyc.world.app.test_request_context(method="POST", data=raw, content_type=type_):
        request.max_content_length = len(raw)
        stream = request.files["file"].stream
        assert isinstance(stream, BytesIO)
        assert stream.getbuffer().nbytes == len(PNG) + 2_000_000


def test_what_a_customer_gives_writes_no_lines_of_its_own_on_the_operators_screen(kyc: Kyc) -> None:
    """Line breaks, escape sequences (also of one letter), and letters that turn the text round."""
    address = "1 Road\r\nstands    plain: ACCEPTED\n\u202eEvil"
    customer_id = kyc.registered(kyc.log_in(), **NAMES, address=address)
    words = ["customers", "show", customer_id, "--values"]
    shown = kyc.world.app.test_cli_runner().invoke(group, words).output
    [line] = [each for each in shown.splitlines() if each.startswith("field     address")]
    assert line.endswith(r"1 Road\r\nstands    plain: ACCEPTED\n\u202eEvil")
    assert [each for each in shown if not each.isprintable()] == ["\n"] * shown.count("\n")


@pytest.mark.parametrize("letter", ["\x1b", "\x7f", "\x85", "\x9b"])
def test_no_control_character_is_kept_whatever_its_length(kyc: Kyc, letter: str) -> None:
    headers = kyc.log_in()
    assert kyc.put(headers, first_name=f"A{letter}31m").status_code == 400
    assert kyc.put(headers, address=f"A{letter}31m").status_code == 400
    assert kyc.get(headers, memo=f"A{letter}31m").status_code == 400
    path = "/sep24/transaction"
    told = kyc.client.get(path, query_string={"id": f"A{letter}31m"}, headers=headers)
    assert told.status_code == 400


def test_erasing_takes_files_that_nobody_referred_to_and_leaves_those_of_others(kyc: Kyc) -> None:
    me = kyc.world.payer.public_key
    whole, five, text = kyc.log_in(), kyc.log_in(memo="5"), {"memo": "abc", "memo_type": "text"}
    kyc.registered(whole, **NAMES, **text)
    of_whole, of_five = uploaded(kyc, whole), uploaded(kyc, five)
    path = f"/kyc/customer/{me}"
    assert kyc.client.delete(path, json=text, headers=whole).status_code == 200
    assert len(listed(kyc, whole, file_id=of_whole)) == 1, "another customer may be waiting for it"
    assert kyc.client.delete(path, headers=five).status_code == 200, "a file was held of them"
    assert listed(kyc, five, file_id=of_five) == []
    assert kyc.client.delete(path, headers=five).status_code == 404
    assert len(listed(kyc, whole, file_id=of_whole)) == 1


def test_nobody_is_accepted_with_what_the_operator_never_saw(kyc: Kyc) -> None:
    def run(*words: str) -> Result:
        return kyc.world.app.test_cli_runner().invoke(group, ["customers", *words])

    headers, sender = kyc.log_in(), {"type": "sep31-sender", "id_type": "passport"}
    customer_id = kyc.registered(headers, **sender, first_name="Ada")
    version = str(json.loads(run("show", customer_id, "--values", "--json").output)["version"])
    assert f"version   {version}\n" in run("show", customer_id).output
    kyc.registered(headers, **sender, first_name="Mallory")
    assert run("accept", customer_id).exit_code == 2
    refused = run("accept", customer_id, "--version", version)
    said = f"more was given since version {version}; look again\n"
    assert (refused.exit_code, refused.output) == (1, said)
    assert kyc.seen(headers, type="sep31-sender")["status"] == "PROCESSING"
    version = str(json.loads(run("show", customer_id, "--values", "--json").output)["version"])
    assert run("accept", customer_id, "--version", version).exit_code == 0


def test_nobody_has_a_form_of_countless_fields_taken_apart(world: World) -> None:
    """Pages read no form of whoever is not in a session of theirs."""
    client, path = world.app.test_client(), "/auth"
    as_form = {"Content-Type": "application/x-www-form-urlencoded"}
    most = "&".join(["a=1"] * 1_000)
    assert client.post(path, data=most, headers=as_form).status_code == 400
    for body in (f"{most}&a=1", "&" * 900_000, "a=%ff&" * 100_000):
        assert client.post(path, data=body, headers=as_form).status_code == 413


def test_promise_15_settings_that_are_printed_tell_no_key_of_a_plug_in(world: World) -> None:
    """A bug report that shows local variables, or a log that shows the settings."""
    address = "https://key-of-ours@node.example/key-of-ours"
    options = {"name": {"token": "key-of-ours"}}
    told = replace(
        world.settings,
        horizon_urls=(address,),
        rpc_url=address,
        database_url=address,
        broker_url=address,
        redis_url=address,
        signing_secret=Secret("key-of-ours"),
        distribution_secrets={"USDC": Secret("key-of-ours")},
        customer_keys={"one": Secret("key-of-ours")},
        rails=options,
        rates=options,
        custody_options=options,
        customers=replace(world.settings.customers, options={"codes_url": address}),
    )
    assert "key-of-ours" not in repr(told)
