"""The demo makes all journeys at once, and tells of each; one that fails stops no other."""

import io
import json
import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from anchor.sandbox import demo
from anchor.sandbox.demo import Demo
from anchor.sandbox.journeys import JOURNEYS, Journey, Scene
from anchor.sandbox.tracks import Track
from anchor.sandbox.wallet import WalletError


def run(monkeypatch: pytest.MonkeyPatch, *journeys: Journey) -> tuple[bool, str]:
    """Run a demo of these journeys at an anchor that is only ready; return what it prints."""
    monkeypatch.setattr(demo, "JOURNEYS", journeys)
    ready = Response(json.dumps({"accounts": ["G"]}), mimetype="application/json")
    with make_server("127.0.0.1", 0, ready) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        settings: Any = SimpleNamespace(
            public_url=f"http://127.0.0.1:{server.server_port}",
            rails={"bank": {}},
            seps={1, 24},
        )
        printed = io.StringIO()
        made = Demo(settings, "S", Console(file=printed, width=80), 0)
        try:
            return made.run(), printed.getvalue()
        finally:
            server.shutdown()
            thread.join()


def test_a_journey_that_fails_is_told_and_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    failed, go_on = threading.Event(), threading.Event()

    def fails(_scene: Scene, track: Track) -> None:
        track.step("it asks", lambda: None)
        failed.set()
        raise WalletError("the anchor refused [it]")

    def waits(_scene: Scene, track: Track) -> None:
        track.step("it waits for the other", lambda: failed.wait(30))
        track.notes.append("All is well.")
        go_on.set()

    one = replace(JOURNEYS[0], name="The one", go=fails)
    other = replace(JOURNEYS[0], name="The other", go=waits)
    absent = replace(JOURNEYS[0], name="Not served here", seps=frozenset({31}))
    completed, printed = run(monkeypatch, one, other, absent)
    assert not completed
    assert go_on.is_set()
    lines = printed.splitlines()
    assert any(line.startswith("✗ The one") for line in lines)
    assert any("WalletError: the anchor refused [it]" in line for line in lines)
    assert any(line.startswith("✓ The other") and line.endswith(" s") for line in lines)
    assert any("All is well." in line for line in lines)
    assert "Not served here" not in printed


def test_all_journeys_have_names_of_their_own() -> None:
    assert len({each.name for each in JOURNEYS}) == len(JOURNEYS)
