"""Transfers by the contract of an asset: how a contract account (``C…``) is paid.

Pure functions. What is called, by whose authority and how much is moved is ours alone. Of what
an RPC says, only which entries and resources the call takes, and its fee, are put in. Stellar:
the asset contract (CAP-46-06), its authorization (CAP-46-11) and its fees (CAP-46-07).
"""

from stellar_sdk import (
    Address,
    Asset,
    FeeBumpTransactionEnvelope,
    InvokeHostFunction,
    StrKey,
    Transaction,
    TransactionEnvelope,
    scval,
    xdr,
)

from anchor.errors import Rejected
from anchor.ledger.contract_gateway import Prepared
from anchor.ledger.orders import Unsigned
from anchor.money import MAX_STROOPS

_FEE_MAX = 2**32 - 1


def transfer(
    asset: Asset, amount: int, source: str, destination: str, passphrase: str
) -> InvokeHostFunction:
    """Return the call by which the account `source` pays `amount` stroops to a contract.

    The signature of `source` under the transaction authorizes just this call, and nothing that
    it may call in turn. It is the operation's source, too.
    """
    if not StrKey.is_valid_contract(destination):
        raise Rejected("a contract is written as C…")
    if not 0 < amount <= MAX_STROOPS:
        raise Rejected("an amount that no ledger can move")
    call = xdr.InvokeContractArgs(
        contract_address=Address(asset.contract_id(passphrase)).to_xdr_sc_address(),
        function_name=xdr.SCSymbol(b"transfer"),
        args=[scval.to_address(source), scval.to_address(destination), scval.to_int128(amount)],
    )
    function = xdr.HostFunction(
        xdr.HostFunctionType.HOST_FUNCTION_TYPE_INVOKE_CONTRACT, invoke_contract=call
    )
    authorized = xdr.SorobanAuthorizedFunction(
        xdr.SorobanAuthorizedFunctionType.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CONTRACT_FN,
        contract_fn=call,
    )
    entry = xdr.SorobanAuthorizationEntry(
        xdr.SorobanCredentials(xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT),
        xdr.SorobanAuthorizedInvocation(authorized, []),
    )
    return InvokeHostFunction(function, [entry], source)


def with_resources(unsigned: Unsigned, prepared: Prepared, passphrase: str) -> Unsigned:
    """Put into the envelope of a call what its simulation found that it takes.

    Its fee is what it bid for inclusion and the resource fee on top. Raises `Rejected` where
    the envelope is none of a call, has that already, or what was found cannot be read.
    """
    try:
        envelope = TransactionEnvelope.from_xdr(unsigned.envelope_xdr, passphrase)
        data = xdr.SorobanTransactionData.from_xdr(prepared.data)
    except Exception as error:  # the SDK raises whatever its parts do
        raise Rejected(f"what the call takes cannot be read: {type(error).__name__}") from error
    transaction = envelope.transaction
    if not transaction.is_soroban_transaction() or transaction.soroban_data is not None:
        raise Rejected("what a call takes is put into the envelope of a call, once")
    fee = unsigned.fee + prepared.resource_fee
    if prepared.resource_fee < 0 or fee > _FEE_MAX:
        raise Rejected("a fee that no transaction can offer")
    data.resource_fee = xdr.Int64(prepared.resource_fee)
    transaction.soroban_data, transaction.fee = data, fee
    return Unsigned(envelope.to_xdr(), envelope.hash_hex(), fee, unsigned.sources)


def resource_fee(envelope_xdr: str, passphrase: str) -> int:
    """Return the part of an envelope's fee, in stroops, that is for the resources of a call.

    The rest is what it bids for inclusion. It is 0 where no contract is called.
    """
    try:
        if FeeBumpTransactionEnvelope.is_fee_bump_transaction_envelope(envelope_xdr):
            bump = FeeBumpTransactionEnvelope.from_xdr(envelope_xdr, passphrase)
            return declared(bump.transaction.inner_transaction_envelope.transaction)
        return declared(TransactionEnvelope.from_xdr(envelope_xdr, passphrase).transaction)
    except Exception as error:  # the SDK raises whatever its parts do
        raise Rejected(f"the envelope cannot be read: {type(error).__name__}") from error


def declared(transaction: Transaction) -> int:
    """Return the resource fee in stroops that a transaction declares; 0 where it calls nothing."""
    data = transaction.soroban_data
    return 0 if data is None else data.resource_fee.int64
