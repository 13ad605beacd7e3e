"""Tests of money that is sent back: a refund is keyed as a payout is."""

from anchor.integrations.protocols import OutgoingTransaction, RailsIntegration
from anchor.integrations.testing_rails.arrivals import ArrivalTests
from anchor.integrations.testing_rails.hooks import demand, exact
from anchor.integrations.testing_rails.payouts import PayoutTests


class RefundTests(ArrivalTests, PayoutTests):
    """What holds for orders holds for refunds, by their own keys (`can_refund`)."""

    def test_a_refund_under_the_same_key_moves_money_once(self) -> None:
        """Again, by another process and at once (`idempotent_for`)."""
        rail = self._refunding()
        demand(rail.traits.idempotent_for, "idempotent_for")
        self.pays_once_again(self._refund(rail))
        self.pays_once_at_once(self._refund(rail))

    def test_a_booking_can_be_sent_back_in_parts(self) -> None:
        """Each part has a key of its own, and all have the booking in `refund_of`."""
        rail = self._refunding()
        self.pays_both(self._refund(rail))

    def test_a_refund_is_found_by_its_key(self) -> None:
        """The look-up of payouts serves refunds, too (`can_look_up`)."""
        rail = self._refunding()
        demand(rail.traits.can_look_up, "can_look_up")
        self.is_found(self._refund(rail))

    def test_a_refund_whose_answer_was_lost_was_begun(self) -> None:
        """As an order whose answer was lost."""
        self.was_begun(self._refund(self._refunding()))

    def _refunding(self) -> RailsIntegration:
        rail = self.rails()
        demand(rail.traits.can_refund, "can_refund")
        return rail

    def _refund(self, rail: RailsIntegration) -> OutgoingTransaction:
        """Return an order to send half of a booking back that came just now."""
        receipt = self.told_of(rail, self.deposit())[0]
        half = exact(round(self.amount / 2, self.decimals))
        return self.outgoing(
            kind="deposit",
            amount=half,
            amount_in=half,
            details={},
            refund_of=receipt.receipt_id,
            payer=receipt.payer,
        )
