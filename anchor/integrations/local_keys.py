"""The built-in custody: it signs with the secret keys of the settings."""

from dataclasses import dataclass

from anchor.assets import is_secret_key
from anchor.integrations.custody import (
    Declined,
    KeyHolder,
    Signed,
    SigningAnswer,
    SigningRequest,
)


@dataclass(repr=False)
class LocalKeys(KeyHolder):
    """Signs at once for the accounts whose secrets it was made with. It has no options.

    A secret may be any key that may sign for the account, its master key or another.
    Each is read only while it signs. Raises ValueError for one that is no secret key, and
    for options, without showing either.
    """

    def __post_init__(self) -> None:
        """Refuse what cannot sign."""
        if self.options:
            raise ValueError(f"{', '.join(sorted(self.options))} is no option of local keys")
        for account, secret in self.keys.items():
            if not is_secret_key(secret):
                raise ValueError(f"the secret for {account} is no secret key (S…)")

    def __repr__(self) -> str:
        return f"LocalKeys({self.name!r}, {len(self.keys)} accounts)"

    def sign(self, request: SigningRequest) -> SigningAnswer:
        """Sign for each of the accounts; decline where not one of them has its key here.

        What is signed is the envelope itself: a hash that is another's is declined.
        """
        from anchor.ledger.envelopes import hash_of  # only who signs needs stellar_sdk
        from anchor.ledger.keys import sign

        known = [self.keys[account] for account in request.accounts if account in self.keys]
        if not known:
            return Declined("no key of these accounts is among the settings")
        if hash_of(request.envelope_xdr, request.network_passphrase) != request.hash:
            return Declined("the hash is not that of the envelope")
        payload = bytes.fromhex(request.hash)
        return Signed(tuple(dict.fromkeys(sign(secret, payload) for secret in known)))

    def check(self) -> str:
        """Tell for how many accounts there are keys, and which sign by another than their own."""
        from anchor.ledger.keys import account_of

        others = [account for account, secret in self.keys.items() if account_of(secret) != account]
        sentence = f"signs for {len(self.keys)} accounts"
        return f"{sentence}, by another key for {', '.join(others)}" if others else sentence
