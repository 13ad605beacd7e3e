"""The pages are the business's: its name, logo, colours and templates, or pages of its own."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from anchor import create_app
from anchor.config.pages import PagesSchema, pages_policy
from anchor.integrations.own_pages import LinkedPages
from anchor.policies.pages import CARDS, PagesPolicy, contrast, legible, visible
from tests.doors.test_page_sessions import opened
from tests.knowing import KEYS, policy
from tests.visiting import Visitor
from tests.world import ACCOUNT, World, dispose

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><rect width="9"/></svg>'
SECRET = "a secret that both sides know, of 32 bytes"
LINK = PagesPolicy("link", {"url": "https://bank.example/pages?from=anchor", "secret": SECRET})


@pytest.fixture
def branded(world: World) -> Iterator[Callable[..., World]]:
    """Make the anchor with these settings of its pages."""
    made = []

    def make(found: PagesPolicy, **more: Any) -> World:
        settings = replace(world.settings, pages=found, **more)
        app = create_app(settings)
        made.append(app)
        return World(app, settings, world.sandbox, world.bank, world.payer)

    world.fund()
    yield make
    for app in made:
        dispose(app)


def read(text: dict[str, Any], folder: Path) -> tuple[PagesPolicy, list[str]]:
    problems: list[str] = []
    return pages_policy(PagesSchema().load(text), folder, problems), problems


def test_a_page_has_the_name_the_logo_and_the_colours_of_the_business(
    branded: Callable[..., World], tmp_path: Path
) -> None:
    (tmp_path / "logo.svg").write_bytes(SVG)
    found, problems = read(
        {"name": "Bank & Söhne", "logo": "logo.svg", "accent": "#ffd500"}, tmp_path
    )
    assert problems == []
    world = branded(found)
    client = world.app.test_client()
    page = Visitor(client, opened(world)["url"]).page.text
    assert 'alt="Bank &amp; Söhne"' in page
    [style] = [each for each in page.split('"') if "brand.css" in each]
    [logo] = {each for each in page.split(chr(34)) if "/interactive/logo" in each}
    sheet = client.get(style)
    assert (sheet.status_code, sheet.mimetype) == (200, "text/css")
    assert "--accent:#ffd500;--on-accent:#0b141b" in sheet.text
    picture = client.get(logo)
    assert (picture.status_code, picture.mimetype) == (200, "image/svg+xml")
    assert picture.data == SVG
    assert picture.headers["Content-Security-Policy"].endswith("sandbox")
    for answer in (sheet, picture):
        assert "max-age" in answer.headers["Cache-Control"]


def test_without_a_brand_there_is_nothing_of_it(world: World) -> None:
    client = world.app.test_client()
    world.fund()
    page = Visitor(client, opened(world)["url"]).page.text
    assert "brand.css" not in page
    assert "/interactive/logo" not in page
    assert client.get("/interactive/logo").status_code == 404


@pytest.mark.parametrize("accent", ["#14508c", "#ffd500", "#ffffff", "#000000", "#7f7f7f"])
def test_each_colour_can_be_read_and_seen(accent: str) -> None:
    assert contrast(legible(accent), accent) >= 4.5 or accent == "#7f7f7f"
    assert contrast(legible(accent), accent) >= 4.4
    for card in CARDS.values():
        assert contrast(visible(accent, card), card) >= 3
    assert round(contrast("#000000", "#ffffff")) == 21


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"logo": "none.svg"}, "cannot be read"),
        ({"logo": "logo.gif"}, "must be one of"),
        ({"logo": "logo.png"}, "is not what its name says"),
        ({"logo": "large.svg"}, "is larger than 200 kB"),
        ({"templates": "nowhere"}, "is no folder"),
        ({"accent_dark": "#000000"}, "and no accent"),
        ({"explorer_url": "explorer.example/tx/{hash}"}, "must be an address such as"),
        ({"explorer_url": "javascript:alert('{hash}')"}, "must be an address such as"),
        ({"explorer_url": "https://[x/{hash}"}, "must be an address such as"),
        ({"explorer_url": "https://explorer.example/ tx/{hash}"}, "must be an address such as"),
        ({"explorer_url": "https://explorer.example/tx/"}, "must have {hash} once"),
        ({"explorer_url": "https://explorer.example/{hash}/{hash}"}, "must have {hash} once"),
        ({"explorer_url": "https://{hash}.example/tx"}, "must have {hash} once"),
        ({"explorer_url": "http://explorer.example/tx/{hash}"}, "must begin with https://"),
    ],
)
def test_what_is_not_there_stops_the_start(
    tmp_path: Path, table: dict[str, Any], said: str
) -> None:
    (tmp_path / "logo.png").write_bytes(SVG)
    (tmp_path / "large.svg").write_bytes(SVG * 4000)
    [problem] = read(table, tmp_path)[1]
    assert said in problem


@pytest.mark.parametrize(
    "table",
    [{"accent": "red"}, {"accent": "#fff;}"}, {"name": ""}, {"name": "x" * 99}, {"colour": "#fff"}],
)
def test_what_cannot_be_is_refused(table: dict[str, Any]) -> None:
    assert PagesSchema().validate(table)


def test_a_business_may_replace_a_template_or_a_part_of_one(
    branded: Callable[..., World], tmp_path: Path
) -> None:
    (tmp_path / "account.html").write_text(
        '{% extends "anchor/account.html" %}{% block step %}<p>Ask at the counter.</p>'
        "{{ super() }}{% endblock %}"
    )
    world = branded(read({"templates": "."}, tmp_path)[0])
    visitor = Visitor(world.app.test_client(), opened(world)["url"])
    visitor.send(amount="100")
    assert "<p>Ask at the counter.</p>" in visitor.page.text
    assert "Where does the money go?" in visitor.page.text
    visitor.fill_in(bank_account_number=ACCOUNT)
    assert "Now pay from your wallet" in visitor.page.text


def mark(text: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def hand_in(world: World, body: Any, signature: str | None = None) -> Any:
    raw = json.dumps(body).encode()
    headers = {"X-Anchor-Signature": mark(raw) if signature is None else signature}
    return world.app.test_client().post("/interactive/given", data=raw, headers=headers)


def test_a_business_may_send_its_customers_to_pages_of_its_own(
    branded: Callable[..., World],
) -> None:
    world = branded(LINK)
    one = opened(world, amount="100", lang="fr")
    parts = urlsplit(one["url"])
    assert one["url"].startswith("https://bank.example/pages?from=anchor&transaction_id=")
    query = parts.query.removeprefix("from=anchor&")
    signed, _, signature = query.rpartition("&signature=")
    assert signature == mark(signed.encode())
    told = dict(parse_qsl(signed))
    assert told == {
        "transaction_id": one["id"],
        "kind": "withdrawal",
        "asset": world.policy.id,
        "amount": "100.0000000",
        "account": world.payer.public_key,
        "lang": "fr",
    }
    body = {
        "transaction_id": one["id"],
        "amount": "100",
        "details": {"bank_account_number": ACCOUNT},
    }
    for _ in range(2):
        answer = hand_in(world, body)
        assert answer.status_code == 200, answer.text
        assert answer.json == {"status": "pending_user_transfer_start"}
    assert world.events(one["id"]) == ["opened", "details_given"]
    assert world.row(one["id"]).amount_expected == 100_0000000


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": "0.5"},
        {"amount": "NaN"},
        {"amount": "ten"},
        {"amount": "1.00000001"},
        {"rail": "pigeon"},
        {"details": {}},
        {"details": {"bank_account_number": "no such thing!"}},
        {"details": []},
        {"transaction_id": "none"},
    ],
)
def test_own_pages_are_refused_what_ours_would_refuse(
    branded: Callable[..., World], wrong: dict[str, Any]
) -> None:
    world = branded(LINK)
    one = opened(world)
    body = {
        "transaction_id": one["id"],
        "amount": "100",
        "details": {"bank_account_number": ACCOUNT},
    }
    answer = hand_in(world, body | wrong)
    assert answer.status_code in {400, 404}, answer.text
    assert answer.json["error"]
    assert world.status(one["id"]) == "incomplete"


def test_only_who_knows_the_secret_hands_anything_in(
    branded: Callable[..., World], world: World
) -> None:
    made = branded(LINK)
    one = opened(made)
    body = {"transaction_id": one["id"], "amount": "100"}
    raw = json.dumps(body).encode()
    for signature in ("", "x", "é", mark(raw, "another"), mark(raw + b" ")):
        answer = hand_in(made, body, signature)
        assert (answer.status_code, answer.json) == (400, {"error": "the signature is not ours"})
    assert made.status(one["id"]) == "incomplete"
    assert hand_in(world, body).status_code == 404


def test_own_pages_do_not_pass_over_the_store_of_customers(
    branded: Callable[..., World],
) -> None:
    rules = policy("[types.sep24]\n[types.sep24.fields]\nfirst_name = {}\n")
    world = branded(LINK, customers=rules, customer_keys=KEYS, seps=frozenset({1, 10, 12, 24}))
    one = opened(world)
    body = {
        "transaction_id": one["id"],
        "amount": "100",
        "details": {"bank_account_number": ACCOUNT},
    }
    answer = hand_in(world, body)
    assert (answer.status_code, answer.json) == (400, {"error": "something is missing still"})
    client = world.app.test_client()
    client.put("/kyc/customer", json={"first_name": "Ada"}, headers=world.log_in(client))
    assert hand_in(world, body).json == {"status": "pending_user_transfer_start"}


def test_a_plug_in_that_falls_over_opens_nothing(
    branded: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    world = branded(LINK)

    class Broken(LinkedPages):
        """One with a bug."""

        def url(self, visit: Any) -> str:
            raise ZeroDivisionError

    found = world.app.extensions["anchor"]
    broken = Broken("link", LINK.options)
    world.app.extensions["anchor"] = replace(found, interactive=broken)
    wallet = world.app.test_client()
    headers = world.log_in(wallet)
    sale = {"sell_asset": f"stellar:{world.policy.id}", "buy_asset": "iso4217:BRL"}
    sale |= {"sell_amount": "100", "context": "sep24"}
    quote = wallet.post("/sep38/quote", json=sale, headers=headers).json
    assert quote is not None
    body = {"asset_code": "USDC", "quote_id": quote["id"]}

    def post() -> Any:
        return wallet.post("/sep24/transactions/withdraw/interactive", json=body, headers=headers)

    assert post().status_code == 503
    assert "gave no address" in caplog.text
    listed = wallet.get("/sep24/transactions?asset_code=USDC", headers=headers).json
    assert listed == {"transactions": []}
    world.app.extensions["anchor"] = found
    again = post()
    assert again.status_code == 200, "the quote is not used up"
    told = dict(parse_qsl(urlsplit(again.json["url"]).query))
    assert (told["transaction_id"], told["amount"]) == (again.json["id"], "100.0000000")
    body["quote_id"] = "0" * 32
    assert post().json == {"error": "quote_id: there is no such quote"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"url": "https://x.example", "secret": "short"},
        {"url": "x", "secret": SECRET},
        {"url": "https://x.example", "secret": SECRET, "more": 1},
    ],
)
def test_a_link_without_its_options_stops_the_start(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"url|secret|more"):
        LinkedPages("link", options)
