"""What the configuration says of fees and of limits, and what it may not say."""

from decimal import Decimal
from pathlib import Path

import pytest

from anchor import config
from anchor.fees import FeeSchedule, FeeTier
from tests.test_config import GOOD, environ, problems
from tests.test_config_quotes import PAIR, SEP38

UNIT = 10_000_000
TIER = '\n[[assets.USDC.withdrawal.tiers]]\nfrom = "{0}"\nfee_percent = "{1}"\n'


def test_everything_of_a_fee_can_be_said_for_an_asset_and_for_a_rail_of_it(tmp_path: Path) -> None:
    text = GOOD + (
        'fee_minimum = "2"\nfee_maximum = "50"\n'
        + TIER.format("10", "0.25")
        + TIER.format("50", "0.125")
        + '[assets.USDC.withdrawal.rails.bank]\nfee_fixed = "3"\n'
        + '[[assets.USDC.withdrawal.rails.bank.tiers]]\nfrom = "20"\nfee_fixed = "4"\n'
    )
    fees = config.load(environ(tmp_path, text)).assets["USDC"].withdrawal.fees
    tiers = (FeeTier(10 * UNIT, 0, Decimal("0.25")), FeeTier(50 * UNIT, 0, Decimal("0.125")))
    assert fees.usual == FeeSchedule(0, Decimal("0.5"), 2 * UNIT, 50 * UNIT, tiers)
    tier = FeeTier(20 * UNIT, 4 * UNIT, Decimal(0))
    assert fees.of("bank") == FeeSchedule(3 * UNIT, tiers=(tier,)), "nothing of it is the usual one"


def test_a_pair_has_the_same_words_for_its_fees(tmp_path: Path) -> None:
    text = (
        SEP38 + PAIR + 'withdrawal = { fee_minimum = "1", rails = { bank = {fee_fixed = "2"} } }\n'
    )
    [pair] = config.load(environ(tmp_path, text)).quotes.pairs
    assert pair.withdrawal is not None
    assert pair.withdrawal.usual == FeeSchedule(minimum=UNIT)
    assert pair.withdrawal.of("bank") == FeeSchedule(2 * UNIT)


def test_the_example_of_the_page_is_taken(tmp_path: Path) -> None:
    page = Path(__file__).parents[1] / "docs" / "reference" / "fees.md"
    example = page.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    base = GOOD.partition("[assets.USDC.withdrawal]")[0].replace("[assets.USDC]", _RAILS)
    flow = config.load(environ(tmp_path, base + example)).assets["USDC"].withdrawal
    assert flow.fees.of("wire") == FeeSchedule(25 * UNIT)
    assert flow.fees.usual.tiers == (FeeTier(5000 * UNIT, 0, Decimal("0.4")),)
    assert (flow.daily_limit, flow.monthly_limit) == (20_000 * UNIT, 100_000 * UNIT)


_RAILS = '[assets.USDC]\nrails = ["bank", "wire"]'
_WHERE = "assets.USDC.withdrawal"


@pytest.mark.parametrize(
    ("added", "sentence"),
    [
        ('daily_limit = "0.5"', f"{_WHERE}: min_amount is above daily_limit."),
        (
            'daily_limit = "5"\nmonthly_limit = "4"',
            f"{_WHERE}: daily_limit is above monthly_limit.",
        ),
        ('fee_minimum = "2"\nfee_maximum = "1"', f"{_WHERE}: fee_minimum is above fee_maximum."),
        (TIER.format("0", "1"), f"{_WHERE}.tiers: each begins above the one before"),
        (
            TIER.format("5", "1") + TIER.format("5", "2"),
            f"{_WHERE}.tiers: each begins above the one before",
        ),
        (TIER.format("101", "1"), f"{_WHERE}: a tier begins above max_amount."),
        (TIER.format("1", "101"), "tiers.0.fee_percent must be"),
        ('[[assets.USDC.withdrawal.tiers]]\nfee_fixed = "1"', "tiers.0.from missing"),
        (TIER.format("1", "1") + 'fee_minimum = "1"', "fee_minimum is not a setting"),
        (
            '[assets.USDC.withdrawal.rails.pigeon]\nfee_fixed = "1"',
            f"{_WHERE}.rails.pigeon is none of the asset's rails.",
        ),
        ('[assets.USDC.withdrawal.rails.bank]\nmin_amount = "1"', "is not a setting"),
        ('[assets.USDC.deposit]\nfee_percent = "0.1234567"', "has 6 decimals at most"),
    ],
)
def test_a_fee_that_cannot_be_meant_stops_the_start(
    tmp_path: Path, added: str, sentence: str
) -> None:
    assert sentence in problems(tmp_path, GOOD + added + "\n")


def test_a_share_of_all_leaves_nothing_to_exchange(tmp_path: Path) -> None:
    tier = 'withdrawal = { tiers = [{ from = "5", fee_percent = "100" }] }\n'
    assert "a fee_percent of 100 leaves nothing" in problems(tmp_path, SEP38 + PAIR + tier)
