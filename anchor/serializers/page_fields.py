"""What a page asks, as inputs: details of a rail, and fields of a customer by their SEP-9 type.

Labels are the descriptions that wallets are told, up to the first comma or colon; what comes after
that is a hint. Translations keep to that, and a test holds them to it.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from babel import Locale
from iso3166 import countries

from anchor.customers import values
from anchor.customers.fields import FIELDS, canonical
from anchor.customers.rules import Need
from anchor.customers.standing import Held, State
from anchor.errors import Rejected
from anchor.integrations.protocols import Field
from anchor.languages import mark as _

_SPLIT = re.compile(r"\s?[,:;]\s")
_CODE = _("The code that we sent you")
_CODE_HINT = _("Six digits. It may take a minute to arrive.")
#: What a page offers to choose, and what it says of that: of documents, and of all files that
#: are taken (`anchor.customers.file_types`).
_DOCUMENTS = "image/*,application/pdf", _("A photo or a PDF of 10 MB at most.")
_ALL_FILES = (
    "image/*,video/*,application/pdf",
    _("A photo, a video or a PDF of 10 MB at most."),
)
#: How a value is typed, by how it is written: the type of the input and the keyboard.
_TYPES: Mapping[str, tuple[str, str]] = {
    "date": ("date", ""),
    "email": ("email", "email"),
    "phone": ("tel", "tel"),
    "any phone": ("tel", "tel"),
    "number": ("text", "decimal"),
    "occupation": ("text", "numeric"),
    "lines": ("textarea", ""),
    "file": ("file", ""),
    "country": ("select", ""),
    "country of a card": ("select", ""),
    "language": ("select", ""),
    "sex": ("select", ""),
}
#: What browsers call these, so that they may fill them in (HTML's autofill).
_AUTOFILL = {
    "first_name": "given-name",
    "given_name": "given-name",
    "last_name": "family-name",
    "family_name": "family-name",
    "additional_name": "additional-name",
    "email_address": "email",
    "mobile_number": "tel",
    "birth_date": "bday",
    "sex": "sex",
    "address": "street-address",
    "postal_code": "postal-code",
    "city": "address-level2",
    "state_or_province": "address-level1",
    "organization.name": "organization",
}
_SEXES = {"male": _("male"), "female": _("female"), "other": _("other")}
_OWN = {"string": "text", "number": "number", "date": "date", "binary": "file"}
Say = Callable[[str], str]


@dataclass(frozen=True)
class Input:
    """One question of a page: `label`, `hint` and `choices` are in its language.

    `kind` is an HTML type, or ``select``, ``textarea``. `accepts` are the types of a file, and
    `is_kept` says that it is here already.
    """

    name: str
    label: str
    kind: str = "text"
    hint: str = ""
    value: str = ""
    keyboard: str = ""
    autofill: str = "off"
    choices: Sequence[tuple[str, str]] = ()
    is_optional: bool = False
    is_kept: bool = False
    problem: str = ""
    accepts: str = ""


def of_rail(
    fields: Iterable[Field], given: Mapping[str, str], problems: Mapping[str, str], say: Say
) -> list[Input]:
    """Return the inputs for the details that a rail asks for."""
    return [
        Input(
            each.name,
            say(each.label),
            hint=say(each.description) if each.description else "",
            value=given.get(each.name, ""),
            keyboard="tel" if each.name.endswith("phone_number") else "",
            is_optional=each.optional,
            problem=problems.get(each.name, ""),
        )
        for each in fields
    ]


@dataclass(frozen=True)
class Asking:
    """What a customer is asked now, what was given, and in which language."""

    given: Mapping[str, str]
    problems: Mapping[str, str]
    say: Say
    language: str
    kept: frozenset[str] = field(default_factory=frozenset)


def of_customer(needs: Iterable[tuple[Need, Held | None, str]], asking: Asking) -> list[Input]:
    """Return the inputs for what is missing, was refused, or waits for its code."""
    return [
        _code(need, asking) if status == "VERIFICATION_REQUIRED" else _input(need, held, asking)
        for need, held, status in needs
    ]


def _code(need: Need, asking: Asking) -> Input:
    name = f"{need.name}_verification"
    return Input(
        name,
        f"{asking.say(_CODE)} ({label_of(need, asking.say)})",
        hint=asking.say(_CODE_HINT),
        keyboard="numeric",
        autofill="one-time-code",
        problem=asking.problems.get(name, ""),
    )


def _input(need: Need, held: Held | None, asking: Asking) -> Input:
    standard = FIELDS.get(need.name)
    written = standard.written if standard else _OWN[need.type]
    kind, keyboard = _TYPES.get(written, ("text", ""))
    label, hint = _split(asking.say(need.description))
    problem = asking.problems.get(need.name, "")
    if held is not None and held.state is State.REJECTED and not problem:
        problem = _sentence(asking.say(held.error or _("Please give this again.")))
    accepts = ""
    if kind == "file":
        accepts, told = _files_of(need.name)
        hint = asking.say(told)
    choices = _choices(need, written, asking)
    if choices:
        kind = "select"
    return Input(
        need.name,
        label,
        kind,
        "" if kind in {"select", "date"} else hint,
        asking.given.get(need.name, ""),
        keyboard,
        _AUTOFILL.get(need.name, "off"),
        choices,
        need.optional,
        need.name in asking.kept,
        problem,
        accepts,
    )


def _files_of(name: str) -> tuple[str, str]:
    """Return which files may be of use: videos show a face, or what a field of ours asks."""
    is_document = name in FIELDS and name != "proof_of_liveness"
    return _DOCUMENTS if is_document else _ALL_FILES


def label_of(need: Need, say: Say) -> str:
    """Return what people call a field."""
    return _split(say(need.description))[0]


def _split(description: str) -> tuple[str, str]:
    parts = _SPLIT.split(description, maxsplit=1)
    label, hint = parts[0], parts[1] if len(parts) > 1 else ""
    return label, _sentence(hint) if hint else ""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _choices(need: Need, written: str, asking: Asking) -> list[tuple[str, str]]:
    if need.choices:
        return [(each, asking.say(_readable(each))) for each in need.choices]
    locale = Locale.parse(asking.language)
    found: list[tuple[str, str]] = []
    if written == "country":
        found = [
            (each.alpha3, locale.territories.get(each.alpha2, each.name)) for each in countries
        ]
    elif written == "country of a card":
        found = [
            (each.alpha2, locale.territories.get(each.alpha2, each.name)) for each in countries
        ]
    elif written == "language":
        found = [(code, locale.languages.get(code, code)) for code in values.LANGUAGES]
    elif written == "sex":
        return [(name, asking.say(word)) for name, word in _SEXES.items()]
    return sorted(found, key=lambda each: each[1].casefold())


def _readable(choice: str) -> str:
    """Write a value as people read it, where it is a name of ours: ``drivers_license``."""
    return choice.replace("_", " ").capitalize() if choice.isascii() and "_" in choice else choice


def read(
    needs: Iterable[Need], given: Mapping[str, str], kept: frozenset[str], say: Say
) -> tuple[dict[str, str], dict[str, Rejected]]:
    """Return what is given of these fields, and for each that is wrong what says why.

    `kept` are fields whose file is here. The store judges once more what it is given.
    """
    texts: dict[str, str] = {}
    problems: dict[str, Rejected] = {}
    for need in needs:
        label, text = label_of(need, say), given.get(need.name, "").strip()
        if need.type == "binary":
            if need.name not in kept and not need.optional:
                problems[need.name] = Rejected("{label} is needed", label=label)
            continue
        if not text:
            if not need.optional:
                problems[need.name] = Rejected("{label} is needed", label=label)
            continue
        try:
            own = None if need.name in FIELDS else need.type
            texts[need.name] = values.read(need.name, text, own_type=own)
        except Rejected as error:
            problems[need.name] = named(error, label)
        else:
            if need.choices and texts[need.name] not in need.choices:
                problems[need.name] = Rejected("{field} is not one of the choices", field=label)
    return texts, problems


def named(error: Rejected, label: str) -> Rejected:
    """Return an error about a field with the name that people have for it."""
    known = dict(error.values)
    if "field" in known:
        known["field"] = label
    return Rejected(error.sentence, **known)


def about(error: Rejected, needs: Iterable[Need]) -> str | None:
    """Return the field, as it is asked for, that an error of the store is about."""
    told = str(error.values.get("field", ""))
    base = canonical(told.removesuffix("_verification").removesuffix("_file_id"))
    for need in needs:
        if canonical(need.name) == base:
            return told if told.endswith("_verification") else need.name
    return None
