"""A log-in policy, some keys, and challenges that are right or wrong in one way."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from stellar_sdk import (
    Account,
    Keypair,
    MuxedAccount,
    TransactionBuilder,
    TransactionEnvelope,
)

from anchor import web_auth
from anchor.clock import utcnow
from anchor.config import TESTNET_PASSPHRASE
from anchor.errors import Rejected, Unauthorized
from anchor.ledger.gateway import LedgerAccount, Signer
from anchor.web_auth import Principal, WebAuthPolicy, read_client

SERVER, CLIENT, OTHER, WALLET, THIRD = (
    Keypair.from_raw_ed25519_seed(bytes([number] * 32)) for number in range(5)
)
POLICY = WebAuthPolicy(
    network_passphrase=TESTNET_PASSPHRASE,
    signing_seed=SERVER.secret,
    jwt_secret="a secret of more than thirty-two bytes",
    home_domains=("anchor.example", "second.example"),
    web_auth_domain="auth.anchor.example:8443",
    issuer="https://auth.anchor.example:8443/auth",
)
MUXED = MuxedAccount(CLIENT.public_key, 5).universal_account_id
Change = Callable[[TransactionBuilder], object]


def parsed(envelope_xdr: str) -> TransactionEnvelope:
    return TransactionEnvelope.from_xdr(envelope_xdr, TESTNET_PASSPHRASE)


def signed(envelope_xdr: str, *keys: Keypair) -> str:
    envelope = parsed(envelope_xdr)
    for key in keys:  # the SDK's own way refuses to sign twice
        envelope.signatures.append(key.sign_decorated(envelope.hash()))
    return envelope.to_xdr()


def challenge(account: str = CLIENT.public_key, memo: str | None = None, **options: Any) -> str:
    return web_auth.build_challenge(POLICY, read_client(account, memo), **options)


def on_ledger(*signers: tuple[str, int] | tuple[str, int, str], medium: int = 0) -> LedgerAccount:
    return LedgerAccount(
        account_id=CLIENT.public_key,
        sequence=1,
        balances=(),
        signers=tuple(
            Signer(key, kind[0] if kind else "ed25519_public_key", weight)
            for key, weight, *kind in signers
        ),
        low_threshold=0,
        med_threshold=medium,
        high_threshold=0,
        subentry_count=0,
    )


def log_in(envelope_xdr: str, account: LedgerAccount | None = None) -> Principal:
    read = web_auth.read_challenge(POLICY, envelope_xdr)
    web_auth.verify_client(POLICY, read, account)
    return web_auth.read_token(POLICY, web_auth.issue_token(POLICY, read))


def forged(
    change: Change = lambda _builder: None,
    *,
    first: Change | None = None,
    source: str = SERVER.public_key,
    sequence: int = -1,
    bounds: tuple[int, int] | None = (0, 900),
    signer: Keypair = SERVER,
) -> str:
    """A challenge that is wrong in one way, and signed by the server and the client even so."""
    builder = TransactionBuilder(Account(source, sequence), TESTNET_PASSPHRASE, 100)
    now = int(utcnow().timestamp())
    if bounds is not None:
        builder.add_time_bounds(now + bounds[0], now + bounds[1] if bounds[1] else 0)
    (first or data("anchor.example auth", base64.b64encode(b"n" * 48), CLIENT))(builder)
    change(builder)
    envelope = builder.build()
    envelope.sign(signer)
    envelope.sign(CLIENT)
    return envelope.to_xdr()


def data(name: str, value: str | bytes | None, source: Keypair | None = SERVER) -> Change:
    key = None if source is None else source.public_key
    return lambda builder: builder.append_manage_data_op(name, value, source=key)


def refuse(envelope_xdr: str, account: LedgerAccount | None = None) -> str:
    with pytest.raises(Rejected) as caught:
        log_in(envelope_xdr, account)
    assert not isinstance(caught.value, Unauthorized)
    return str(caught.value)
