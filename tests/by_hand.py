"""What tests do on a sandbox themselves: at the network, where the anchor comes by HTTP.

Half of the time of a test went into answers that nobody looks at.
"""

from stellar_sdk import (
    Account,
    Asset,
    Keypair,
    MuxedAccount,
    TransactionBuilder,
    TransactionEnvelope,
)

from anchor.config import TESTNET_PASSPHRASE
from anchor.sandbox.ground import CODE, Keys
from anchor.sandbox.network import Sandbox

_PLENTY = "1000000"


def created(sandbox: Sandbox, *accounts: str) -> None:
    """Have friendbot create those accounts that are not there, in one ledger."""
    network = sandbox.network
    with network.lock:
        new = [each for each in accounts if network.state.accounts.read(each) is None]
    for asked in [network.friendbot(account) for account in new]:
        assert network.wait(asked, 30).status == "applied", asked


def builder(sandbox: Sandbox, source: str | MuxedAccount) -> TransactionBuilder:
    """Begin a transaction of an account, by the sequence number that Horizon shows."""
    account_id = source.account_id if isinstance(source, MuxedAccount) else source
    with sandbox.network.lock:
        account = sandbox.network.shown.accounts.read(account_id)
    assert account is not None, source
    found = Account(source, account.sequence)
    return TransactionBuilder(found, TESTNET_PASSPHRASE, base_fee=100).set_timeout(60)


def submitted(sandbox: Sandbox, envelope: TransactionEnvelope) -> str:
    """Have an envelope applied; return its hash."""
    done = sandbox.network.wait(sandbox.network.submit(envelope.to_xdr()), 30)
    assert done.record is not None, done
    assert done.record.successful, done
    return done.record.hash


def established(sandbox: Sandbox, keys: Keys) -> None:
    """Make issuer and distribution account, with its line and plenty, as `establish` does."""
    created(sandbox, keys.issuer_id, keys.distribution_id)
    asset = Asset(CODE, keys.issuer_id)
    ground = builder(sandbox, keys.distribution_id)
    ground.append_change_trust_op(asset)
    ground.append_payment_op(keys.distribution_id, asset, _PLENTY, source=keys.issuer_id)
    envelope = ground.build()
    for secret in (keys.issuer, keys.distribution):
        envelope.sign(Keypair.from_secret(secret))
    submitted(sandbox, envelope)
