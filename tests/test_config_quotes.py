"""What the configuration says of exchanges, and what it may not say."""

from decimal import Decimal
from pathlib import Path

import pytest
from stellar_sdk import StrKey

from anchor import config, development
from anchor.errors import Misconfigured
from anchor.fees import Fees, FeeSchedule
from anchor.integrations import registry
from anchor.integrations.rates import RateQuery, Way
from anchor.money import parse_amount
from anchor.services import exchanges
from anchor.starter import STARTER
from tests.test_config import GOOD, ISSUER, SEED, environ, problems

PAIR = """
[offchain."iso4217:BRL"]
[[pairs]]
asset = "USDC"
offchain = "iso4217:BRL"
"""
SEP38 = GOOD.replace("[network]", "seps = [1, 10, 38]\n[network]")


def test_a_pair_takes_four_lines(tmp_path: Path) -> None:
    found = config.load(environ(tmp_path, SEP38 + PAIR)).quotes
    [pair] = found.pairs
    assert pair.deposit == pair.withdrawal == Fees()
    other = found.offchain["iso4217:BRL"]
    assert other.decimals == 2
    assert other.buy_delivery_methods == other.sell_delivery_methods == {"bank": "By bank"}
    assert found.sources == {"fixed"}


def test_everything_of_a_pair_can_be_said(tmp_path: Path) -> None:
    text = (
        SEP38
        + """
[quotes]
hold_s = 60
reserve_max = { USDC = "5", "iso4217:BRL" = "7" }
[offchain."iso4217:BRL"]
decimals = 0
country_codes = ["BR", "BR-SP"]
sell_delivery_methods = { bank = "By PIX" }
[[pairs]]
asset = "USDC"
offchain = "iso4217:BRL"
rates = "http"
spread_percent = "1.5"
deposit = { enabled = false }
withdrawal = { fee_fixed = "0.5", fee_percent = "2" }
"""
    )
    found = config.load(environ(tmp_path, text)).quotes
    [pair] = found.pairs
    assert (pair.rates, pair.spread, pair.deposit) == ("http", Decimal("1.5"), None)
    assert pair.withdrawal == Fees(FeeSchedule(parse_amount("0.5"), Decimal(2)))
    assert found.offchain["iso4217:BRL"].sell_delivery_methods == {"bank": "By PIX"}
    assert found.reserve_max == {
        f"stellar:USDC:{ISSUER}": parse_amount("5"),
        "iso4217:BRL": parse_amount("7"),
    }


