"""The second anchor of the demo stands on the sandbox of the first, and takes nothing from it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from anchor import development
from anchor.config import Settings
from anchor.sandbox.neighbour import Neighbour, NeighbourError
from anchor.sandbox.page.place import Place

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def first(tmp_path: Path) -> Iterator[Settings]:
    environ = {"ANCHOR_DATA_DIR": str(tmp_path)}
    yield development.settings(environ)
    development.leave(environ, 30)


def test_a_second_anchor_shares_the_network_and_the_asset_and_nothing_else(
    first: Settings, tmp_path: Path
) -> None:
    issuer = development.issuer_secret({"ANCHOR_DATA_DIR": str(tmp_path)})
    other = Neighbour(tmp_path, issuer, tmp_path / "log")
    for _ in range(2):
        other.prepare("localhost:1")
    place = Place.of(tmp_path / "sandbox")
    assert place is not None
    assert place.anchor_url == first.public_url
    told = (tmp_path / "neighbour" / "anchor.toml").read_text(encoding="utf-8")
    assert told.count('[receiving_anchors."localhost:1"]') == 1
    assert f'issuer = "{first.asset("USDC").issuer}"' in told  # type: ignore[union-attr]
    mine, its = (
        json.loads((folder / "secrets.json").read_text(encoding="utf-8"))
        for folder in (tmp_path, tmp_path / "neighbour")
    )
    assert {name for name in mine if mine[name] == its[name]} == {"issuer"}


def test_nothing_of_it_begins_once_the_demo_is_over(tmp_path: Path) -> None:
    other = Neighbour(tmp_path, "S", tmp_path / "log")
    other.close()
    with pytest.raises(NeighbourError, match="over"):
        other.send("localhost:1", "1", {})
