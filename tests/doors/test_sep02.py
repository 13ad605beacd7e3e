"""SEP-2: an open withdrawal has an address, and nothing else has one."""

import tomllib
from base64 import b64encode
from typing import Any

import pytest

from anchor.extensions import db, transaction
from tests.doors.test_page_steps import visited
from tests.test_config import GOOD, problems
from tests.test_expiry import sql
from tests.world import ACCOUNT, World

PATH = "/federation"


def asked(world: World, q: str | None, kind: str = "name", **more: str) -> Any:
    query = {"type": kind, **more} | ({"q": q} if q is not None else {})
    return world.app.test_client().get(PATH, query_string=query)


@pytest.mark.conforms("SEP2-01", "SEP2-02", "SEP2-03", "GEN-02")
def test_an_open_withdrawal_is_paid_by_its_address(federated: World) -> None:
    row_id = federated.withdrawal()
    address = f"{row_id}*localhost"
    answer = asked(federated, address)
    assert answer.json == {
        "stellar_address": address,
        "account_id": federated.distribution,
        "memo_type": "id",
        "memo": federated.memo(row_id),
    }
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == "no-store"
    assert asked(federated, f"{row_id}*OTHER.example").status_code == 200
    federated.pay("100", federated.memo(row_id))
    federated.read()
    assert asked(federated, address).status_code == 404, "nobody pays twice"


@pytest.mark.conforms("SEP2-02")
def test_a_hash_is_told_in_base_64(federated: World) -> None:
    row_id = federated.withdrawal()
    sql("UPDATE memos SET memo_type = 'hash', memo = :memo", memo="ab" * 32)
    found = asked(federated, f"{row_id}*localhost").json
    assert (found["memo_type"], found["memo"]) == ("hash", b64encode(b"\xab" * 32).decode())


@pytest.mark.conforms("SEP2-01", "SEP2-02", "GEN-02", "GEN-07")
def test_nothing_else_is_found_and_nothing_is_told_apart(federated: World) -> None:
    row_id, deposit = federated.withdrawal(), federated.deposit()
    over = federated.withdrawal()
    with transaction():
        db.session.execute(
            db.text("UPDATE transactions SET status = 'expired' WHERE id = :id"), {"id": over}
        )
    for q, kind in (
        (f"{deposit}*localhost", "name"),
        (f"{over}*localhost", "name"),
        (f"{'0' * 32}*localhost", "name"),
        (f"{row_id}*evil.example", "name"),
        (f"{row_id.upper()}*localhost", "name"),
        (f"{row_id}*", "name"),
        (row_id, "name"),
        ("", "name"),
        (None, "name"),
        ("ada*localhost", "name"),
        ("a\u0661*localhost", "name"),
        (federated.payer.public_key, "id"),
        (federated.distribution, "id"),
        ("0" * 64, "txid"),
    ):
        answer = asked(federated, q, kind)
        assert answer.status_code == 404 or (q == "" and answer.status_code == 400), (q, kind)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        if answer.status_code == 404:
            assert answer.json == {"error": "there is no such address"}


@pytest.mark.conforms("SEP2-01")
def test_a_forward_is_refused_and_so_is_what_is_no_question(federated: World) -> None:
    answer = asked(federated, None, "forward", forward_type="bank_account", swift="BOPBPHMM")
    assert (answer.status_code, answer.json["error"]) == (
        400,
        "payments are not forwarded here; open a withdrawal",
    )
    for kind in ("", "other"):
        assert asked(federated, "x*localhost", kind).status_code == 400
    assert federated.app.test_client().get(PATH).status_code == 400


def test_the_page_shows_the_address_beside_the_memo(federated: World) -> None:
    federated.fund()
    visitor = visited(federated, federated.app.test_client())
    visitor.send(amount="100")
    visitor.send(bank_account_number=ACCOUNT)
    visitor.send()
    assert visitor.step == "status"
    assert f"{visitor.place.split('/')[3]}*localhost" in visitor.page.text


def test_it_is_announced_where_it_is_on_and_only_there(federated: World, world: World) -> None:
    toml = "/.well-known/stellar.toml"
    found = tomllib.loads(federated.app.test_client().get(toml).text)
    assert found["FEDERATION_SERVER"] == "http://localhost/federation"
    off = world.app.test_client()
    assert "FEDERATION_SERVER" not in tomllib.loads(off.get(toml).text)
    assert off.get(PATH, query_string={"type": "name", "q": "a*b"}).status_code == 404
    with world.app.app_context():
        row_id = world.withdrawal()
    assert asked(world, f"{row_id}*localhost").status_code == 404


def test_two_federation_servers_cannot_be_announced(tmp_path: Any) -> None:
    text = GOOD.replace("[network]", "seps = [1, 2, 10]\n[network]")
    text += '[stellar_toml]\nfederation_server = "https://other.example/federation"\n'
    assert "2 in anchor.seps announces our own" in problems(tmp_path, text)
