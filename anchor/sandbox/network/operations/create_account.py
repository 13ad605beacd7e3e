"""Operation create_account: a new account with a starting balance."""

from stellar_sdk import xdr

from anchor.sandbox.network.entries import ACCOUNT_UNITS, BASE_RESERVE, Account
from anchor.sandbox.network.operations.base import Applied, Effect, Operation, Scene
from anchor.sandbox.network.operations.reserves import sponsor
from anchor.sandbox.network.results import Refused
from anchor.sandbox.network.values import NATIVE, Party, account_of, amount_text

Code = xdr.CreateAccountResultCode


class CreateAccount(Operation):
    """create_account (0)."""

    type = xdr.OperationType.CREATE_ACCOUNT
    is_payment = True

    def read(self, body: xdr.OperationBody) -> None:
        """Take the new account and its starting balance."""
        assert body.create_account_op is not None
        self.account = account_of(body.create_account_op.destination)
        self.balance = body.create_account_op.starting_balance.int64

    def check(self) -> None:
        """Refuse a negative balance and creating oneself."""
        if self.balance < 0 or self.account == self.source.account:
            raise Refused(Code.CREATE_ACCOUNT_MALFORMED)

    def apply(self, scene: Scene) -> Applied:
        """Create the account with the ledger's first sequence number."""
        if scene.state.accounts.read(self.account) is not None:
            raise Refused(Code.CREATE_ACCOUNT_ALREADY_EXIST)
        created = Account(self.account, self.balance, scene.first_sequence)
        payer = scene.sponsor_of(self.account)
        if payer is not None:
            created.sponsor = sponsor(payer, ACCOUNT_UNITS, Code.CREATE_ACCOUNT_LOW_RESERVE)
            created.sponsored = ACCOUNT_UNITS
        elif self.balance < ACCOUNT_UNITS * BASE_RESERVE:
            raise Refused(Code.CREATE_ACCOUNT_LOW_RESERVE)
        source = scene.source_account()
        if source.available < self.balance:
            raise Refused(Code.CREATE_ACCOUNT_UNDERFUNDED)
        source.balance -= self.balance
        scene.state.accounts.put(self.account, created)
        return Applied(effects=self._effects(created.sponsor), sponsor=created.sponsor)

    def _effects(self, payer: str | None) -> list[Effect]:
        new, amount = Party(self.account), amount_text(self.balance)
        signer: dict[str, object] = {"weight": 1, "public_key": self.account, "key": ""}
        effects = [
            Effect(new, "account_created", 0, {"starting_balance": amount}),
            Effect(self.source, "account_debited", 3, NATIVE.fields() | {"amount": amount}),
            Effect(new, "signer_created", 10, signer),
        ]
        if payer is not None:
            effects.append(Effect(new, "account_sponsorship_created", 60, {"sponsor": payer}))
        return effects

    def fields(self) -> dict[str, object]:
        """Return starting_balance, funder and account."""
        found: dict[str, object] = {"starting_balance": amount_text(self.balance)}
        return found | self.source.fields("funder") | {"account": self.account}

    def parties(self) -> set[str]:
        """The new account."""
        return {self.account}
