"""Numbers are written as each language does, and no digit of them is lost."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor import languages
from anchor.errors import Rejected
from anchor.money import MAX_STROOPS, format_amount, parse_amount, to_decimal, told
from anchor.serializers import page_amounts

LANGUAGES = st.sampled_from(languages.LANGUAGES)
STROOPS = st.integers(0, MAX_STROOPS)
POINTS = {"en": ".", "es": ",", "pt": ",", "fr": ","}
GROUPS = {"en": ",", "es": ".", "pt": ".", "fr": "\u202f"}


def read(language: str, text: str) -> str:
    """Read a number by eye: groups of three, then the decimals."""
    whole, _, fraction = text.partition(POINTS[language])
    first, *groups = whole.split(GROUPS[language])
    assert 1 <= len(first) <= 3, text
    assert all(len(each) == 3 for each in groups), text
    digits = f"{first}{''.join(groups)}"
    assert (digits + fraction).isascii()
    assert (digits + fraction).isdigit()
    return f"{digits}.{fraction}" if fraction else digits


@given(LANGUAGES, STROOPS, st.integers(0, 4))
def test_promise_09_no_digit_is_lost_however_it_is_written(
    language: str, stroops: int, decimals: int
) -> None:
    text = read(language, languages.number(language, to_decimal(stroops), decimals))
    assert Decimal(text) == to_decimal(stroops)
    places = len(text.partition(".")[2])
    assert places == max(decimals, len(format_amount(stroops).partition(".")[2]))


@given(LANGUAGES, st.integers(1, MAX_STROOPS), st.sampled_from(["USD", "JPY", "KWD", "USDC"]))
def test_an_amount_has_the_decimals_of_its_currency_and_stays_on_one_line(
    language: str, stroops: int, code: str
) -> None:
    for write in (page_amounts.money, page_amounts.brief):
        number, _, unit = write(language, stroops, code).partition("\xa0")
        assert unit == code
        assert parse_amount(read(language, number)) == stroops
    least = {"JPY": 0, "KWD": 3}.get(code, 2)
    written = read(language, page_amounts.money(language, stroops, code).partition("\xa0")[0])
    assert len(written.partition(".")[2]) >= least


@pytest.mark.parametrize(
    ("language", "money", "brief", "share"),
    [
        ("en", "1,234.50\xa0USD", "10,000\xa0USD", "0.5%"),
        ("es", "1.234,50\xa0USD", "10.000\xa0USD", "0,5\xa0%"),
        ("pt", "1.234,50\xa0USD", "10.000\xa0USD", "0,5%"),
        ("fr", "1\u202f234,50\xa0USD", "10\u202f000\xa0USD", "0,5\xa0%"),
    ],
)
def test_each_language_has_marks_of_its_own(
    language: str, money: str, brief: str, share: str
) -> None:
    assert page_amounts.money(language, parse_amount("1234.5"), "USD") == money
    assert page_amounts.brief(language, parse_amount("10000"), "USD") == brief
    assert languages.percent(language, Decimal("0.50")) == share
    assert page_amounts.money(language, None, "USD") == ""


@given(st.from_regex(r"[0-9]{1,6}[.,][0-9]{1,9}", fullmatch=True))
def test_a_comma_is_one_of_decimals_or_refused_and_never_one_of_thousands(text: str) -> None:
    whole, mark, fraction = text.partition("," if "," in text else ".")
    try:
        found = page_amounts.typed(f" {text} ")
    except Rejected:
        assert mark == "," or len(fraction) > 7 or not int(whole + fraction)
        assert len(fraction) > 2 or not int(whole + fraction)
    else:
        assert to_decimal(found) == Decimal(f"{whole}.{fraction}")
        assert mark == "." or len(fraction) <= 2


@pytest.mark.parametrize(
    "text", ["1,234", "1.234,50", "1,234.50", "1 234,5", ",50", "1,", "\u0661,\u0665"]
)
def test_what_could_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(Rejected):
        page_amounts.typed(text)


def test_a_sentence_writes_its_amounts_as_its_language_does_and_a_log_plainly() -> None:
    error = Rejected("the greatest amount is {amount}", amount=told(parse_amount("10000")))
    assert str(error) == "the greatest amount is 10000"
    assert languages.said("en", error) == "the greatest amount is 10,000"
    assert languages.said("es", error) == "el importe máximo es 10.000"
