"""The ground an anchor stands on in the sandbox: an issuer and a distribution account."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests
from stellar_sdk import Asset, Keypair, Server, TransactionBuilder
from stellar_sdk.client.requests_client import RequestsClient
from stellar_sdk.exceptions import NotFoundError

from anchor.sandbox import CODE

_FLOAT = "1000000"


@dataclass(frozen=True)
class Keys:
    """The secret keys of a sandbox anchor."""

    signing: str
    issuer: str
    distribution: str

    @property
    def issuer_id(self) -> str:
        """The issuer's account."""
        return Keypair.from_secret(self.issuer).public_key

    @property
    def signing_id(self) -> str:
        """The account whose key signs log-in challenges."""
        return Keypair.from_secret(self.signing).public_key

    @property
    def distribution_id(self) -> str:
        """The distribution account."""
        return Keypair.from_secret(self.distribution).public_key


def new_keys() -> Keys:
    """Make new keys for a sandbox anchor."""
    return Keys(*(Keypair.random().secret for _ in range(3)))


def web_auth_contract(url: str) -> str:
    """Ask a sandbox for the id of its web auth contract (SEP-45)."""
    answer = requests.get(f"{url}/sandbox/contracts", timeout=30)
    answer.raise_for_status()
    return str(answer.json()["web_auth"])


def establish(url: str, passphrase: str, keys: Keys, *, signs: bool = False) -> None:
    """Create the issuer and the distribution account with its trust line, once.

    With `signs` also the account of the signing key: contracts weigh its signature by it.
    """
    with Server(url, client=RequestsClient(num_retries=0)) as server:
        try:
            known = server.accounts().account_id(keys.distribution_id).call()
            if signs and not _is_there(server, keys.signing_id):
                _create(url, [keys.signing_id])
            if any(line.get("asset_code") == CODE for line in known["balances"]):
                return
        except NotFoundError:
            _create(url, [keys.issuer_id, keys.distribution_id, *([keys.signing_id] * signs)])
        issuer, distribution = (Keypair.from_secret(s) for s in (keys.issuer, keys.distribution))
        asset = Asset(CODE, keys.issuer_id)
        builder = TransactionBuilder(
            server.load_account(keys.distribution_id), passphrase, base_fee=100
        ).set_timeout(60)
        builder.append_change_trust_op(asset)
        builder.append_payment_op(keys.distribution_id, asset, _FLOAT, source=keys.issuer_id)
        envelope = builder.build()
        envelope.sign(issuer)
        envelope.sign(distribution)
        server.submit_transaction(envelope)


def _is_there(server: Server, account: str) -> bool:
    try:
        server.accounts().account_id(account).call()
    except NotFoundError:
        return False
    return True


def _create(url: str, accounts: list[str]) -> None:
    """Let friendbot create accounts, in one ledger where it can."""

    def ask(account: str) -> None:
        requests.get(f"{url}/friendbot", params={"addr": account}, timeout=30)

    with ThreadPoolExecutor(len(accounts)) as pool:
        list(pool.map(ask, accounts))
