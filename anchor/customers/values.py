"""Values of fields: each is held against the way it has to be written (SEP9-01, SEP12-45)."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from unicodedata import category

from iso3166 import countries_by_alpha2, countries_by_alpha3

from anchor.customers.fields import FIELDS, NEVER_KEPT, canonical
from anchor.errors import Rejected
from anchor.languages import mark as _

MAX_CHARS = 1_000
#: ISO 639-1.
_LANGUAGES = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy
da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu
hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb
lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om
or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw
ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""
LANGUAGES = frozenset(_LANGUAGES.split())
E164 = "E.164"
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_ANY_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{2,39}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CARD_DATE = re.compile(r"[0-9]{2}-(0[1-9]|1[0-2])")
_OCCUPATION = re.compile(r"[0-9]{3}")
_NUMBER = re.compile(r"(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?")
_SUBDIVISION = re.compile(r"([A-Z]{2})-[A-Z0-9]{1,3}")


def _is_date(text: str) -> bool:
    try:
        return bool(_DATE.fullmatch(text)) and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _is_ip(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _is_subdivision(text: str) -> bool:
    match = _SUBDIVISION.fullmatch(text)
    return bool(match) and match[1] in countries_by_alpha2 if match else False


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text) is not None


@dataclass(frozen=True)
class _Way:
    """A way of writing a value: the test, and what is said of one that fails it."""

    test: Callable[[str], bool]
    sentence: str


_WRITTEN: Mapping[str, _Way] = {
    "text": _Way(lambda _text: True, ""),
    "lines": _Way(lambda _text: True, ""),
    "country": _Way(
        countries_by_alpha3.__contains__, _("{field} must be a country code of 3 letters")
    ),
    "country of a card": _Way(
        countries_by_alpha2.__contains__, _("{field} must be a country code of 2 letters")
    ),
    "subdivision": _Way(_is_subdivision, _("{field} must be an ISO 3166-2 code")),
    "language": _Way(LANGUAGES.__contains__, _("{field} must be a language code of 2 letters")),
    "date": _Way(_is_date, _("{field} must be a date written as YYYY-MM-DD")),
    "card date": _Way(_matches(_CARD_DATE), _("{field} must be written as YY-MM")),
    "phone": _Way(_matches(_PHONE), _("{field} must be a phone number such as +4915112345678")),
    "any phone": _Way(_matches(_ANY_PHONE), _("{field} must be a phone number")),
    "email": _Way(_matches(_EMAIL), _("{field} must be an email address")),
    "occupation": _Way(_matches(_OCCUPATION), _("{field} must be an ISCO-08 code of 3 digits")),
    "number": _Way(_matches(_NUMBER), _("{field} must be a number")),
    "ip": _Way(_is_ip, _("{field} must be an IP address")),
    "sex": _Way(
        {"male", "female", "other"}.__contains__, _("{field} must be male, female or other")
    ),
}
#: How a field of an anchor's own is written, by its type.
_OWN = {"string": "lines", "number": "number", "date": "date"}


def read(name: str, value: object, *, own_type: str | None = None, free: bool = False) -> str:
    """Return the text to keep of a value; `Rejected` names the field and says what it must be.

    `value` is text, or a `Decimal` for a number. `own_type` is that of a field that is no
    standard one. A `free` value is only held to what a database can keep.
    """
    if name in NEVER_KEPT:
        raise Rejected("{field} is not kept here: send card.token instead", field=name)
    standard = FIELDS.get(name)
    type_ = standard.type if standard else own_type
    written = standard.written if standard else _OWN.get(own_type or "", "")
    if type_ == "binary":
        raise Rejected("{field} must be a file: a part of a form, or {field}_file_id", field=name)
    if type_ == "number" and isinstance(value, Decimal) and value.is_finite():
        value = format(value, "f")
        value = value.zfill(3) if written == "occupation" else value
    if not isinstance(value, str):
        raise Rejected("{field} must be text", field=name)
    text = value.strip()
    check_text(name, text, lines=written == "lines")
    way = _WRITTEN["text" if free else written]
    if not way.test(text):
        raise Rejected(way.sentence, field=name)
    return text


def check_text(name: str, text: str, *, lines: bool = False) -> None:
    """Raise `Rejected`, naming the field, for a text that is empty or that nothing can keep."""
    if not text:
        raise Rejected("{field} must not be empty", field=name)
    if len(text) > MAX_CHARS:
        raise Rejected("{field} is too long", field=name)
    allowed = "\r\n\t" if lines else ""
    for letter in text:
        if category(letter) == "Cc" and letter not in allowed:
            raise Rejected("{field} must not have control characters", field=name)
        if category(letter) == "Cs":
            raise Rejected("{field} must be valid Unicode", field=name)


def read_all(
    given: Mapping[str, object], own_types: Mapping[str, str], held: Mapping[str, str]
) -> dict[str, str]:
    """Return the texts to keep of all that is a field, by the names they are kept under.

    What is neither a standard field nor one of `own_types` is left out: it is not asked for,
    so it is not kept. `held` is what is kept already: how the mobile number is written may
    have been said before (SEP9-07). Raises `Rejected` for the first that is wrong.
    """
    form = given.get("mobile_number_format", held.get("mobile_number_format"))
    is_free = isinstance(form, str) and form.strip() not in {"", E164}
    found: dict[str, str] = {}
    for name, value in given.items():
        if name not in FIELDS and name not in own_types:
            continue
        free = is_free and name == "mobile_number"
        text = read(name, value, own_type=own_types.get(name), free=free)
        if found.setdefault(canonical(name), text) != text:
            raise Rejected("{field} is given twice, and not alike", field=name)
    return found
