"""Operations create_claimable_balance and claim_claimable_balance: money that waits for someone."""

from __future__ import annotations

from hashlib import sha256

from stellar_sdk import StrKey, xdr

from anchor.sandbox.network.entries import (
    AUTH_CLAWBACK,
    LINE_CLAWBACK,
    Account,
    ClaimableBalance,
)
from anchor.sandbox.network.operations import predicates
from anchor.sandbox.network.operations.base import Applied, Effect, Operation, Scene
from anchor.sandbox.network.operations.reserves import release, sponsor
from anchor.sandbox.network.operations.transfer import Transfer, moved
from anchor.sandbox.network.results import Refused
from anchor.sandbox.network.values import Asset, Party, account_of, amount_text

CreateCode = xdr.CreateClaimableBalanceResultCode
ClaimCode = xdr.ClaimClaimableBalanceResultCode


def balance_id(value: xdr.ClaimableBalanceID) -> str:
    """Return the id of a claimable balance as Horizon writes it: its XDR in hex."""
    return value.to_xdr_bytes().hex()


def new_balance_id(scene: Scene) -> str:
    """Return the id of the balance that an operation creates: a hash of where it stands."""
    preimage = b"".join(
        (
            xdr.EnvelopeType.ENVELOPE_TYPE_OP_ID.value.to_bytes(4, "big"),
            bytes(4),
            StrKey.decode_ed25519_public_key(scene.frame.source),
            scene.frame.sequence.to_bytes(8, "big"),
            scene.index.to_bytes(4, "big"),
        )
    )
    return bytes(4).hex() + sha256(preimage).hexdigest()


def removed(scene: Scene, balance: ClaimableBalance) -> Effect:
    """Remove a balance, give its sponsor the reserve back, and return the effect of that."""
    scene.state.balances.remove(balance.id)
    release(scene.state, balance.sponsor, len(balance.claimants))
    fields: dict[str, object] = {"balance_id": balance.id, "former_sponsor": balance.sponsor}
    return Effect(scene.source, "claimable_balance_sponsorship_removed", 71, fields)


