"""A sandbox with an asset, accounts and account contracts, in the words of payments by contract."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import requests
from stellar_sdk import (
    Account,
    Asset,
    InvokeHostFunction,
    MuxedAccount,
    Network,
    SorobanServer,
    TransactionBuilder,
    TransactionEnvelope,
    scval,
    xdr,
)
from stellar_sdk.auth import authorize_entry
from stellar_sdk.client.requests_client import RequestsClient
from stellar_sdk.operation import Operation

from anchor.sandbox import contract_accounts
from anchor.sandbox.network import Sandbox
from tests.sandbox.ledger import address, key, usd

PASSPHRASE = Network.TESTNET_NETWORK_PASSPHRASE
STROOPS = 10_000_000


@dataclass
class Place:
    """Alice has lumens and 1000 USD, Bob a trust line, the issuer all it wants; Carol has keys
    alone, of which her account contract is made."""

    sandbox: Sandbox
    usd: Asset
    carol: str

    @classmethod
    def of(cls, sandbox: Sandbox) -> "Place":
        place = cls(sandbox, usd(), "")
        for name in ("alice", "bob", "issuer"):
            place.get("/friendbot", addr=key(name).public_key)
        for name in ("alice", "bob"):
            place.send(name, lambda builder: builder.append_change_trust_op(usd()))
        alice = key("alice").public_key
        place.send("issuer", lambda builder: builder.append_payment_op(alice, usd(), "1000"))
        place.carol = place.contract("carol")
        return place

    @property
    def rpc_url(self) -> str:
        return f"{self.sandbox.url}/rpc"

    def rpc(self) -> SorobanServer:
        return SorobanServer(self.rpc_url, RequestsClient(num_retries=0))

    def get(self, path: str, **params: str) -> Any:
        answer = requests.get(self.sandbox.url + path, params=params, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def records(self, path: str, **params: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(path, limit="200", **params)["_embedded"]["records"]
        return found

    def turn(self, name: str, **body: object) -> None:
        knob = f"{self.sandbox.url}/sandbox/{name}"
        requests.post(knob, json=body, timeout=10).raise_for_status()

    def contract(self, name: str) -> str:
        made = requests.post(
            f"{self.sandbox.url}/sandbox/contract-account",
            data={"key": key(name).public_key},
            timeout=10,
        )
        return str(made.json()["contract"])

    def builder(self, name: str, fee: int = 100) -> TransactionBuilder:
        account = self.get(f"/accounts/{key(name).public_key}")
        source = Account(account["id"], int(account["sequence"]))
        return TransactionBuilder(source, PASSPHRASE, fee).set_timeout(60)

    def submit(self, envelope: TransactionEnvelope, *signers: str) -> requests.Response:
        for name in signers:
            envelope.sign(key(name))
        data = {"tx": envelope.to_xdr()}
        return requests.post(f"{self.sandbox.url}/transactions", data=data, timeout=10)

    def send(self, name: str, append: Any) -> Any:
        builder = self.builder(name)
        append(builder)
        answer = self.submit(builder.build(), name)
        answer.raise_for_status()
        return answer.json()

    def pay(self, sender: str, name: str, to: str, amount: str, **options: Any) -> str:
        """Pay by the contract of the asset; `name` is whose key signs."""
        asset = options.pop("asset", self.usd)
        relayer = options.pop("relayer", None)
        return contract_accounts.transfer(
            sender,
            key(name),
            to,
            asset,
            amount,
            relayer=key(relayer) if relayer else None,
            horizon_url=self.sandbox.url,
            rpc_url=self.rpc_url,
            passphrase=PASSPHRASE,
        )

    def unsigned(
        self, source: str, sender: str, to: str, amount: str, *, op_source: str | None = None
    ) -> TransactionBuilder:
        """A transfer that was not simulated."""
        parameters = [
            scval.to_address(sender),
            scval.to_address(to),
            scval.to_int128(int(Operation.to_xdr_amount(amount))),
        ]
        return self.builder(source).append_invoke_contract_function_op(
            self.usd.contract_id(PASSPHRASE), "transfer", parameters, source=op_source
        )

    def prepared(self, builder: TransactionBuilder, *signers: str) -> TransactionEnvelope:
        """Simulate a transfer; sign what has to be signed of its authorization."""
        with self.rpc() as rpc:
            envelope = rpc.prepare_transaction(builder.build())
        until = self.sandbox.network.core.sequence + 100
        call = call_of(envelope)
        call.auth = list(call.auth or [])
        for at, name in enumerate(signers):
            call.auth[at] = authorize_entry(call.auth[at], key(name), until, PASSPHRASE)
        return envelope

    def error(self, builder: TransactionBuilder) -> str:
        """Why a simulation fails."""
        with self.rpc() as rpc:
            return str(rpc.simulate_transaction(builder.build()).error)

    def codes(self, envelope: TransactionEnvelope, *signers: str) -> list[str]:
        """Submit; the word for the operation, or for the transaction that no ledger takes."""
        answer = self.submit(envelope, *signers)
        if answer.ok:
            return ["op_success"]
        found = answer.json()["extras"]["result_codes"]
        words: list[str] = found.get("operations", [found["transaction"]])
        return words

    def holds(self, contract: str, asset: Asset | None = None) -> Decimal:
        held = contract_accounts.balance(
            contract, asset or self.usd, rpc_url=self.rpc_url, passphrase=PASSPHRASE
        )
        return Decimal(held) / STROOPS

    def line(self, name: str) -> Decimal:
        balances = self.get(f"/accounts/{key(name).public_key}")["balances"]
        return next(Decimal(each["balance"]) for each in balances if "asset_code" in each)

    def lumens(self, name: str) -> Decimal:
        balances = self.get(f"/accounts/{key(name).public_key}")["balances"]
        return next(Decimal(each["balance"]) for each in balances if "asset_code" not in each)


def muxed(name: str, number: int) -> str:
    return str(MuxedAccount(key(name).public_key, number).account_muxed)


def call_of(envelope: TransactionEnvelope) -> InvokeHostFunction:
    (call,) = envelope.transaction.operations
    assert isinstance(call, InvokeHostFunction)
    return call


def ready(place: Place, amount: str = "7") -> TransactionEnvelope:
    """What Alice needs to sign to pay Carol's contract."""
    return place.prepared(place.unsigned("alice", address("alice"), place.carol, amount))


def by_contract(place: Place, to: str = "", amount: str = "7") -> TransactionEnvelope:
    """What Alice needs to sign to let Carol's contract pay Bob."""
    builder = place.unsigned("alice", place.carol, to or address("bob"), amount)
    return place.prepared(builder, "carol")


def data_of(envelope: TransactionEnvelope) -> xdr.SorobanTransactionData:
    found = envelope.transaction.soroban_data
    assert found is not None
    return found
