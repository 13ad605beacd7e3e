"""Schemathesis tries every operation with whatever its description allows, and what it does not."""

import os
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.contracts import Customer, dispose, with_contracts
from tests.doors.test_admin import DOORS
from tests.knowing import NAMES, Kyc
from tests.operating import bearing
from tests.sending import Remitter
from tests.transfers import Wallet
from tests.world import World

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
#: What is for operators is tried by tests of its own.
_APART = ("/admin", "/console")
_MODES = list(schemathesis.GenerationMode)
LONG = bool(os.environ.get("ANCHOR_TEST_LONG"))


def attack(
    world: World,
    examples: int,
    number: int,
    below: str = "/",
    token: dict[str, str] | None = None,
    **more: Any,
) -> dict[str, set[int]]:
    """Try each operation with and without a token; return the statuses that came, by operation.

    Now and then a value is one that the anchor knows, or one of `more`.
    """
    client = world.app.test_client()
    world.fund()
    known = {
        "asset_code": "USDC",
        "asset_issuer": world.policy.issuer,
        "account": world.payer.public_key,
        "id": world.withdrawal(),
        "amount": "10",
        "name": "bank",
        "funding_method": "bank",
        "destination_asset": "USDC",
        "source_asset": "iso4217:BRL",
        **more,
    }
    tokens: list[dict[str, str]] = [token or world.log_in(client), {}]
    schema = schemathesis.openapi.from_wsgi("/openapi.json", world.app)
    seen: dict[str, set[int]] = {}
    for result in schema.get_all_operations():
        operation = result.ok()
        is_apart = operation.path.startswith(_APART) and not below.startswith(_APART)
        if is_apart or not operation.path.startswith(below):
            continue
        for mode in _MODES:
            _try(
                operation,
                mode,
                (tokens, known),
                examples,
                number,
                seen.setdefault(operation.label, set()),
            )
    return seen


def _try(
    operation: Any,
    mode: Any,
    means: tuple[list[dict[str, str]], dict[str, Any]],
    examples: int,
    number: int,
    seen: set[int],
) -> None:
    tokens, known = means

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode), st.sets(st.sampled_from(sorted(known))))
    def tried(case: Any, names: set[str]) -> None:
        for place in (case.query, case.path_parameters, case.body):
            if isinstance(place, dict):
                place.update({name: known[name] for name in names & place.keys()})
        for headers in tokens:
            response = case.call(headers={**(case.headers or {}), **headers})
            case.validate_response(response, checks=CHECKS)
            assert response.status_code < 500 or operation.path == "/ready", response.text
            seen.add(response.status_code)

    with suppress(Unsatisfiable):  # nothing can be wrong where nothing is asked
        tried()


def test_no_operation_fails_or_answers_otherwise_than_it_says(world: World) -> None:
    seen = attack(world, examples=20, number=1)
    assert 200 in seen["GET /sep24/transactions"]
    assert {403} < seen["POST /sep24/transactions/withdraw/interactive"]
    assert len(seen) >= 14


@pytest.mark.timeout(300)
def test_no_operation_fails_where_customers_and_their_own_screens_are_served(
    holder: Wallet,
) -> None:
    holder.known()
    seen = attack(holder.world, examples=12, number=1, below="/sep6")
    assert 200 in seen["GET /sep6/transactions"]
    assert {400, 403} <= seen["GET /sep6/withdraw-exchange"]


def test_no_operation_of_sending_anchors_fails(remitter: Remitter) -> None:
    seen = attack(remitter.world, examples=15, number=1, below="/sep31")
    assert seen.keys() >= {"POST /sep31/transactions", "GET /sep31/transactions/{transaction_id}"}


def test_no_operation_of_operators_fails(world: World) -> None:
    row_id = world.paid_withdrawal()
    world.pay("25", "id:12345")
    world.read()
    known = {"transaction_id": row_id, "case_id": "1", "key": f"{row_id}-1", "Idempotency-Key": "k"}
    seen = attack(world, examples=6, number=1, below="/admin", token=bearing(), **known)
    assert {200, 400, 401} <= seen["GET /admin/remittances"]
    assert {400, 401} <= seen["POST /admin/callbacks/replay"]
    assert {200, 400, 401} <= seen["POST /admin/pauses"]
    assert {200, 400, 401} <= seen["GET /admin/books"]
    assert {400, 401, 404} <= seen["POST /admin/customers/{customer_id}/reject"]
    assert {200, 404} <= seen["GET /admin/cases/{case_id}"]
    assert {200, 401} <= seen["POST /admin/transactions/{transaction_id}/hold"]
    assert len(seen) == len(DOORS)


@pytest.mark.timeout(300)
def test_no_operation_of_customers_fails(kyc: Kyc) -> None:
    customer_id = kyc.registered(kyc.log_in(), **NAMES)
    known = {"type": "plain", "id": customer_id, **NAMES}
    seen = attack(kyc.world, examples=12, number=1, below="/kyc", **known)
    assert len(seen) == 7
    assert {200, 400, 401} <= seen["GET /kyc/customer"]
    assert {202, 400, 401} <= seen["PUT /kyc/customer"]
    assert {200, 401} <= seen["DELETE /kyc/customer/{account}"]


def test_no_operation_of_contract_accounts_fails(world: World) -> None:
    anchor = with_contracts(world)
    with anchor.app.app_context():
        known = {"account": Customer.of(anchor).account, "home_domain": "localhost"}
        seen = attack(anchor, examples=12, number=1, below="/sep45", **known)
    dispose()
    assert {200, 400} <= seen["GET /sep45/auth"]
    assert 400 in seen["POST /sep45/auth"]


def test_no_operation_of_addresses_fails(federated: World) -> None:
    known = {"type": "name", "q": f"{federated.withdrawal()}*localhost"}
    seen = attack(federated, examples=20, number=1, below="/federation", **known)
    assert {200, 400} <= seen["GET /federation"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("number", [2, 3] if LONG else [2])
def test_no_operation_fails_however_long_it_is_tried(world: World, number: int) -> None:
    """`ANCHOR_TEST_LONG=1` tries each some 600 times instead of 60."""
    attack(world, examples=150 if LONG else 15, number=number)
