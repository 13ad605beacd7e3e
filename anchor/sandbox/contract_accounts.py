"""What a wallet does with a contract account: it logs in, pays, and looks what there is."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from stellar_sdk import (
    Address,
    Asset,
    InvokeHostFunction,
    Keypair,
    Server,
    SorobanServer,
    TransactionBuilder,
    scval,
    xdr,
)
from stellar_sdk.auth import (
    authorization_payload_hash,
    authorize_entry,
    build_authorization_preimage,
)
from stellar_sdk.client.requests_client import RequestsClient
from stellar_sdk.operation import Operation
from stellar_sdk.sep.stellar_soroban_web_authentication import read_challenge_authorization_entries

#: How many ledgers the signature is good for: a little more than it takes to send it.
_LEDGERS = 20
#: The bid of a payment beside its resources, in stroops: enough while ledgers are full.
_INCLUSION_FEE = 10_000
_TIMEOUT_S = 60


def sign(
    entries_xdr: str,
    account: str,
    key: Keypair,
    toml: Mapping[str, Any],
    *,
    home_domain: str,
    rpc_url: str,
) -> str:
    """Return the entries of a challenge with that of `account` signed (SEP45-30, SEP45-31).

    Raises where the challenge is not what the stellar.toml of `home_domain` announces, or not
    signed by its key: a wallet signs nothing else.
    """
    server, passphrase = toml["SIGNING_KEY"], toml["NETWORK_PASSPHRASE"]
    read = read_challenge_authorization_entries(
        entries_xdr,
        server,
        home_domain,
        urlsplit(toml["WEB_AUTH_FOR_CONTRACTS_ENDPOINT"]).netloc,
        toml["WEB_AUTH_CONTRACT_ID"],
    )
    if read.client_account_id != account:
        raise ValueError("the challenge is for another account")
    entries = read.authorization_entries.soroban_authorization_entries
    for entry in entries:
        if _address_of(entry) == server:
            _check_signature(entry, server, passphrase)
    with SorobanServer(rpc_url, RequestsClient(num_retries=0)) as ledger:
        until = ledger.get_latest_ledger().sequence + _LEDGERS
    signed = [
        authorize_entry(entry, key, until, passphrase) if _address_of(entry) == account else entry
        for entry in entries
    ]
    return xdr.SorobanAuthorizationEntries(signed).to_xdr()


def _check_signature(entry: xdr.SorobanAuthorizationEntry, server: str, passphrase: str) -> None:
    by = _part(entry)
    preimage = build_authorization_preimage(
        entry, by.signature_expiration_ledger.uint32, passphrase
    )
    (signature,) = scval.from_vec(by.signature)
    fields = {scval.from_symbol(name): value for name, value in scval.from_map(signature).items()}
    signed = scval.from_bytes(fields["signature"])
    Keypair.from_public_key(server).verify(authorization_payload_hash(preimage), signed)


def _is_to_sign(entry: xdr.SorobanAuthorizationEntry) -> bool:
    kind = xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT
    return entry.credentials.type != kind


def _part(entry: xdr.SorobanAuthorizationEntry) -> xdr.SorobanAddressCredentials:
    found = entry.credentials.address or entry.credentials.address_v2
    if found is None:
        raise ValueError("the challenge has credentials of an unknown form")
    return found


def _address_of(entry: xdr.SorobanAuthorizationEntry) -> str:
    return Address.from_xdr_sc_address(_part(entry).address).address


def transfer(
    sender: str,
    key: Keypair,
    destination: str,
    asset: Asset,
    amount: str,
    *,
    relayer: Keypair | None = None,
    horizon_url: str,
    rpc_url: str,
    passphrase: str,
) -> str:
    """Pay by the contract of an asset; return the hash once a ledger holds the transaction.

    `sender` is an account that pays for itself, or an account contract: then `key` authorizes
    the payment, and `relayer` (by default the account of `key`) is the source and bears the
    fee. `destination` is G…, M… or C…, `amount` in units of the asset. Raises the SDK's
    PrepareTransactionException where the simulation fails, and BadRequestError where the
    ledger refuses it.
    """
    source = relayer or key
    parameters = [
        scval.to_address(sender),
        scval.to_address(destination),
        scval.to_int128(int(Operation.to_xdr_amount(amount))),
    ]
    with (
        Server(horizon_url, RequestsClient(num_retries=0)) as horizon,
        SorobanServer(rpc_url, RequestsClient(num_retries=0)) as rpc,
    ):
        account = horizon.load_account(source.public_key)
        builder = TransactionBuilder(account, passphrase, _INCLUSION_FEE).set_timeout(_TIMEOUT_S)
        builder.append_invoke_contract_function_op(
            asset.contract_id(passphrase), "transfer", parameters
        )
        envelope = rpc.prepare_transaction(builder.build(), use_upgraded_auth=False)
        (call,) = envelope.transaction.operations
        assert isinstance(call, InvokeHostFunction)
        until = rpc.get_latest_ledger().sequence + _LEDGERS
        call.auth = [
            authorize_entry(entry, key, until, passphrase) if _is_to_sign(entry) else entry
            for entry in call.auth or []
        ]
        envelope.sign(source)
        return str(horizon.submit_transaction(envelope)["hash"])


def balance(account: str, asset: Asset, *, rpc_url: str, passphrase: str) -> int:
    """Return what a contract (C…) holds of an asset, in stroops."""
    with SorobanServer(rpc_url, RequestsClient(num_retries=0)) as rpc:
        found = rpc.get_sac_balance(account, asset, passphrase).balance_entry
    return 0 if found is None else found.amount
