"""Small values of the network: assets, amounts, parties, tokens and instants."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256

from stellar_sdk import Asset as SdkAsset
from stellar_sdk import StrKey, xdr

STROOPS = 10_000_000
MAX_INT64 = 2**63 - 1
TOTAL_COINS_STROOPS = 100_000_000_000 * STROOPS
PROTOCOL_VERSION = 22


def amount_text(stroops: int) -> str:
    """Write an amount of stroops as Horizon does, with exactly 7 decimals."""
    whole, rest = divmod(stroops, STROOPS)
    return f"{whole}.{rest:07d}"


def time_text(seconds: int) -> str:
    """Write a close time (seconds since 1970) as Horizon does, in whole seconds UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ledger_token(ledger: int) -> int:
    """Return the paging token of a ledger."""
    return ledger << 32


def transaction_token(ledger: int, index: int) -> int:
    """Return the paging token of the transaction at `index` (from 1) of a ledger."""
    return ledger << 32 | index << 12


@lru_cache(maxsize=4096)
def _address(public_key: bytes) -> str:
    return StrKey.encode_ed25519_public_key(public_key)


def account_of(account_id: xdr.AccountID) -> str:
    """Return the G address of an XDR account id."""
    key = account_id.account_id.ed25519
    if key is None:
        raise ValueError("an account id without an ed25519 key")
    return _address(key.uint256)


@dataclass(frozen=True, slots=True)
class Party:
    """An account as an operation names it: its G address and, if muxed, the id."""

    account: str
    muxed_id: int | None = None

    @classmethod
    def of(cls, muxed: xdr.MuxedAccount) -> "Party":
        """Read a party from its XDR."""
        if muxed.med25519 is not None:
            return cls(_address(muxed.med25519.ed25519.uint256), muxed.med25519.id.uint64)
        if muxed.ed25519 is None:
            raise ValueError("a muxed account without a key")
        return cls(_address(muxed.ed25519.uint256))

    @property
    def muxed_address(self) -> str | None:
        """The M address, or None when there is no id."""
        if self.muxed_id is None:
            return None
        raw = StrKey.decode_ed25519_public_key(self.account) + self.muxed_id.to_bytes(8, "big")
        return StrKey.encode_med25519_public_key(raw)

    def fields(self, name: str) -> dict[str, object]:
        """Return `name`, `name_muxed`, `name_muxed_id`; Horizon leaves out an id of zero."""
        found: dict[str, object] = {name: self.account}
        return found | self.muxed_fields(name)

    def muxed_fields(self, name: str) -> dict[str, object]:
        """Return only the muxed fields under `name`, none for a plain account."""
        if self.muxed_id is None:
            return {}
        found: dict[str, object] = {f"{name}_muxed": self.muxed_address}
        if self.muxed_id:
            found[f"{name}_muxed_id"] = str(self.muxed_id)
        return found


def _code(raw: bytes) -> str:
    code = raw.rstrip(b"\0")
    # a short code in the long form is another asset, and not a valid one
    if len(raw) == 12 and len(code) < 5:
        code = code.ljust(5, b"\0")
    return code.decode("latin-1")


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset: code and issuer, or neither for the native one."""

    code: str = ""
    issuer: str = ""

    @classmethod
    def of(cls, asset: xdr.Asset | xdr.ChangeTrustAsset) -> "Asset":
        """Read an asset from its XDR; the code is kept as it is, valid or not."""
        if asset.alpha_num4 is not None:
            raw, issuer = asset.alpha_num4.asset_code.asset_code4, asset.alpha_num4.issuer
        elif asset.alpha_num12 is not None:
            raw, issuer = asset.alpha_num12.asset_code.asset_code12, asset.alpha_num12.issuer
        else:
            return NATIVE
        return cls(_code(raw), account_of(issuer))

    @classmethod
    def of_code(cls, code: xdr.AssetCode, issuer: str) -> "Asset":
        """Read an asset from the XDR of its code alone."""
        if code.asset_code4 is not None:
            return cls(_code(code.asset_code4.asset_code4), issuer)
        if code.asset_code12 is None:
            raise ValueError("an asset code of an unknown type")
        return cls(_code(code.asset_code12.asset_code12), issuer)

    @classmethod
    def read(cls, text: str) -> "Asset":
        """Read ``native`` or ``CODE:ISSUER``, as `str` writes it; nothing is checked."""
        code, _, issuer = text.partition(":")
        return NATIVE if text == "native" else cls(code, issuer)

    @property
    def is_native(self) -> bool:
        """Whether this is XLM."""
        return not self.issuer

    @property
    def is_valid(self) -> bool:
        """Whether the code is 1 to 12 ASCII letters and digits."""
        return self.is_native or (
            self.code.isascii() and self.code.isalnum() and len(self.code) <= 12
        )

    @property
    def type(self) -> str:
        """Horizon's `asset_type`."""
        if self.is_native:
            return "native"
        return "credit_alphanum4" if len(self.code) <= 4 else "credit_alphanum12"

    @property
    def sdk(self) -> SdkAsset:
        """The same asset as the SDK has it; raises ValueError for one that is not valid."""
        return SdkAsset.native() if self.is_native else SdkAsset(self.code, self.issuer)

    def fields(self, prefix: str = "") -> dict[str, object]:
        """Return asset_type, and asset_code and asset_issuer of a credit."""
        found: dict[str, object] = {f"{prefix}asset_type": self.type}
        if not self.is_native:
            found[f"{prefix}asset_code"] = self.code
            found[f"{prefix}asset_issuer"] = self.issuer
        return found

    def __str__(self) -> str:
        return "native" if self.is_native else f"{self.code}:{self.issuer}"


NATIVE = Asset()


def network_id(passphrase: str) -> bytes:
    """Return the hash of a passphrase that every signature covers."""
    return sha256(passphrase.encode()).digest()
