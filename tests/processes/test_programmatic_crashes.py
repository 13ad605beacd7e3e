"""Real web processes, really killed while wallets open transactions and make customers known."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from secrets import randbelow
from time import sleep
from typing import Any

import pytest
import requests

from anchor.sandbox.ground import CODE
from anchor.sandbox.wallet import Wallet
from tests.processes.stage import Stage, staged
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PERSON = {
    "type": "sep6",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email_address": "ada@example.com",
    "bank_account_number": "DE89370400440532013000",
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("stage")) as made:
        web = made.web()
        until(made._answers, 60, "for the web")
        made.stream()  # it keeps the servers up, too, while there is no web
        until(lambda: made.sql("SELECT 1 FROM accounts"), 60, "for a stream runner")
        made.kill(web)
        yield made


def hammer(wallet: Wallet, answered: list[str], stop: threading.Event) -> None:
    """Open deposits and withdrawals, every second one of these on a quote, until told to stop."""
    server, quotes = wallet.toml["TRANSFER_SERVER"], wallet.toml["ANCHOR_QUOTE_SERVER"]
    plain = {"asset_code": CODE, "amount": "100", "account": wallet.keys.public_key}
    sale = {
        "sell_asset": f"stellar:{CODE}:{wallet.asset(CODE).issuer}",
        "buy_asset": "iso4217:BRL",
        "sell_amount": "100",
        "context": "sep6",
    }
    exchange = {"source_asset": CODE, "destination_asset": "iso4217:BRL", "amount": "100"}
    while not stop.is_set():
        with suppress(requests.RequestException, KeyError, ValueError):
            way = ("deposit", "withdraw", "withdraw-exchange")[randbelow(3)]
            query: dict[str, Any] = plain
            if way == "withdraw-exchange":
                quote = wallet.http.post(f"{quotes}/quote", json=sale, timeout=5).json()
                query = exchange | {"quote_id": quote["id"]}
            answer = wallet.http.get(f"{server}/{way}", params=query, timeout=5)
            if answer.status_code == 200:
                answered.append(answer.json()["id"])


def half_done(stage: Stage) -> list[Any]:
    """What no commit of opening leaves: each of these is a whole that lacks a part."""
    return stage.sql(
        """
        SELECT t.id, t.kind, t.status FROM transactions t
        LEFT JOIN memos m ON m.transaction_id = t.id
        WHERE t.flow = 'programmatic' AND (
            t.status NOT IN ('pending_user_transfer_start', 'pending_customer_info_update')
            OR (t.status = 'pending_user_transfer_start')
               <> (CASE WHEN t.kind = 'deposit' THEN t.reference ELSE m.memo END IS NOT NULL)
            OR (SELECT count(*) FROM history h WHERE h.transaction_id = t.id) <> t.version
        )
        UNION ALL
        SELECT q.id, 'quote', '' FROM quotes q LEFT JOIN transactions t ON t.quote_id = q.id
        WHERE (q.used_at IS NULL) <> (t.id IS NULL)
        """
    )


def opened(stage: Stage) -> list[str]:
    found = stage.sql("SELECT id FROM transactions WHERE flow = 'programmatic'")
    return [row[0] for row in found]


def test_a_web_process_killed_while_it_opens_leaves_wholes_or_nothing(stage: Stage) -> None:
    """Windows 1 and 2: before the commit of opening, and after it before the answer."""
    web = stage.web()
    wallet = stage.wallet()
    answered: list[str] = []
    for known in (False, True):
        if known:
            kyc = wallet.toml["KYC_SERVER"]
            put = wallet.http.put(f"{kyc}/customer", json=PERSON, timeout=10)
            assert put.status_code == 202, put.text
        for _ in range(3):
            stop, before = threading.Event(), len(answered)
            hands = [
                threading.Thread(target=hammer, args=(wallet, answered, stop)) for _ in range(3)
            ]
            for hand in hands:
                hand.start()
            until(lambda least=before + 6: len(answered) >= least, 60, "for some to be opened")
            sleep(randbelow(100) / 1000)  # wherever it is at that moment
            stage.kill(web)
            stop.set()
            for hand in hands:
                hand.join(30)
            assert half_done(stage) == []
            assert set(answered) <= set(opened(stage))
            web = stage.web()
            until(stage._answers, 60, "for the web")
    listed = wallet.http.get(
        f"{wallet.toml['TRANSFER_SERVER']}/transactions",
        params={"asset_code": CODE, "limit": "200"},
        timeout=10,
    ).json()["transactions"]
    assert set(answered) <= {each["id"] for each in listed}
    stage.kill(web)


def test_a_web_process_killed_while_a_customer_is_accepted_moves_all_of_theirs_or_none(
    stage: Stage,
) -> None:
    """Window 3: the verdict, and what waited for it, are one commit."""
    web = stage.web()
    for _ in range(4):
        wallet = stage.wallet()
        server, kyc = wallet.toml["TRANSFER_SERVER"], wallet.toml["KYC_SERVER"]
        query = {"asset_code": CODE, "amount": "100", "account": wallet.keys.public_key}
        ids = [
            wallet.http.get(f"{server}/{way}", params=query, timeout=10).json()["id"]
            for way in ("deposit", "withdraw") * 8
        ]

        def put(wallet: Wallet = wallet, kyc: str = kyc) -> None:
            with suppress(requests.RequestException):
                wallet.http.put(f"{kyc}/customer", json=PERSON, timeout=10)

        hand = threading.Thread(target=put)
        hand.start()
        sleep(randbelow(60) / 1000)
        stage.kill(web)
        hand.join(30)
        statuses = {stage.status(each) for each in ids}
        accepted = stage.sql(
            "SELECT 1 FROM customer_standings s JOIN customers c ON c.id = s.customer_id"
            " WHERE c.owner_account = %s AND s.verdict = 'ACCEPTED' AND s.type = 'sep6'",
            wallet.keys.public_key,
        )
        wanted = "pending_user_transfer_start" if accepted else "pending_customer_info_update"
        assert statuses == {wanted}
        assert half_done(stage) == []
        web = stage.web()
        until(stage._answers, 60, "for the web")
        put()
        assert {stage.status(each) for each in ids} == {"pending_user_transfer_start"}
    stage.kill(web)
