"""Operation set_options: flags, thresholds, home domain and signers of an account."""

from __future__ import annotations

from stellar_sdk import xdr

from anchor.sandbox.network.entries import AUTH_CLAWBACK, AUTH_IMMUTABLE, AUTH_REVOCABLE, Account
from anchor.sandbox.network.operations.base import Applied, Effect, Operation, Scene
from anchor.sandbox.network.operations.manage_data import is_plain
from anchor.sandbox.network.operations.reserves import add_subentry, drop_subentry
from anchor.sandbox.network.results import Refused
from anchor.sandbox.network.signatures import signer_address
from anchor.sandbox.network.values import Party, account_of

Code = xdr.SetOptionsResultCode
FLAGS = {
    1: "auth_required",
    2: "auth_revocable",
    4: "auth_immutable",
    8: "auth_clawback_enabled",
}
ALL_FLAGS = 15
MAX_SIGNERS = 20
MAX_BYTE = 255


class SetOptions(Operation):
    """set_options (5)."""

    type = xdr.OperationType.SET_OPTIONS

    def read(self, body: xdr.OperationBody) -> None:
        """Take what is to be set; None leaves a thing alone."""
        op = body.set_options_op
        assert op is not None
        self.inflation = account_of(op.inflation_dest) if op.inflation_dest else None
        self.clear = op.clear_flags.uint32 if op.clear_flags else 0
        self.set = op.set_flags.uint32 if op.set_flags else 0
        self.master = op.master_weight.uint32 if op.master_weight else None
        self.low = op.low_threshold.uint32 if op.low_threshold else None
        self.medium = op.med_threshold.uint32 if op.med_threshold else None
        self.high = op.high_threshold.uint32 if op.high_threshold else None
        self.domain = op.home_domain.string32 if op.home_domain else None
        self.signer = signer_address(op.signer.key) if op.signer else None
        self.weight = op.signer.weight.uint32 if op.signer else 0

    def threshold(self, account: Account) -> int:
        """High where it touches who may sign, medium otherwise."""
        weights = (self.master, self.low, self.medium, self.high, self.signer)
        touches = any(value is not None for value in weights)
        return account.high if touches else account.medium

    def check(self) -> None:
        """Refuse unknown or contradicting flags, weights above 255, a bad signer or domain."""
        if (self.set | self.clear) & ~ALL_FLAGS:
            raise Refused(Code.SET_OPTIONS_UNKNOWN_FLAG)
        if self.set & self.clear:
            raise Refused(Code.SET_OPTIONS_BAD_FLAGS)
        for weight in (self.master, self.low, self.medium, self.high):
            if weight is not None and weight > MAX_BYTE:
                raise Refused(Code.SET_OPTIONS_THRESHOLD_OUT_OF_RANGE)
        if self.signer is not None and (
            self.signer == self.source.account or self.weight > MAX_BYTE
        ):
            raise Refused(Code.SET_OPTIONS_BAD_SIGNER)
        if self.domain is not None and not is_plain(self.domain):
            raise Refused(Code.SET_OPTIONS_INVALID_HOME_DOMAIN)

    def apply(self, scene: Scene) -> Applied:
        """Set them in the ledger's order: inflation, flags, domain, weights, signer."""
        account, applied = scene.source_account(), Applied()
        if self.inflation is not None:
            if scene.state.accounts.read(self.inflation) is None:
                raise Refused(Code.SET_OPTIONS_INVALID_INFLATION)
            account.inflation_destination = self.inflation
        self._set_flags(account)
        if self.domain is not None:
            account.home_domain = self.domain.decode()
            self._effect(applied, "account_home_domain_updated", 5, home_domain=account.home_domain)
        self._set_weights(account, applied)
        if self.set or self.clear:
            names = {f"{FLAGS[bit]}_flag": True for bit in FLAGS if self.set & bit}
            names |= {f"{FLAGS[bit]}_flag": False for bit in FLAGS if self.clear & bit}
            # Horizon's effect shows neither the clawback flag nor, by a slip, the revocable one
            hidden = ("auth_clawback_enabled_flag", "auth_revocable_flag")
            shown = {k: v for k, v in names.items() if k not in hidden}
            self._effect(applied, "account_flags_updated", 6, **shown)
        if self.signer is not None:
            self._set_signer(scene, account, self.signer, applied)
        return applied

    def _set_flags(self, account: Account) -> None:
        if (self.set or self.clear) and account.has(AUTH_IMMUTABLE):
            raise Refused(Code.SET_OPTIONS_CANT_CHANGE)
        account.flags = account.flags & ~self.clear | self.set
        if account.has(AUTH_CLAWBACK) and not account.has(AUTH_REVOCABLE):
            raise Refused(Code.SET_OPTIONS_AUTH_REVOCABLE_REQUIRED)

    def _set_weights(self, account: Account, applied: Applied) -> None:
        if self.master is not None:
            account.master_weight = self.master
        shown: dict[str, object] = {}
        for name, value in (("low", self.low), ("medium", self.medium), ("high", self.high)):
            if value is not None:
                setattr(account, name, value)
        if any(value is not None for value in (self.low, self.medium, self.high)):
            shown = {
                "low_threshold": account.low,
                "med_threshold": account.medium,
                "high_threshold": account.high,
            }
            self._effect(applied, "account_thresholds_updated", 4, **shown)

    def _set_signer(self, scene: Scene, account: Account, key: str, applied: Applied) -> None:
        known, former, payer = key in account.signers, None, None
        if self.weight == 0:
            if not known:
                return
            del account.signers[key]
            former = account.signer_sponsors.pop(key, None)
            drop_subentry(scene.state, account, former)
            kind, number = "signer_removed", 11
        elif known:
            account.signers[key] = self.weight
            kind, number = "signer_updated", 12
        else:
            if len(account.signers) >= MAX_SIGNERS:
                raise Refused(Code.SET_OPTIONS_TOO_MANY_SIGNERS)
            payer = add_subentry(scene, account, Code.SET_OPTIONS_LOW_RESERVE)
            account.signers[key] = self.weight
            kind, number = "signer_created", 10
        self._effect(applied, kind, number, weight=self.weight, public_key=key, key="")
        if payer is not None:
            account.signer_sponsors[key] = applied.sponsor = payer
            self._effect(applied, "signer_sponsorship_created", 72, signer=key, sponsor=payer)
        if former is not None:
            self._effect(
                applied, "signer_sponsorship_removed", 74, signer=key, former_sponsor=former
            )

    def _effect(self, applied: Applied, name: str, number: int, **fields: object) -> None:
        applied.effects.append(Effect(Party(self.source.account), name, number, fields))

    def fields(self) -> dict[str, object]:
        """Return only what was set."""
        found: dict[str, object | None] = {
            "home_domain": self.domain.decode("utf-8", "replace") if self.domain else None,
            "inflation_dest": self.inflation,
            "master_key_weight": self.master,
            "signer_key": self.signer,
            "signer_weight": self.weight if self.signer else None,
        }
        for name, flags in (("set_flags", self.set), ("clear_flags", self.clear)):
            if flags:
                found[name] = [bit for bit in FLAGS if flags & bit]
                found[f"{name}_s"] = [FLAGS[bit] for bit in FLAGS if flags & bit]
        found |= {
            "low_threshold": self.low,
            "med_threshold": self.medium,
            "high_threshold": self.high,
        }
        return {name: value for name, value in found.items() if value is not None}
