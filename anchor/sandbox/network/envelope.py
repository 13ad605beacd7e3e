"""A transaction envelope read from XDR: hashes, parties, fee and preconditions in plain values."""

from dataclasses import dataclass
from hashlib import sha256

from stellar_sdk import xdr

from anchor.sandbox.network.values import Party, network_id


class Malformed(ValueError):
    """The text is not a transaction envelope that Horizon could decode."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Preconditions of a transaction; zero and None mean that there is none."""

    has_time_bounds: bool = False
    min_time: int = 0
    max_time: int = 0
    has_ledger_bounds: bool = False
    min_ledger: int = 0
    max_ledger: int = 0
    is_v2: bool = False
    min_sequence: int | None = None
    min_sequence_age_s: int = 0
    min_sequence_gap: int = 0
    extra_signers: tuple[xdr.SignerKey, ...] = ()


@dataclass(frozen=True, slots=True)
class FeeBump:
    """The outer part of a fee bump; fee in stroops."""

    hash: bytes
    source: Party
    fee: int
    signatures: tuple[xdr.DecoratedSignature, ...]


@dataclass(frozen=True, slots=True)
class Envelope:
    """One transaction as it was submitted; `hash` is the inner one of a fee bump."""

    text: str
    is_v0: bool
    hash: bytes
    tx: xdr.Transaction
    source: Party
    sequence: int
    fee: int
    conditions: Conditions
    signatures: tuple[xdr.DecoratedSignature, ...]
    fee_bump: FeeBump | None = None

    @property
    def outer_hash(self) -> bytes:
        """The hash under which the network knows the transaction."""
        return self.fee_bump.hash if self.fee_bump else self.hash

    @property
    def fee_source(self) -> Party:
        """Who pays the fee."""
        return self.fee_bump.source if self.fee_bump else self.source

    @property
    def bid(self) -> int:
        """The greatest fee in stroops that the fee source offers."""
        return self.fee_bump.fee if self.fee_bump else self.fee

    @property
    def soroban(self) -> xdr.SorobanTransactionData | None:
        """What it says of the entries that a call of a contract touches, and of its costs."""
        return self.tx.ext.soroban_data

    @property
    def resource_fee(self) -> int:
        """The part of its fee in stroops that pays for resources; 0 without a call."""
        return self.soroban.resource_fee.int64 if self.soroban else 0

    def operation_source(self, operation: xdr.Operation) -> Party:
        """Return the source of one of the operations."""
        return Party.of(operation.source_account) if operation.source_account else self.source


def _conditions(cond: xdr.Preconditions) -> Conditions:
    if cond.v2 is None:
        bounds = cond.time_bounds
        if bounds is None:
            return Conditions()
        return Conditions(
            True, bounds.min_time.time_point.uint64, bounds.max_time.time_point.uint64
        )
    v2 = cond.v2
    times, ledgers = v2.time_bounds, v2.ledger_bounds
    return Conditions(
        has_time_bounds=times is not None,
        min_time=times.min_time.time_point.uint64 if times else 0,
        max_time=times.max_time.time_point.uint64 if times else 0,
        has_ledger_bounds=ledgers is not None,
        min_ledger=ledgers.min_ledger.uint32 if ledgers else 0,
        max_ledger=ledgers.max_ledger.uint32 if ledgers else 0,
        is_v2=True,
        min_sequence=v2.min_seq_num.sequence_number.int64 if v2.min_seq_num else None,
        min_sequence_age_s=v2.min_seq_age.duration.uint64,
        min_sequence_gap=v2.min_seq_ledger_gap.uint32,
        extra_signers=tuple(v2.extra_signers),
    )


def _hash(passphrase: str, kind: xdr.EnvelopeType, body: bytes) -> bytes:
    tag = kind.value.to_bytes(4, "big")
    return sha256(network_id(passphrase) + tag + body).digest()


def _upgrade_v0(v0: xdr.TransactionV0) -> xdr.Transaction:
    key_type = xdr.CryptoKeyType.KEY_TYPE_ED25519
    cond = (
        xdr.Preconditions(xdr.PreconditionType.PRECOND_NONE)
        if v0.time_bounds is None
        else xdr.Preconditions(xdr.PreconditionType.PRECOND_TIME, v0.time_bounds)
    )
    return xdr.Transaction(
        source_account=xdr.MuxedAccount(key_type, ed25519=v0.source_account_ed25519),
        fee=v0.fee,
        seq_num=v0.seq_num,
        cond=cond,
        memo=v0.memo,
        operations=v0.operations,
        ext=xdr.TransactionExt(0),
    )


def parse_envelope(text: str, passphrase: str) -> Envelope:
    """Read an envelope from base64; raises Malformed."""
    try:
        outer = xdr.TransactionEnvelope.from_xdr(text)
        if outer.to_xdr() != text.strip():
            raise Malformed("bytes are left over")
        return _read(outer, text.strip(), passphrase)
    except Malformed:
        raise
    except Exception as error:
        raise Malformed(str(error)) from error


def _read(outer: xdr.TransactionEnvelope, text: str, passphrase: str) -> Envelope:
    bump: FeeBump | None = None
    kind = xdr.EnvelopeType
    if outer.fee_bump is not None:
        frame = outer.fee_bump.tx
        v1 = frame.inner_tx.v1
        bump = FeeBump(
            _hash(passphrase, kind.ENVELOPE_TYPE_TX_FEE_BUMP, frame.to_xdr_bytes()),
            Party.of(frame.fee_source),
            frame.fee.int64,
            tuple(outer.fee_bump.signatures),
        )
    else:
        v1 = outer.v1
    if v1 is not None:
        tx, signatures = v1.tx, v1.signatures
    elif outer.v0 is not None:
        tx, signatures = _upgrade_v0(outer.v0.tx), outer.v0.signatures
    else:
        raise Malformed("an envelope of an unknown type")
    return Envelope(
        text=text,
        is_v0=outer.v0 is not None,
        hash=_hash(passphrase, kind.ENVELOPE_TYPE_TX, tx.to_xdr_bytes()),
        tx=tx,
        source=Party.of(tx.source_account),
        sequence=tx.seq_num.sequence_number.int64,
        fee=tx.fee.uint32,
        conditions=_conditions(tx.cond),
        signatures=tuple(signatures),
        fee_bump=bump,
    )
