"""Accounts with several signers, and signers that are slow, in short words."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from stellar_sdk import Keypair, Signer, TransactionEnvelope

from anchor.config import TESTNET_PASSPHRASE
from anchor.integrations import custody
from anchor.integrations.custody import SigningAnswer, SigningRequest
from anchor.integrations.local_keys import LocalKeys
from tests.deposits import Bench


def share(bench: Bench, *others: Keypair, threshold: int = 2) -> None:
    """Let the distribution account ask for `threshold` signatures, of `others` too.

    Another account's sequence number is used, for the account's own may be a channel's.
    """
    keys = Keypair.from_secret(bench.world.settings.distribution_secrets["USDC"])
    helper = bench.account(trusts=False)
    builder = bench.builder(helper)
    for other in others:
        signer = Signer.ed25519_public_key(other.public_key, 1)
        builder.append_set_options_op(signer=signer, source=keys.public_key)
    builder.append_set_options_op(med_threshold=threshold, source=keys.public_key)
    bench.world.submit(builder, helper, keys)


def signed_by(envelope_xdr: str, *pairs: Keypair) -> str:
    """Sign an exported envelope."""
    envelope = TransactionEnvelope.from_xdr(envelope_xdr.strip(), TESTNET_PASSPHRASE)
    for pair in pairs:
        envelope.sign(pair)
    return envelope.to_xdr()


@dataclass
class Remote(custody.Signer):
    """A custody elsewhere, which answers by `answers`, one after the other; then it signs.

    None is a signature; anything else is an answer, or an error that it raises.
    """

    keys: LocalKeys | None = None
    answers: list[SigningAnswer | Exception | None] = field(default_factory=list)
    default: SigningAnswer | Exception | None = None
    asked: list[SigningRequest] = field(default_factory=list)
    change: Callable[[SigningAnswer], SigningAnswer] = lambda answer: answer

    def sign(self, request: SigningRequest) -> SigningAnswer:
        self.asked.append(request)
        answer = self.answers.pop(0) if self.answers else self.default
        if isinstance(answer, Exception):
            raise answer
        assert self.keys is not None
        return self.change(self.keys.sign(request)) if answer is None else answer


def remote(bench: Bench, *answers: SigningAnswer | Exception | None) -> Remote:
    """Put a remote signer in the place of the local keys."""
    found = bench.world.app.extensions["anchor"]
    made = Remote("remote", keys=found.custody, answers=list(answers))
    bench.world.app.extensions["anchor"] = replace(found, custody=made)
    return made
