"""The kinds of operation that the network knows, one module each."""

from stellar_sdk import xdr

from anchor.sandbox.network.operations.account_merge import AccountMerge
from anchor.sandbox.network.operations.base import Operation
from anchor.sandbox.network.operations.bump_sequence import BumpSequence
from anchor.sandbox.network.operations.change_trust import ChangeTrust
from anchor.sandbox.network.operations.claimable_balance import (
    ClaimClaimableBalance,
    CreateClaimableBalance,
)
from anchor.sandbox.network.operations.clawback import Clawback, ClawbackClaimableBalance
from anchor.sandbox.network.operations.create_account import CreateAccount
from anchor.sandbox.network.operations.invoke_host_function import InvokeHostFunction
from anchor.sandbox.network.operations.manage_data import ManageData
from anchor.sandbox.network.operations.path_payment import (
    PathPaymentStrictReceive,
    PathPaymentStrictSend,
)
from anchor.sandbox.network.operations.payment import Payment
from anchor.sandbox.network.operations.set_options import SetOptions
from anchor.sandbox.network.operations.sponsoring import (
    BeginSponsoringFutureReserves,
    EndSponsoringFutureReserves,
)
from anchor.sandbox.network.operations.trust_flags import AllowTrust, SetTrustLineFlags
from anchor.sandbox.network.operations.unsupported import Unsupported
from anchor.sandbox.network.values import Party

_KINDS: dict[xdr.OperationType, type[Operation]] = {
    kind.type: kind
    for kind in (
        AccountMerge,
        AllowTrust,
        BeginSponsoringFutureReserves,
        BumpSequence,
        ChangeTrust,
        ClaimClaimableBalance,
        Clawback,
        ClawbackClaimableBalance,
        CreateAccount,
        CreateClaimableBalance,
        EndSponsoringFutureReserves,
        InvokeHostFunction,
        ManageData,
        PathPaymentStrictReceive,
        PathPaymentStrictSend,
        Payment,
        SetOptions,
        SetTrustLineFlags,
    )
}


def read_operation(operation: xdr.Operation, source: Party) -> Operation:
    """Return the operation of an envelope in the class of its kind."""
    return _KINDS.get(operation.body.type, Unsupported)(operation.body, source)
