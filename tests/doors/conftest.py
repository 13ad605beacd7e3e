"""Each answer that a test of the doors gets is held against what the doors say of themselves."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask, Response, request

from anchor import create_app
from anchor.blueprints import openapi
from tests.world import World, dispose

_documents: dict[frozenset[str], dict[str, Any]] = {}


@pytest.fixture(autouse=True)
def described_answers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test in which an answer is not as the OpenAPI document says."""
    world: World
    if "world" in request.fixturenames:
        world = request.getfixturevalue("world")
    elif "holder" in request.fixturenames:
        world = request.getfixturevalue("holder").world
    elif "remitter" in request.fixturenames:
        world = request.getfixturevalue("remitter").world
    elif "pair" in request.fixturenames:
        world = request.getfixturevalue("pair").ours
    else:
        yield
        return
    found: list[str] = []
    document = document_of(world.app)

    def hold(response: Response) -> Response:
        found.extend(problems(world.app, document, response))
        return response

    world.app.after_request_funcs.setdefault(None, []).append(hold)
    yield
    assert found == []


@pytest.fixture
def federated(world: World) -> Iterator[World]:
    """An anchor with SEP-2 on."""
    settings = replace(world.settings, seps=world.settings.seps | {2})
    app = create_app(settings)
    with app.app_context():
        yield World(app, settings, world.sandbox, world.bank, world.payer)
    dispose(app)


def document_of(app: Flask) -> dict[str, Any]:
    """Return what the doors of an app say of themselves; those with the same doors say the same."""
    doors = frozenset(str(rule) for rule in app.url_map.iter_rules())
    if doors not in _documents:
        _documents[doors] = openapi.document_of(app)
    return _documents[doors]


def problems(app: Flask, document: dict[str, Any], response: Response) -> Iterator[str]:
    """Yield what of an answer is not as it is said to be."""
    rule = request.url_rule
    if rule is None or rule.endpoint == "static" or request.method in {"OPTIONS", "HEAD"}:
        return
    path = openapi.path_of(rule)
    where = f"{request.method} {path}: {response.status_code}"
    described = document["paths"].get(path, {}).get(request.method.lower())
    if described is None:
        yield f"{where} is not described"
        return
    said = described["responses"].get(str(response.status_code))
    if said is None:
        yield f"{where} is not among its answers"
        return
    if "content" not in said and not response.data:
        return
    media = said.get("content", {}).get(response.mimetype)
    if media is None:
        yield f"{where} is of type {response.mimetype}"
    elif response.mimetype == "application/json":
        schema = {**media["schema"], "components": document["components"]}
        validator = jsonschema_rs.Draft202012Validator(schema)
        for error in validator.iter_errors(response.get_json()):
            yield f"{where}: {error.message} at {list(error.instance_path)}"
