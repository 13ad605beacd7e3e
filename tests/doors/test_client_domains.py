"""SEP-10: wallets that prove which domain they are of."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient
from stellar_sdk import Keypair, TransactionEnvelope

from anchor.config import TESTNET_PASSPHRASE
from anchor.errors import Rejected
from anchor.remembering import Remembered
from anchor.services import client_domains
from tests.world import World

WALLET = Keypair.from_raw_ed25519_seed(b"w" * 32)
GOOD = f'SIGNING_KEY = "{WALLET.public_key}"\n'


class Site(ThreadingHTTPServer):
    """A wallet's home, with one page."""

    def __init__(self) -> None:
        self.page, self.status, self.asked = GOOD, 200, 0
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def domain(self) -> str:
        return f"localhost:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.asked += 1
        assert self.path == "/.well-known/stellar.toml"
        body = self.server.page.encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        return


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.02,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def client(world: World) -> FlaskClient:
    return world.app.test_client()


def rule(world: World, **rules: Any) -> None:
    """Change the anchor's rules about client domains."""
    known = {"required": False, "allow": [], "deny": []} | rules
    settings = replace(world.settings, client_domains=known)
    world.app.extensions["anchor"] = replace(world.app.extensions["anchor"], settings=settings)


def ask(world: World, client: FlaskClient, domain: str | None) -> Any:
    query = {"account": world.payer.public_key} | ({"client_domain": domain} if domain else {})
    return client.get("/auth", query_string=query)


def names_in(answer: Any) -> list[str]:
    envelope = TransactionEnvelope.from_xdr(answer.json["transaction"], TESTNET_PASSPHRASE)
    return [op.data_name for op in envelope.transaction.operations]  # type: ignore[union-attr]


@pytest.mark.conforms("SEP10-35", "SEP10-55", "SEP10-74", "SEP10-70", "3.1/client_domain")
def test_a_wallet_that_signs_is_named_in_the_token(
    world: World, client: FlaskClient, site: Site
) -> None:
    """SEP10-35, SEP10-55, SEP10-74."""
    answer = ask(world, client, site.domain)
    assert "client_domain" in names_in(answer)
    envelope = TransactionEnvelope.from_xdr(answer.json["transaction"], TESTNET_PASSPHRASE)
    envelope.sign(world.payer)
    alone = client.post("/auth", json={"transaction": envelope.to_xdr()})
    assert alone.status_code == 400
    envelope.sign(WALLET)
    both = client.post("/auth", json={"transaction": envelope.to_xdr()})
    claims = jwt.decode(both.json["token"], options={"verify_signature": False})
    assert claims["client_domain"] == site.domain


@pytest.mark.conforms("SEP10-08", "CB-08")
@pytest.mark.parametrize(
    ("page", "status"),
    [
        (GOOD, 404),
        (GOOD, 302),
        ("", 200),
        ("SIGNING_KEY = 5\n", 200),
        (f'SIGNING_KEY = "{WALLET.secret}"\n', 200),
        (f'SIGNING_KEY = "{WALLET.public_key[:-1]}A"\n', 200),
        (f"[DOCUMENTATION]\n{GOOD}", 200),
        (GOOD + "#" * 100_000, 200),
    ],
)
def test_a_domain_that_cannot_be_verified_is_refused(
    world: World, client: FlaskClient, site: Site, page: str, status: int
) -> None:
    """SEP10-08."""
    site.page, site.status = page, status
    answer = ask(world, client, site.domain)
    assert answer.status_code == 400
    assert "client_domain" in answer.json["error"]


@pytest.mark.conforms("SEP10-08")
def test_a_domain_where_nobody_answers_is_refused(world: World, client: FlaskClient) -> None:
    """SEP10-08."""
    assert ask(world, client, "localhost:1").status_code == 400


@pytest.mark.conforms("SEP10-09")
@pytest.mark.parametrize(
    "domain",
    [
        *("http://a.example", "a.example/x", "a.example?x", "u@a.example", "a b", "a\nb"),
        *("[::1]", "a.example:123456", "a.example:99999", "a.example#", "%61", ".", ".:80"),
        *("x" * 300, "x" * 60 + ".example"),
    ],
)
def test_what_is_no_domain_is_refused(world: World, client: FlaskClient, domain: str) -> None:
    """SEP10-09."""
    assert ask(world, client, domain).status_code == 400


@pytest.mark.conforms("CB-08", "SEP10-09")
@pytest.mark.parametrize("domain", ["localhost", "127.0.0.1", "169.254.169.254", "2130706433"])
def test_nothing_inside_is_asked_outside_development(
    world: World, client: FlaskClient, site: Site, domain: str
) -> None:
    """CB-08, SEP10-09."""
    settings = replace(world.settings, development=False)
    world.app.extensions["anchor"] = replace(world.app.extensions["anchor"], settings=settings)
    assert ask(world, client, f"{domain}:{site.server_port}").status_code == 400
    assert site.asked == 0


