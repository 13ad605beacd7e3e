"""stellar_sdk's own clients work with the sandbox as they do with Horizon."""

from collections.abc import Iterator

import pytest
from stellar_sdk import (
    Asset,
    FeeBumpTransactionEnvelope,
    Keypair,
    ManageData,
    MuxedAccount,
    Payment,
    Server,
    TransactionBuilder,
    TransactionEnvelope,
)
from stellar_sdk.client.requests_client import RequestsClient
from stellar_sdk.exceptions import BadRequestError, NotFoundError
from stellar_sdk.operation import Operation
from stellar_sdk.sep.exceptions import AccountRequiresMemoError

from anchor.sandbox.network import Sandbox


@pytest.fixture(scope="module")
def network() -> Iterator[Sandbox]:
    with Sandbox(close_every_s=0, close_on_submit=True, stream_s=2) as sandbox:
        yield sandbox


@pytest.fixture
def server(network: Sandbox) -> Iterator[Server]:
    with Server(network.url, RequestsClient(num_retries=0)) as server:
        yield server


@pytest.fixture
def alice(server: Server, network: Sandbox) -> Keypair:
    return funded(network)


@pytest.fixture
def bob(server: Server, network: Sandbox) -> Keypair:
    return funded(network)


def funded(network: Sandbox) -> Keypair:
    keypair = Keypair.random()
    network.network.wait(network.network.friendbot(keypair.public_key), 5)
    return keypair


def signed(
    server: Server, network: Sandbox, source: Keypair, *operations: Operation, memo: str = ""
) -> TransactionEnvelope:
    account = server.load_account(source.public_key)
    builder = TransactionBuilder(account, network.network.passphrase, server.fetch_base_fee())
    for operation in operations:
        builder.append_operation(operation)
    if memo:
        builder.add_text_memo(memo)
    envelope = builder.set_timeout(30).build()
    envelope.sign(source)
    return envelope


def pay(to: Keypair | MuxedAccount, amount: str = "1") -> Payment:
    destination = to.public_key if isinstance(to, Keypair) else to
    return Payment(destination, Asset.native(), amount)


def test_friendbot_gives_a_new_account_ten_thousand_lumens(
    server: Server, network: Sandbox
) -> None:
    keypair = Keypair.random()
    url = f"{network.url}/friendbot?addr={keypair.public_key}"
    assert RequestsClient(num_retries=0).get(url).status_code == 200
    [balance] = server.accounts().account_id(keypair.public_key).call()["balances"]
    assert balance["balance"] == "10000.0000000"


def test_an_account_that_is_not_there_is_a_not_found_error(server: Server) -> None:
    with pytest.raises(NotFoundError):
        server.load_account(Keypair.random().public_key)


def test_a_submitted_payment_is_answered_with_its_record(
    server: Server, network: Sandbox, alice: Keypair, bob: Keypair
) -> None:
    envelope = signed(server, network, alice, pay(bob), memo="rent")
    answer = server.submit_transaction(envelope)
    assert answer["successful"] is True
    assert answer["hash"] == envelope.hash_hex()
    record = server.transactions().transaction(envelope.hash_hex()).call()
    assert (record["memo"], record["memo_type"]) == ("rent", "text")


def test_a_failed_submission_is_a_bad_request_with_its_codes(
    server: Server, network: Sandbox, alice: Keypair
) -> None:
    with pytest.raises(BadRequestError) as caught:
        server.submit_transaction(signed(server, network, alice, pay(Keypair.random())))
    assert caught.value.extras
    assert caught.value.extras["result_codes"] == {
        "transaction": "tx_failed",
        "operations": ["op_no_destination"],
    }


def test_the_client_refuses_to_pay_without_the_memo_that_the_account_asks_for(
    server: Server, network: Sandbox, alice: Keypair, bob: Keypair
) -> None:
    asks = ManageData("config.memo_required", "1")
    server.submit_transaction(signed(server, network, bob, asks))
    with pytest.raises(AccountRequiresMemoError):
        server.submit_transaction(signed(server, network, alice, pay(bob)))
    server.submit_transaction(signed(server, network, alice, pay(bob), memo="7"))


