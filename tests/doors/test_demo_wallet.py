"""The demo's wallet at the doors of a real server: what it reads on the pages is there."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from werkzeug.serving import make_server

from anchor import create_app, references
from anchor.extensions import db, gateway
from anchor.sandbox.ground import CODE
from anchor.sandbox.wallet import Wallet, WalletError
from tests.world import ACCOUNT, World


@pytest.fixture
def wallet(world: World) -> Iterator[Wallet]:
    """A wallet whose account is on the ledger, logged in at an anchor that is served."""
    with make_server("127.0.0.1", 0, world.app, threaded=True) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        app = create_app(replace(world.settings, public_url=url))
        server.app = app
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            made = Wallet(url, world.sandbox.url)
            made.discover()
            made.found()
            made.log_in()
            yield made
        finally:
            server.shutdown()
            thread.join()
            with app.app_context():
                db.engine.dispose()


def test_it_deposits_and_reads_the_reference(world: World, wallet: Wallet) -> None:
    opened, reference = wallet.ask_to_deposit(CODE, "100", bank_account_holder="Ada Lovelace")
    assert references.read(reference) == world.row(opened).reference
    shown = wallet.transaction(opened)
    assert (shown["status"], shown["to"]) == (
        "pending_user_transfer_start",
        wallet.keys.public_key,
    )


def test_it_withdraws_and_tells_what_the_page_refused(world: World, wallet: Wallet) -> None:
    opened = wallet.ask_to_withdraw(CODE, "100", ACCOUNT)
    assert world.row(opened).details == {"bank_account_number": ACCOUNT}
    with pytest.raises(WalletError, match="refused the form with 400"):
        wallet.ask_to_withdraw(CODE, "0.5", ACCOUNT)


def test_it_trusts_the_asset_when_it_is_told_to(world: World, wallet: Wallet) -> None:
    before = gateway().account(wallet.keys.public_key)
    assert before is not None
    assert [balance.asset for balance in before.balances] == ["native"]
    wallet.trust(CODE)
    after = gateway().account(wallet.keys.public_key)
    assert after is not None
    assert world.policy.id in [balance.asset for balance in after.balances]
