"""The languages of the house: which one is meant, and a sentence said in it.

English is the source: a sentence's own words are its key in the catalogs, which are
``translations/<language>/LC_MESSAGES/anchor.po``. They are read as they stand when a language is
first asked for, so that a checkout and a wheel work alike, with nothing to compile.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from anchor.errors import AnchorError

SOURCE = "en"
LANGUAGES = ("en", "es", "pt", "fr")
FOLDER = Path(__file__).parent / "translations"
_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]{1,8})*")
#: Values that are words themselves: the name of a detail, "greater than" of marshmallow.
_WORDS = frozenset({"label", "min_op", "max_op"})
#: English dates as the rest of the world writes them.
_DATES = {"en": "en_GB"}


class Number(str):
    """A plain number among the values of a sentence: each language writes it in its own way."""

    __slots__ = ()


def mark(sentence: str) -> str:
    """Return `sentence` as it is: it is said in the asker's language later."""
    return sentence


def choose(tag: object) -> str:
    """Return the language that a tag such as ``pt-BR`` means; English for all others (GEN-38)."""
    return _spoken(tag) or SOURCE


def first_of(tags: Iterable[str]) -> str:
    """Return the first language of these tags, the most wanted first, that is spoken here."""
    return next((language for tag in tags if (language := _spoken(tag))), SOURCE)


def _spoken(tag: object) -> str | None:
    found = _TAG.fullmatch(tag) if isinstance(tag, str) else None
    language = found[1].lower() if found else None
    return language if language in LANGUAGES else None


def say(language: str, sentence: str, **values: object) -> str:
    """Say a sentence in a language; one that no catalog has is said in English.

    Errors among the values are said in it too, and words out of the catalogs, such as `label`.
    """
    form = sentence if language == SOURCE else catalog(language).get(sentence, sentence)
    if not values:
        return form
    return form.format_map({name: _word(language, name, each) for name, each in values.items()})


def _word(language: str, name: str, value: object) -> object:
    if isinstance(value, AnchorError):
        return said(language, value)
    if isinstance(value, Number):
        return figure(language, Decimal(value))
    return say(language, str(value)) if name in _WORDS else value


def said(language: str, error: AnchorError) -> str:
    """Say an error's sentence in a language."""
    return say(language, error.sentence, **error.values)


def is_known(sentence: str) -> bool:
    """Tell whether the catalogs have it: what they lack is not meant for customers."""
    return sentence in catalog(LANGUAGES[1])


def number(language: str, value: Decimal, decimals: int = 0) -> str:
    """Write a number with all its digits, in groups, and with so many decimals or more."""
    from babel.numbers import format_decimal

    form = f"#,##0.{'0' * decimals}" if decimals else "#,##0"
    return format_decimal(value, form, locale=language, decimal_quantization=False)


def figure(language: str, value: Decimal, decimals: int = 2) -> str:
    """Write a number as sentences do: a whole one without decimals, another one as `number`."""
    return number(language, value, 0 if value == value.to_integral_value() else decimals)


def percent(language: str, value: Decimal) -> str:
    """Write so many per cent with all their digits."""
    from babel.numbers import format_percent

    return format_percent(value.scaleb(-2), locale=language, decimal_quantization=False)


def decimals_of(code: str) -> int:
    """Return in how many decimals a currency is written: two where nothing else is known of it."""
    from babel.numbers import get_currency_precision

    return get_currency_precision(code)


def moment(language: str, instant: datetime | None) -> str:
    """Write an instant for people, in UTC; nothing for None."""
    if instant is None:
        return ""
    from babel.dates import format_date

    known = instant.astimezone(UTC)
    day = format_date(known, "long", locale=_DATES.get(language, language))
    return f"{day}, {known:%H:%M}\N{NO-BREAK SPACE}UTC"


@lru_cache(maxsize=len(LANGUAGES))
def catalog(language: str) -> dict[str, str]:
    """Return a language's sentences by their English ones; what is not translated is left out."""
    from babel.messages.pofile import read_po

    with (FOLDER / language / "LC_MESSAGES" / "anchor.po").open("rb") as file:
        read = read_po(file, locale=language)
    return {str(each.id): str(each.string) for each in read if each.id and each.string}