def test_the_stream_goes_on_over_the_limit_and_the_end_of_a_connection_without_loss(
    server: Server, network: Sandbox, alice: Keypair, bob: Keypair
) -> None:
    for _ in range(12):
        server.submit_transaction(signed(server, network, alice, pay(bob)))
    stream = server.payments().for_account(bob.public_key).cursor("0").limit(5).stream()
    seen = [next(stream) for _ in range(13)]
    stream.close()
    assert [each["type"] for each in seen] == ["create_account"] + ["payment"] * 12
    assert len({each["id"] for each in seen}) == 13


def test_a_stream_from_now_tells_of_what_comes(
    server: Server, network: Sandbox, alice: Keypair, bob: Keypair
) -> None:
    cursor = server.payments().order().limit(1).call()["_embedded"]["records"][0]["paging_token"]
    stream = server.payments().cursor(cursor).stream()
    answer = server.submit_transaction(signed(server, network, alice, pay(bob, "2.5")))
    event = next(stream)
    stream.close()
    assert (event["transaction_hash"], event["amount"]) == (answer["hash"], "2.5000000")


def test_a_fee_bump_is_found_by_both_hashes(
    server: Server, network: Sandbox, alice: Keypair, bob: Keypair
) -> None:
    inner = signed(server, network, alice, pay(bob))
    outer: FeeBumpTransactionEnvelope = TransactionBuilder.build_fee_bump_transaction(
        bob, 200, inner, network.network.passphrase
    )
    outer.sign(bob)
    assert server.submit_transaction(outer)["fee_charged"] == "200"
    found = {
        hash_: server.transactions().transaction(hash_).call()
        for hash_ in (outer.hash_hex(), inner.hash_hex())
    }
    assert [each["hash"] for each in found.values()] == list(found)
    assert {each["fee_account"] for each in found.values()} == {bob.public_key}
    assert {each["source_account"] for each in found.values()} == {alice.public_key}


def test_muxed_accounts_keep_their_ids(
    server: Server, network: Sandbox, alice: Keypair, bob: Keypair
) -> None:
    to = MuxedAccount(bob.public_key, 2**64 - 1)
    answer = server.submit_transaction(signed(server, network, alice, pay(to)))
    [record] = server.payments().for_transaction(answer["hash"]).call()["_embedded"]["records"]
    assert record["to"] == bob.public_key
    assert (record["to_muxed"], record["to_muxed_id"]) == (to.account_muxed, str(2**64 - 1))


def test_root_ledgers_and_fee_statistics_agree(server: Server, network: Sandbox) -> None:
    root, fees = server.root().call(), server.fee_stats().call()
    [ledger] = server.ledgers().order().limit(1).call()["_embedded"]["records"]
    assert root["history_latest_ledger"] == ledger["sequence"] == int(fees["last_ledger"])
    assert root["network_passphrase"] == network.network.passphrase
    assert server.fetch_base_fee() == int(fees["last_ledger_base_fee"]) == 100


def test_pages_follow_one_another_by_their_links(
    server: Server, network: Sandbox, alice: Keypair, bob: Keypair
) -> None:
    for number in range(5):
        server.submit_transaction(signed(server, network, alice, pay(bob, str(number + 1))))
    call = server.payments().for_account(bob.public_key).limit(2)
    pages = [call.call(), call.next(), call.next()]
    amounts = [each.get("amount") for page in pages for each in page["_embedded"]["records"]]
    assert amounts == [None] + [f"{number}.0000000" for number in range(1, 6)]


def test_an_asynchronous_submission_is_pending_and_then_found(
    server: Server, network: Sandbox, alice: Keypair, bob: Keypair
) -> None:
    envelope = signed(server, network, alice, pay(bob))
    answer = server.submit_transaction_async(envelope)
    assert (answer["tx_status"], answer["hash"]) == ("PENDING", envelope.hash_hex())
    with network.network.lock:
        while network.network.waiting:
            assert network.network.changed.wait(5)
    assert server.transactions().transaction(answer["hash"]).call()["successful"] is True