@pytest.mark.conforms("SEP10-07")
@pytest.mark.parametrize(
    "spelling",
    [
        *("evil.example", "EVIL.example", "evil.example.", "evil.example:443"),
        *("evil.example.:00443", "evil.example:8443"),
    ],
)
def test_a_denied_domain_counts_as_absent_however_it_is_spelt(
    world: World, client: FlaskClient, spelling: str
) -> None:
    """SEP10-07: a name that would be looked up does not exist, and would be a 400."""
    rule(world, deny=["Evil.example"])
    answer = ask(world, client, spelling)
    assert answer.status_code == 200
    assert "client_domain" not in names_in(answer)


@pytest.mark.conforms("SEP10-07", "SEP10-10")
def test_a_list_of_domains_admits_no_others(world: World, client: FlaskClient, site: Site) -> None:
    """SEP10-07."""
    rule(world, allow=["other.example"])
    assert "client_domain" not in names_in(ask(world, client, site.domain))
    rule(world, allow=["other.example", site.domain.upper()])
    assert "client_domain" in names_in(ask(world, client, site.domain))


@pytest.mark.conforms("SEP10-10")
def test_a_domain_can_be_required(world: World, client: FlaskClient, site: Site) -> None:
    """SEP10-10: 400 where it is missing, 403 where it is not allowed."""
    rule(world, required=True)
    assert ask(world, client, None).status_code == 400
    assert ask(world, client, site.domain).status_code == 200
    rule(world, required=True, allow=["other.example"])
    assert ask(world, client, site.domain).status_code == 403


def test_slow_domains_do_not_take_every_thread(
    world: World, client: FlaskClient, site: Site
) -> None:
    """Others are told to come again, and log-ins without a domain go on."""
    for _ in range(client_domains.CLIENT_TOMLS_AT_ONCE):
        assert client_domains._slots.acquire(blocking=False)
    try:
        assert ask(world, client, site.domain).status_code == 503
        assert ask(world, client, None).status_code == 200
    finally:
        for _ in range(client_domains.CLIENT_TOMLS_AT_ONCE):
            client_domains._slots.release()
    assert ask(world, client, site.domain).status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"SIGNING_KEY='{WALLET.public_key}' # ours\r\n[[CURRENCIES]]\nSIGNING_KEY=5\n",
        f'ACCOUNTS = [\n  "G",\n]\n\t"SIGNING_KEY"\t=\t"{WALLET.public_key}"',
        f"\ufeffVERSION='2'\n{GOOD}{GOOD}",
    ],
)
def test_a_signing_key_is_found_as_people_write_it(text: str) -> None:
    """SEP10-35."""
    assert client_domains.signing_key_in(text.encode()) == WALLET.public_key


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe\x00",
        GOOD.encode() + f'SIGNING_KEY = "{Keypair.random().public_key}"'.encode(),
        b"# " + GOOD.encode(),
        b"MY_" + GOOD.encode(),
        b"a." * 49_000 + b"a = 1",
        b"a = " + b"[" * 90_000,
        b" " * 99_000 + b"x",
        b"SIGNING_KEY" + b" " * 90_000,
        b'SIGNING_KEY = "' + b"G" * 90_000,
        b"[" + b" " * 90_000,
    ],
    ids=range(10),
)
def test_what_has_no_signing_key_is_refused_at_once(text: bytes) -> None:
    """SEP10-08: also what a TOML reader would chew on for a minute."""
    began = monotonic()
    with pytest.raises(Rejected):
        client_domains.signing_key_in(text)
    assert monotonic() - began < 1


# -- what is remembered -------------------------------------------------------------------


def test_a_key_is_asked_for_once_in_a_while(world: World, client: FlaskClient, site: Site) -> None:
    """However it is spelt; and a failure for seconds only, so that a wallet can mend its file."""
    for domain in (site.domain, site.domain.upper(), site.domain):
        assert ask(world, client, domain).status_code == 200
    assert site.asked == 1
    known = world.app.extensions["anchor"].client_keys
    known.put((site.domain, True), WALLET.public_key, 0)  # its time is over
    site.status = 404
    for _ in range(3):
        assert ask(world, client, site.domain).status_code == 400
    assert site.asked == 2
    known.put((site.domain, True), Rejected("a failure"), 0)
    site.status = 200
    assert ask(world, client, site.domain).status_code == 200
    assert site.asked == 3


def test_no_more_than_a_thousand_domains_are_remembered() -> None:
    known: Remembered[str] = Remembered(3)
    for number in range(10):
        known.put(number, "key", 60)
    assert len(known) == 3
    assert (known.get(9), known.get(0)) == ("key", None)
