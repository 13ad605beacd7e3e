"""What an amount of one asset costs in another: exact, and never rounded in the customer's favour.

A *price* is in units of the sold asset for one unit of the bought one, fees apart; a *total
price* has them in it. Fees are in the sold asset (SEP38-46), and the side that was given is
kept (SEP38-34). For each `Priced`, to the last stroop (SEP38-40 to 43)::

    sell_amount = fee + price * buy_amount        sell_amount = total_price * buy_amount
"""

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, localcontext

from anchor.errors import Rejected
from anchor.fees import FeeSchedule, fee_of, fixed_part, gross
from anchor.money import MAX_STROOPS, round_down, round_up, to_decimal

#: So many digits that a price times any amount the ledger can hold is right to the last stroop.
DIGITS = 22
_WORK = 60
_RATE = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")


@dataclass(frozen=True)
class Terms:
    """At what a pair is exchanged one way.

    `rate` is the market's price, `spread` what is added to it, in percentage points; `fee` is
    in the sold asset. The decimals (0 to 7) are what can be paid of each asset.
    """

    rate: Decimal
    spread: Decimal
    fee: FeeSchedule
    sell_decimals: int
    buy_decimals: int


@dataclass(frozen=True)
class Priced:
    """What an exchange comes to: amounts and fees in stroops, prices in plain decimals.

    `fee_fixed` and `fee_share` make up `fee`, all of them in the sold asset.
    """

    sell_amount: int
    buy_amount: int
    fee: int
    fee_fixed: int
    fee_share: int
    price: Decimal
    total_price: Decimal


def parse_rate(text: object) -> Decimal:
    """Read a plain decimal above 0, as text; else `ValueError`."""
    if not isinstance(text, str) or not _RATE.fullmatch(text):
        raise ValueError('a rate is a plain number in quotes, such as "5.42"')
    found = Decimal(text)
    if found <= 0:
        raise ValueError("a rate must be above 0")
    return found


def price_of(terms: Terms) -> Decimal:
    """Return the price with its spread, before any amount is rounded, fees apart."""
    with localcontext(prec=_WORK, rounding=ROUND_CEILING):
        return terms.rate * (1 + terms.spread / 100)


def inverse(rate: Decimal) -> Decimal:
    """Return the same rate the other way round, the last digit rounded up."""
    with localcontext(prec=_WORK, rounding=ROUND_CEILING):
        return 1 / rate


def sell(terms: Terms, amount: int) -> Priced:
    """Say what selling exactly `amount` stroops brings.

    Raises `Rejected` where that is finer than the asset can be paid, or brings nothing.
    """
    _demand_payable("sell_amount", amount, terms.sell_decimals)
    fee = fee_of(terms.fee, amount, terms.sell_decimals)
    if fee >= amount:
        raise Rejected("the amount is too small: the fee leaves nothing of it")
    with localcontext(prec=_WORK, rounding=ROUND_FLOOR):
        bought = Decimal(amount - fee) / price_of(terms)
        bought = bought.to_integral_value(rounding=ROUND_FLOOR)
    _demand_sane(bought)
    return _priced(terms, amount, round_down(int(bought), terms.buy_decimals), fee)


def buy(terms: Terms, amount: int) -> Priced:
    """Say what buying exactly `amount` stroops costs; `Rejected` as `sell`."""
    _demand_payable("buy_amount", amount, terms.buy_decimals)
    with localcontext(prec=_WORK, rounding=ROUND_CEILING):
        net = round_up(amount * price_of(terms), terms.sell_decimals)
    sold = gross(terms.fee, net, terms.sell_decimals)
    return _priced(terms, sold, amount, sold - net)


def _demand_payable(name: str, amount: int, decimals: int) -> None:
    if amount <= 0:
        raise Rejected("the amount must be above 0")
    if round_down(amount, decimals) != amount:
        raise Rejected("{name} has {decimals} decimals at most", name=name, decimals=decimals)


def _demand_sane(stroops: Decimal) -> None:
    if stroops > MAX_STROOPS:
        raise Rejected("the amount is larger than the ledger can hold")


def _priced(terms: Terms, sold: int, bought: int, fee: int) -> Priced:
    if bought <= 0 or sold <= fee:
        raise Rejected("the amount is too small: it buys nothing")
    fixed = min(round_up(Decimal(fixed_part(terms.fee, sold)), terms.sell_decimals), fee)
    return Priced(
        sell_amount=sold,
        buy_amount=bought,
        fee=fee,
        fee_fixed=fixed,
        fee_share=fee - fixed,
        price=_ratio(sold - fee, bought),
        total_price=_ratio(sold, bought),
    )


def _ratio(sold: int, bought: int) -> Decimal:
    """Return the price that two amounts make: exact where `DIGITS` digits will do."""
    with localcontext(prec=DIGITS, rounding=ROUND_HALF_EVEN):
        return Decimal(sold) / Decimal(bought)


def plain(number: Decimal, digits: int = DIGITS) -> str:
    """Write a price as the shortest plain decimal: no exponent, no needless nought (GEN-30)."""
    with localcontext(prec=digits, rounding=ROUND_CEILING):
        text = format(+number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def worth(stroops: int, price: Decimal) -> Decimal:
    """Return what an amount of the bought asset costs at a price, in units of the sold one."""
    with localcontext(prec=_WORK):
        return to_decimal(stroops) * price