class CreateClaimableBalance(Operation):
    """create_claimable_balance (14)."""

    type = xdr.OperationType.CREATE_CLAIMABLE_BALANCE

    def read(self, body: xdr.OperationBody) -> None:
        """Take asset, amount and claimants."""
        op = body.create_claimable_balance_op
        assert op is not None
        self.asset, self.amount = Asset.of(op.asset), op.amount.int64
        self.claimants: list[tuple[str, xdr.ClaimPredicate]] = []
        for claimant in op.claimants:
            assert claimant.v0 is not None
            address = account_of(claimant.v0.destination)
            self.claimants.append((address, claimant.v0.predicate))
        self.created: set[str] = set()

    def check(self) -> None:
        """Refuse a bad asset or amount; no claimants, one twice, or a malformed predicate."""
        names = {address for address, _ in self.claimants}
        distinct = names and len(names) == len(self.claimants)
        well_formed = all(predicates.is_well_formed(each) for _, each in self.claimants)
        if self.amount <= 0 or not (self.asset.is_valid and distinct and well_formed):
            raise Refused(CreateCode.CREATE_CLAIMABLE_BALANCE_MALFORMED)

    def apply(self, scene: Scene) -> Applied:
        """Take the amount from the source; it or its sponsor bears a reserve per claimant."""
        codes = {"SRC_NO_TRUST": "NO_TRUST", "SRC_NOT_AUTHORIZED": "NOT_AUTHORIZED"}
        transfer = Transfer(scene, CreateCode, "CREATE_CLAIMABLE_BALANCE_", codes)
        transfer.debit(self.source.account, self.asset, self.amount)
        payer = scene.sponsor_of(self.source.account) or scene.source_account()
        units = len(self.claimants)
        payer_id = sponsor(payer, units, CreateCode.CREATE_CLAIMABLE_BALANCE_LOW_RESERVE)
        close_at = scene.frame.close_at
        balance = ClaimableBalance(
            id=new_balance_id(scene),
            asset=self.asset,
            amount=self.amount,
            sponsor=payer_id,
            claimants=tuple(
                (address, predicates.absolute(predicate, close_at))
                for address, predicate in self.claimants
            ),
            is_clawback_enabled=self._can_be_clawed_back(scene),
        )
        scene.state.balances.put(balance.id, balance)
        self.created = {balance.id}
        made = xdr.ClaimableBalanceID.from_xdr_bytes(bytes.fromhex(balance.id))
        return Applied({"balance_id": made}, self._effects(balance), payer_id)

    def _can_be_clawed_back(self, scene: Scene) -> bool:
        if self.asset.issuer == self.source.account:
            return scene.source_account().has(AUTH_CLAWBACK)
        line = scene.state.lines.read((self.source.account, self.asset))
        return line is not None and bool(line.flags & LINE_CLAWBACK)

    def _effects(self, balance: ClaimableBalance) -> list[Effect]:
        told: dict[str, object] = {
            "asset": str(self.asset),
            "balance_id": balance.id,
            "amount": amount_text(self.amount),
        }
        effects = [Effect(self.source, "claimable_balance_created", 50, told)]
        for address, predicate in self.claimants:
            when = {"predicate": predicates.fields(predicate)}
            name = "claimable_balance_claimant_created"
            effects.append(Effect(Party(address), name, 51, told | when))
        _, debited = moved(self.source, self.source, self.asset, self.amount)
        borne: dict[str, object] = {"balance_id": balance.id, "sponsor": balance.sponsor}
        sponsored = Effect(self.source, "claimable_balance_sponsorship_created", 69, borne)
        return [*effects, debited, sponsored]

    def fields(self) -> dict[str, object]:
        """Return asset, amount and claimants; Horizon gives no id here."""
        return {
            "asset": str(self.asset),
            "amount": amount_text(self.amount),
            "claimants": [
                {"destination": address, "predicate": predicates.fields(predicate)}
                for address, predicate in self.claimants
            ],
        }

    def parties(self) -> set[str]:
        """The claimants."""
        return {address for address, _ in self.claimants}

    def balances(self) -> set[str]:
        """The one that was created."""
        return self.created


class ClaimClaimableBalance(Operation):
    """claim_claimable_balance (15)."""

    type = xdr.OperationType.CLAIM_CLAIMABLE_BALANCE

    def read(self, body: xdr.OperationBody) -> None:
        """Take the balance's id."""
        assert body.claim_claimable_balance_op is not None
        self.id = balance_id(body.claim_claimable_balance_op.balance_id)

    def threshold(self, account: Account) -> int:
        """A claim takes the low threshold."""
        return account.low

    def apply(self, scene: Scene) -> Applied:
        """Give the balance to the source if it is a claimant whose predicate holds."""
        balance = scene.state.balances.read(self.id)
        if balance is None:
            raise Refused(ClaimCode.CLAIM_CLAIMABLE_BALANCE_DOES_NOT_EXIST)
        predicate = dict(balance.claimants).get(self.source.account)
        if predicate is None or not predicates.holds(predicate, scene.frame.close_at):
            raise Refused(ClaimCode.CLAIM_CLAIMABLE_BALANCE_CANNOT_CLAIM)
        transfer = Transfer(scene, ClaimCode, "CLAIM_CLAIMABLE_BALANCE_")
        transfer.credit(self.source.account, balance.asset, balance.amount)
        gone = removed(scene, balance)
        credited, _ = moved(self.source, self.source, balance.asset, balance.amount)
        told: dict[str, object] = {
            "asset": str(balance.asset),
            "balance_id": balance.id,
            "amount": amount_text(balance.amount),
        }
        claimed = Effect(self.source, "claimable_balance_claimed", 52, told)
        return Applied(effects=[claimed, credited, gone])

    def fields(self) -> dict[str, object]:
        """Return balance_id and claimant."""
        return {"balance_id": self.id} | self.source.fields("claimant")

    def balances(self) -> set[str]:
        """The one that is claimed."""
        return {self.id}
