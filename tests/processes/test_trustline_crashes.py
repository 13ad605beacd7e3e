"""Real workers, really killed, between lumens for a line, its authorization and their records.

The network asks its issuer to authorize lines, and an account that has no line and too few lumens
waits for a deposit. Four windows of ADR 029 are held open by a knob of the sandbox, once for the
lumens and once for the payment that authorizes: then all workers are killed. Whatever it was,
lumens are sent once, the line is authorized once, the deposit is paid once, and the books sum to
zero.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from stellar_sdk import Asset, AuthorizationFlag, Keypair, Server, TransactionBuilder
from stellar_sdk.client.requests_client import RequestsClient

from anchor.config import TESTNET_PASSPHRASE
from anchor.config.environment import ISSUER_PREFIX
from anchor.sandbox.ground import CODE
from anchor.sandbox.wallet import Wallet
from tests.processes.stage import FLASK, Stage, staged
from tests.processes.test_deposit_crashes import book, knob
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

KEEPS = "1.2"
LACKS = 3_100_000


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("stage")) as made:
        issuer = Keypair.from_secret(json.loads((made.data / "secrets.json").read_text())["issuer"])
        made.env[f"{ISSUER_PREFIX}{CODE}"] = issuer.secret
        file = made.data / "anchor.toml"
        on = "create_accounts = true\nauthorize_trustlines = true"
        file.write_text(file.read_text().replace("create_accounts = true", on))
        made.web()
        made.stream()
        until(made._answers, 60, "for the web")
        builder = builder_of(made, issuer).append_set_options_op(set_flags=AuthorizationFlag(3))
        submit(made, builder, issuer)
        until(lambda: made.sql("SELECT 1 FROM accounts"), 30)
        yield made


def server_of(stage: Stage) -> Server:
    return Server(stage.network, client=RequestsClient(num_retries=0))


def builder_of(stage: Stage, keys: Keypair) -> TransactionBuilder:
    with server_of(stage) as server:
        account = server.load_account(keys.public_key)
    return TransactionBuilder(account, TESTNET_PASSPHRASE, base_fee=100).set_timeout(60)


def submit(stage: Stage, builder: TransactionBuilder, keys: Keypair) -> None:
    envelope = builder.build()
    envelope.sign(keys)
    with server_of(stage) as server:
        server.submit_transaction(envelope, skip_memo_required_check=True)


def asset(stage: Stage) -> Asset:
    [(name,)] = stage.sql("SELECT asset FROM outflows WHERE asset <> 'native' LIMIT 1") or [("",)]
    if name:
        return Asset(*name.split(":"))
    secrets = json.loads((stage.data / "secrets.json").read_text())
    return Asset(CODE, Keypair.from_secret(secrets["issuer"]).public_key)


def opened(stage: Stage) -> tuple[Wallet, str, str]:
    """Open a deposit of 100 to an account without a line, which lacks the lumens for one."""
    wallet = Wallet(stage.url, stage.network)
    wallet.discover()
    keys = wallet.keys
    requests.get(f"{stage.network}/friendbot", params={"addr": keys.public_key}, timeout=5)
    gone = f"{10_000 - float(KEEPS) - 0.00001:.7f}"
    builder = builder_of(stage, keys).append_payment_op(asset(stage).issuer, Asset.native(), gone)
    submit(stage, builder, keys)
    wallet.log_in()
    row_id, reference = wallet.ask_to_deposit(
        CODE, "100", bank_account_number="DE89370400440532013000", bank_account_holder="A"
    )
    return wallet, row_id, reference


def trust(stage: Stage, wallet: Wallet) -> None:
    submit(stage, builder_of(stage, wallet.keys).append_change_trust_op(asset(stage)), wallet.keys)


def works(stage: Stage) -> None:
    stage.sql("UPDATE jobs SET due_at = now(), leased_until = NULL, rung_at = NULL")
    for service in ("poll-pending-deposits", "check-trustlines"):
        stage.command(service)


def reach(stage: Stage, row_id: str, status: str) -> None:
    def there() -> bool:
        works(stage)
        return stage.status(row_id) == status

    until(there, 90, f"for {status}; it is {stage.status(row_id)}")


def received(stage: Stage, wallet: Wallet) -> list[tuple[str, str]]:
    """Return what operations of others the account has seen, oldest first."""
    path = f"{stage.network}/accounts/{wallet.keys.public_key}/operations"
    found = requests.get(path, params={"limit": 200}, timeout=5).json()["_embedded"]["records"]
    ours = [each for each in found if each["source_account"] != wallet.keys.public_key]
    return [(each["type"], each.get("amount", "")) for each in ours][1:]  # friendbot's


# -- the windows -----------------------------------------------------------------------------

_CARRIES = (
    "FROM submissions s JOIN outflows o ON o.submission_id = s.id"
    " WHERE o.transaction_id = %s AND o.form = %s AND s.state = '{state}'"
)
_STORED = "EXISTS (SELECT 1 FROM envelopes e WHERE e.submission_id = s.id)"
_PREPARED = f"SELECT 1 {_CARRIES.format(state='prepared')} AND"
_SUBMITTED = f"SELECT 1 {_CARRIES.format(state='submitted')}"
_LOST = {"answer": "cut-lost", "times": 99}
WINDOWS: dict[str, tuple[str, str, dict[str, Any], bool]] = {
    "a submission without an envelope": (
        f"{_PREPARED} NOT {_STORED}",
        *("misbehave", {"get": "/fee_stats", "answer": "504", "times": 99}, False),
    ),
    "an envelope that was lost on its way": (f"{_PREPARED} {_STORED}", "misbehave", _LOST, False),
    "an envelope that arrived, without an answer": (
        f"{_PREPARED} {_STORED}",
        *("misbehave", {"answer": "504-applied", "times": 1}, False),
    ),
    "in a ledger that nobody is shown": (_SUBMITTED, "freeze", {}, True),
}


def killed_at(stage: Stage, row_id: str, form: str, window: str) -> None:
    """Let the deposit come to a window of what it does in a form, and kill who does it."""
    query, name, body, closes = WINDOWS[window]
    knob(stage, name, **body)
    stage.sql("UPDATE jobs SET due_at = now(), leased_until = NULL, rung_at = NULL")
    acting = [
        stage.workers(),
        stage.start(*FLASK, "poll-pending-deposits"),
        stage.start(*FLASK, "check-trustlines"),
    ]
    until(lambda: stage.sql(query, row_id, form), 60, "for the window")
    if closes:
        knob(stage, "close")
    for process in acting:
        stage.kill(process)
    knob(stage, "behave")
    knob(stage, "thaw")


def paid_once(stage: Stage, wallet: Wallet, row_id: str) -> None:
    assert received(stage, wallet) == [
        ("payment", "0.3100000"),
        ("set_trust_line_flags", ""),
        ("payment", "99.5000000"),
    ]
    orders = stage.sql(
        "SELECT form, state, amount, authorizes FROM outflows WHERE transaction_id = %s"
        " ORDER BY id",
        row_id,
    )
    assert orders == [
        ("trustline_lumens", "done", LACKS, False),
        ("payment", "done", 99_5000000, True),
    ]
    assert stage.sql("SELECT reason, note FROM cases") == []
    assert stage.sql("SELECT sum(amount) FROM postings") == [(0,)]
    booked = stage.sql(
        "SELECT sum(amount) FROM postings WHERE account = 'starting_balances'"
        " AND transaction_id = %s",
        row_id,
    )
    assert booked == [(LACKS,)]


@pytest.mark.parametrize("window", WINDOWS)
def test_promise_06_a_worker_killed_over_lumens_for_a_line_sends_them_once(
    stage: Stage, window: str
) -> None:
    wallet, row_id, reference = opened(stage)
    book(stage, reference)
    killed_at(stage, row_id, "trustline_lumens", window)
    reach(stage, row_id, "pending_trust")
    trust(stage, wallet)
    reach(stage, row_id, "completed")
    paid_once(stage, wallet, row_id)


@pytest.mark.parametrize("window", WINDOWS)
def test_promise_06_a_worker_killed_over_an_authorization_gives_it_and_pays_once(
    stage: Stage, window: str
) -> None:
    wallet, row_id, reference = opened(stage)
    book(stage, reference)
    reach(stage, row_id, "pending_trust")
    trust(stage, wallet)
    killed_at(stage, row_id, "payment", window)
    reach(stage, row_id, "completed")
    paid_once(stage, wallet, row_id)


def test_promise_06_a_worker_killed_between_the_lumens_and_the_next_look_sends_no_more(
    stage: Stage,
) -> None:
    wallet, row_id, reference = opened(stage)
    book(stage, reference)
    knob(stage, "freeze")
    acting = [stage.workers(), stage.start(*FLASK, "poll-pending-deposits")]
    until(lambda: stage.sql(_SUBMITTED, row_id, "trustline_lumens"), 60, "for the submission")
    place = f"/accounts/{wallet.keys.public_key}"
    knob(stage, "misbehave", get=place, answer="504", times=99)
    knob(stage, "thaw")
    done = "SELECT 1 FROM outflows WHERE transaction_id = %s AND state = 'done'"
    until(lambda: stage.sql(done, row_id), 60, "for its record")
    for process in acting:
        stage.kill(process)
    assert stage.status(row_id) == "pending_anchor"
    knob(stage, "behave")
    reach(stage, row_id, "pending_trust")
    trust(stage, wallet)
    reach(stage, row_id, "completed")
    paid_once(stage, wallet, row_id)


def test_promise_01_what_left_us_meanwhile_is_known_to_be_ours(stage: Stage) -> None:
    seen = (
        "SELECT 1 FROM outflows o WHERE state = 'done' AND NOT EXISTS (SELECT 1 FROM payments p"
        " WHERE p.transaction_hash = o.reference AND direction = 'out')"
    )
    until(lambda: not stage.sql(seen), 60, "for the stream to see what was paid")
    assert stage.sql("SELECT reason, note FROM cases") == []
