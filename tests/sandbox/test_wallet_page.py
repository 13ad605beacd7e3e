"""The wallet in the browser obeys its own page alone, and needs an anchor to be there."""

from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from anchor.sandbox.page.application import application
from anchor.sandbox.page.place import Place

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(application(tmp_path))


def test_the_page_and_all_that_it_loads_come_from_here(client: Client) -> None:
    page = client.get("/", base_url="http://localhost:1")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    names = [part.partition('"')[0] for part in page.text.split('="/wallet/')[1:]]
    assert len(names) >= 4
    for name in names:
        assert client.get(f"/{name}", base_url="http://localhost:1").status_code == 200, name
    assert "//" not in page.text.replace("<!doctype", "")
    assert client.get("/application.py", base_url="http://localhost:1").status_code == 404


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/begin", {"base_url": "http://evil.example:1", "headers": JSON}),
        ("/begin", {"data": {"way": "deposit"}}),
        ("/open", {"json": {"way": "deposit"}}),
        ("/pay", {"json": {"id": "x"}}),
    ],
)
def test_whoever_is_not_its_page_is_refused(
    client: Client, tmp_path: Path, path: str, more: dict[str, Any]
) -> None:
    Place("http://localhost:1", "http://localhost:1", "S").keep(tmp_path)
    assert client.post(path, **{"base_url": "http://localhost:1"} | more).status_code == 403


def test_it_says_so_where_no_anchor_is_or_answers(client: Client, tmp_path: Path) -> None:
    assert client.get("/state").json == {"wallet": None}
    answer = client.post("/begin", json={})
    assert (answer.status_code, "No anchor" in answer.text) == (409, True)
    Place("http://localhost:1", "http://localhost:1", "S").keep(tmp_path)
    answer = client.post("/begin", json={})
    assert (answer.status_code, "does not answer" in answer.text) == (502, True)


def test_its_secrets_are_in_a_file_that_its_owner_alone_reads(tmp_path: Path) -> None:
    made = Place("http://localhost:1", "http://localhost:2", "SECRET", "HOOK")
    made.keep(tmp_path)
    assert Place.of(tmp_path) == made
    assert "SECRET" not in repr(made)
    assert "HOOK" not in repr(made)
    assert [file.stat().st_mode & 0o777 for file in tmp_path.iterdir()] == [0o600]