@pytest.mark.conforms("GEN-34", "GEN-40", "SEP38-13")
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('asset = "USDC"', 'asset = "EURC"', "there is no [assets.EURC]"),
        ('offchain = "iso4217:BRL"', 'offchain = "iso4217:EUR"', 'no [offchain."iso4217:EUR"]'),
        ("iso4217:BRL", "iso4217:brl", "iso4217: and its three letters"),
        ("iso4217:BRL", "BRL", "iso4217: and its three letters"),
        ("iso4217:BRL", "eip155:1", "iso4217: and its three letters"),
        ("[[pairs]]", 'country_codes = ["BRA"]\n[[pairs]]', "BRA is neither ISO 3166"),
        ("[[pairs]]", 'delivery_methods = { pix = "By PIX" }\n[[pairs]]', "pix is no rail"),
        ("[[pairs]]", "decimals = 8\n[[pairs]]", "decimals"),
        ("[[pairs]]", "[quotes]\nhold_s = 7200\n[[pairs]]", "hold_s is above hold_max_s"),
        ("[[pairs]]", '[quotes.reserve_max]\nEUR = "5"\n[[pairs]]', "EUR is neither an asset"),
        ("[[pairs]]", '[quotes.reserve_max]\nUSDC = "a"\n[[pairs]]', "reserve_max.USDC must be"),
        ("[[pairs]]", "[[pairs]]\nspread_percent = 0.5", "percentage in quotes"),
        ("[[pairs]]", '[[pairs]]\nrate_min = "1e3"', "a plain number in quotes"),
        ("[[pairs]]", '[[pairs]]\nrate_max = "0"', "must be above 0"),
        ("[[pairs]]", "[[pairs]]\nrate_max = 5", "rate_max"),
        ("[[pairs]]", '[[pairs]]\nrate_min = "6"\nrate_max = "5"', "rate_min is above rate_max"),
        ("[[pairs]]", '[[pairs]]\ndeposit = { fee_percent = "100" }', "leaves nothing"),
        (
            "[[pairs]]",
            "[[pairs]]\ndeposit = { enabled = false }\nwithdrawal = { enabled = false }",
            "both ways are closed",
        ),
        (PAIR, PAIR + '[[pairs]]\nasset = "USDC"\noffchain = "iso4217:BRL"', "stand there twice"),
        (PAIR, "", "no [[pairs]] say"),
    ],
)
def test_what_contradicts_itself_stops_the_start(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert said in problems(tmp_path, SEP38 + PAIR.replace(old, new))


def test_each_pair_needs_a_way_to_pay_that_is_a_rail_of_its_asset(tmp_path: Path) -> None:
    """BRL is paid by PIX, which is a rail of EURC alone."""
    more = f"""
[assets.EURC]
issuer = "{ISSUER}"
distribution = "{ISSUER}"
rails = ["pix"]
[[pairs]]
asset = "EURC"
offchain = "iso4217:BRL"
withdrawal = {{ enabled = false }}
"""
    pix = PAIR.replace("[[pairs]]", 'sell_delivery_methods = { pix = "By PIX" }\n[[pairs]]')
    said = problems(tmp_path, SEP38 + pix + more)
    assert "USDC and iso4217:BRL: none of the ways to pay for a deposit is a rail of USDC" in said
    assert "none of the ways to pay for a withdrawal" not in said
    assert "EURC and iso4217:BRL" not in said
    both = pix.replace("pix =", 'bank = "By bank", pix =')
    found = config.load(environ(tmp_path, SEP38 + both + more))
    assert set(found.quotes.offchain["iso4217:BRL"].sell_delivery_methods) == {"bank", "pix"}


def test_development_mode_has_a_pair_to_try(tmp_path: Path) -> None:
    text = development._FILE.format(
        passphrase=config.TESTNET_PASSPHRASE,
        code="USDC",
        issuer=ISSUER,
        distribution=ISSUER,
        bank="http://localhost/bank",
        webhook="x" * 32,
        seps=[1, 10, 24, 38],
        contract=StrKey.encode_contract(bytes(32)),
    )
    values = environ(tmp_path, text) | {
        "ANCHOR_PUBLIC_URL": "http://localhost",
        "ANCHOR_HORIZON_URL": "http://localhost",
        "ANCHOR_DISTRIBUTION_SECRET_USDC": SEED,
    }
    found = config.load(values, development=True)
    assert 38 in found.seps
    rails = registry.load_rails(["bank"], found.rails)
    exchanges.demand_rails(found, rails)
    sources = registry.load_rates(found.quotes.sources, found.rates)
    query = RateQuery(f"USDC:{ISSUER}", "USDC", "iso4217:BRL", Way.DEPOSIT)
    assert sources["fixed"].rate(query).price == Decimal("5.42")


def test_what_the_starter_file_shows_can_be_uncommented(tmp_path: Path) -> None:
    shown = STARTER.partition("# [offchain")[2].partition("[schedule]")[0]
    lines = [line.removeprefix("#").removeprefix(" ") for line in f"# [offchain{shown}".split("\n")]
    found = config.load(environ(tmp_path, SEP38 + "\n".join(lines))).quotes
    [pair] = found.pairs
    assert pair.withdrawal == Fees(FeeSchedule(parse_amount("0.50")))
    assert found.offchain["iso4217:BRL"].buy_delivery_methods["bank"].startswith("By PIX")


def test_a_rail_that_does_not_know_the_currency_is_refused(tmp_path: Path) -> None:
    """It would take 490 BRL for 490 of the asset's own currency."""
    found = config.load(environ(tmp_path, SEP38 + PAIR))
    rails = registry.load_rails(["bank"], {"bank": {"url": "http://x", "currencies": ["EUR"]}})
    with pytest.raises(Misconfigured, match="does not say that it pays BRL"):
        exchanges.demand_rails(found, rails)
