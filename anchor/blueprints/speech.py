"""The language in which a request is answered."""

from flask import g, request

from anchor import languages
from anchor.errors import AnchorError


def begin() -> None:
    """Answer a request in the language that `lang` asks for, until something else is known."""
    answer_in(request.args.get("lang"))


def language() -> str:
    """Return the language of the answer."""
    return str(g.get("language", languages.SOURCE))


def answer_in(tag: object) -> None:
    """Answer in the language that `tag` means; one that is not spoken means English (GEN-38)."""
    g.language, g.is_asked_for = languages.choose(tag), bool(tag)


def answer_else_in(tag: str | None) -> None:
    """Answer in the language that `tag` means where the request asks for none."""
    if not g.get("is_asked_for"):
        answer_in(tag)


def answer_page_in(tag: str | None) -> None:
    """Show a page in the language of `lang`, or of its transaction, or of the browser."""
    wanted = request.args.get("lang") or tag
    answer_in(wanted or languages.first_of(request.accept_languages.values()))


def say(sentence: str, **values: object) -> str:
    """Say a constant sentence in the language of the answer."""
    return languages.say(language(), sentence, **values)


def said(error: AnchorError) -> str:
    """Say an error's sentence in the language of the answer."""
    return languages.said(language(), error)
