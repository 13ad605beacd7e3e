"""The OpenAPI document is one, says all of the doors, and can be read."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from stellar_sdk import Keypair, MuxedAccount, StrKey

from anchor import create_app
from anchor.blueprints import openapi
from anchor.blueprints.describing import description_of
from anchor.config import Settings
from scripts.make_conformance import rows
from tests.knowing import KEYS, policy
from tests.world import World, dispose


def test_every_public_route_is_described(world: World) -> None:
    document = openapi.document_of(world.app)
    for rule, view in openapi.public_rules(world.app):
        assert description_of(view) is not None, f"{rule} says nothing of itself"
        methods = {name.upper() for name in document["paths"][openapi.path_of(rule)]}
        assert methods >= (rule.methods or set()) - {"HEAD", "OPTIONS"}, rule


@pytest.mark.conforms("5/*", "7/*", "8/*", "9/*", "10/*")
@pytest.mark.parametrize(
    ("number", "prefix"),
    [("5/*", "kyc"), ("7/*", "sep6"), ("8/*", "sep24"), ("9/*", "sep31"), ("10/*", "sep38")],
)
def test_each_endpoint_of_the_texts_is_there_and_no_other(
    world: World, number: str, prefix: str
) -> None:
    seps = world.settings.seps | {6, 12, 31}
    app = create_app(replace(world.settings, seps=seps, customers=policy(), customer_keys=KEYS))
    found = {
        f"{method} {re.sub('<.*?>', '<>', str(rule).removeprefix(f'/{prefix}'))}"
        for rule in app.url_map.iter_rules()
        if str(rule).startswith(f"/{prefix}/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert found == {re.sub(":id|<.*?>", "<>", each) for each in rows(number)}
    dispose(app)


def test_the_document_is_valid_and_of_version_3_1(world: World) -> None:
    answer = world.app.test_client().get("/openapi.json")
    assert answer.json is not None
    assert answer.json["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(answer.json).iter_errors()) == []
    ids = [each["operationId"] for path in answer.json["paths"].values() for each in path.values()]
    assert len(ids) == len(set(ids))
    assert not re.search(r"[A-Z]+[0-9]*-[0-9]{2}\b", "".join(_summaries(answer.json)))


def _summaries(document: dict[str, dict[str, dict[str, dict[str, str]]]]) -> list[str]:
    return [each["summary"] for path in document["paths"].values() for each in path.values()]


def test_a_door_that_is_shut_is_not_described(world: World) -> None:
    settings: Settings = replace(world.settings, seps=frozenset({1, 10}))
    app = create_app(settings)
    with app.app_context():
        document = openapi.document_of(app)
    assert "/auth" in document["paths"]
    assert not any(path.startswith("/sep24") for path in document["paths"])
    dispose(app)


class Page(HTMLParser):
    """Collects what a page links to, loads and names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.ids: set[str] = set()
        self.targets: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.ids.add(named.get("id") or "")
        if tag in {"link", "script", "img", "iframe"}:
            self.loaded.append(named.get("href") or named.get("src") or "")
        elif tag == "a" and (named.get("href") or "").startswith("#"):
            self.targets.add((named["href"] or "")[1:])


def test_the_page_shows_every_operation_and_asks_nobody_else(world: World) -> None:
    client = world.app.test_client()
    answer = client.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    page = Page(answer.text)
    assert page.loaded == ["/static/docs.css"]
    with client.get("/static/docs.css") as style:
        assert style.status_code == 200
        assert "url(" not in style.text
    document = openapi.document_of(world.app)
    names = {each["operationId"] for path in document["paths"].values() for each in path.values()}
    assert page.targets == names
    assert names <= page.ids
    for name in ("withdraw_memo", "refunds.payments[].amount", "no_older_than", "Retry-After"):
        assert name in answer.text


@pytest.mark.parametrize("name", ["Amount", "Address", "Instant", "Lang"])
def test_fields_of_our_own_say_their_schema(name: str) -> None:
    from anchor.serializers import fields

    assert getattr(fields, name).openapi


@pytest.mark.conforms("GEN-39")
def test_the_pattern_of_an_address_knows_all_that_the_field_takes() -> None:
    from anchor.serializers.fields import Address

    keys = Keypair.random()
    contract = StrKey.encode_contract(b"\x05" * 32)
    for address in (keys.public_key, MuxedAccount(keys.public_key, 5).account_muxed, contract):
        assert Address().deserialize(address) == address
        assert re.fullmatch(Address.openapi["pattern"], address or "")
