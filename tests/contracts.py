"""An anchor that takes contract accounts, and the words in which tests log them in."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import requests
from stellar_sdk import Address, Keypair, scval, xdr
from stellar_sdk.auth import (
    authorization_payload_hash,
    authorize_entry,
    build_authorization_preimage,
)

from anchor import create_app
from anchor.config import TESTNET_PASSPHRASE
from anchor.extensions import db
from anchor.policies.web_auth import WebAuthOptions
from tests.world import World

Entries = list[xdr.SorobanAuthorizationEntry]
PATH = "/sep45/auth"
_made: list[World] = []


def with_contracts(
    world: World, rpc_url: str | None = None, *, fund: bool = True, **options: Any
) -> World:
    """Return the same world with SEP-45 switched on; the server's account is on the ledger."""
    contract = world.sandbox.network.contracts.web_auth
    settings = replace(
        world.settings,
        seps=world.settings.seps | {45},
        rpc_url=rpc_url or f"{world.sandbox.url}/rpc",
        web_auth=WebAuthOptions(**{"contract_id": contract} | options),
    )
    if fund:
        key = Keypair.from_secret(settings.signing_secret)
        world.create(key.public_key)
    made = World(create_app(settings), settings, world.sandbox, world.bank)
    _made.append(made)
    return made


def dispose() -> None:
    """Close the connections of the anchors that were made so."""
    while _made:
        with _made.pop().app.app_context():
            db.session.remove()
            db.engine.dispose()


@dataclass
class Customer:
    """Somebody with an account contract of one key."""

    world: World
    key: Keypair
    account: str

    @classmethod
    def of(cls, world: World) -> "Customer":
        key = Keypair.random()
        answer = requests.post(
            f"{world.sandbox.url}/sandbox/contract-account",
            data={"key": key.public_key},
            timeout=10,
        )
        return cls(world, key, answer.json()["contract"])

    def ask(self, client: Any, **query: Any) -> Any:
        full = {"account": self.account, "home_domain": "localhost"} | query
        return client.get(PATH, query_string={k: v for k, v in full.items() if v is not None})

    def challenge(self, client: Any, **query: Any) -> str:
        answer = self.ask(client, **query)
        assert answer.status_code == 200, answer.text
        return str(answer.json["authorization_entries"])

    def signed(self, entries: str, *more: Keypair, until: int | None = None) -> str:
        """Sign the entry of the account, and those of the accounts `more`."""
        until = self.world.sandbox.network.core.sequence + 20 if until is None else until
        keys = {self.account: self.key} | {key.public_key: key for key in more}
        read = parsed(entries)
        return written(
            [
                authorize_entry(entry, keys[address_of(entry)], until, TESTNET_PASSPHRASE)
                if address_of(entry) in keys
                else entry
                for entry in read
            ]
        )

    def log_in(self, client: Any, **query: Any) -> dict[str, str]:
        """Log in and return the headers of a request by this account."""
        answer = post(client, self.signed(self.challenge(client, **query)))
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json['token']}"}


def post(client: Any, entries: Any) -> Any:
    return client.post(PATH, json={"authorization_entries": entries})


def parsed(entries: str) -> Entries:
    return xdr.SorobanAuthorizationEntries.from_xdr(entries).soroban_authorization_entries


def written(entries: Entries) -> str:
    return xdr.SorobanAuthorizationEntries(entries).to_xdr()


def part(entry: xdr.SorobanAuthorizationEntry) -> xdr.SorobanAddressCredentials:
    found = entry.credentials.address or entry.credentials.address_v2
    assert found is not None
    return found


def address_of(entry: xdr.SorobanAuthorizationEntry) -> str:
    return Address.from_xdr_sc_address(part(entry).address).address


def verify(entry: xdr.SorobanAuthorizationEntry, key: Keypair) -> None:
    """Raise unless `key` signed an entry, for the ledgers that it says."""
    (signature,) = scval.from_vec(part(entry).signature)
    fields = {
        scval.from_symbol(k): scval.from_bytes(v) for k, v in scval.from_map(signature).items()
    }
    until = part(entry).signature_expiration_ledger.uint32
    preimage = build_authorization_preimage(entry, until, TESTNET_PASSPHRASE)
    key.verify(authorization_payload_hash(preimage), fields["signature"])


def call_of(entry: xdr.SorobanAuthorizationEntry) -> xdr.InvokeContractArgs:
    found = entry.root_invocation.function.contract_fn
    assert found is not None
    return found


def arguments(entry: xdr.SorobanAuthorizationEntry) -> dict[str, str]:
    struct = scval.from_struct(call_of(entry).args[0])
    return {name: scval.from_string(value).decode() for name, value in struct.items()}


def with_arguments(entries: str, change: Callable[[dict[str, str]], object]) -> str:
    """Change what all entries are called with."""
    read = parsed(entries)
    found = arguments(read[0])
    change(found)
    struct = scval.to_struct({name: scval.to_string(text) for name, text in found.items()})
    for entry in read:
        call_of(entry).args = [struct]
    return written(read)


def server_signs(world: World, entries: str, until: int = 10_000_000) -> str:
    """Let the server sign its entry (again)."""
    server = Keypair.from_secret(world.settings.signing_secret)
    return written(
        [
            authorize_entry(entry, server, until, TESTNET_PASSPHRASE)
            if address_of(entry) == server.public_key
            else entry
            for entry in parsed(entries)
        ]
    )
