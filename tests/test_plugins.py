"""Plug-ins are found by entry point, and a broken one stops the start with its name."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from anchor.errors import Misconfigured
from anchor.integrations import registry
from tests.installing import install_example_rail

ROOT = Path(__file__).parents[1]


def test_a_package_that_is_really_installed_is_found(tmp_path: Path) -> None:
    target = install_example_rail(tmp_path)
    code = (
        "from anchor.integrations.registry import load_rails\n"
        "print(type(load_rails(['pigeon', 'bank'], {'bank': {'url': 'http://x'}})['pigeon']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{target}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "example_rail.PigeonRail" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([], "is not installed"),
        (["anchor.integrations.bank:SimulatedBankRail", "other:Rail"], "registered twice"),
        (["no_such_module:Rail"], "cannot be imported"),
        (["anchor.money:parse_amount"], "is not a RailsIntegration"),
        (["anchor.integrations.bank:SimulatedBankRail"], "refuses its options"),
    ],
)
def test_a_broken_rail_stops_the_start(
    points: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [EntryPoint("odd", value, registry.RAILS) for value in points]
    monkeypatch.setattr(registry, "entry_points", lambda group: made)
    with pytest.raises(Misconfigured, match=said) as caught:
        registry.load_rails(["odd"], {})
    assert "odd" in str(caught.value)


def test_what_a_rail_asks_customers_for_is_read_from_its_class() -> None:
    from dataclasses import dataclass

    from anchor.integrations.protocols import Field, Outcome, OutgoingTransaction, RailsIntegration

    @dataclass
    class Rail(RailsIntegration):
        withdrawal_fields = (Field("bank_account_number", "Account number"),)
        deposit_fields = (Field("email_address", "E-mail"),)
        webhook_headers = ("x-signature",)

        def execute_outgoing_transaction(self, transaction: OutgoingTransaction) -> Outcome:
            raise AssertionError

    made = Rail("rail", {})
    assert [field.name for field in made.withdrawal_fields] == ["bank_account_number"]
    assert [field.name for field in made.deposit_fields] == ["email_address"]
    assert made.webhook_headers == ("x-signature",)
