"""Everything that customers and wallets read is there in each language, and says the same."""

import ast
import string
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor import languages
from anchor.errors import Rejected
from scripts import make_messages

ROOT = Path(__file__).parents[1]
SENTENCES = make_messages.collected()
OTHERS = [name for name in languages.LANGUAGES if name != languages.SOURCE]
#: Words that are written alike in two languages.
SAME = {
    *("Memo", "Memo ({kind})", "Cbu alias", "Transaction", "optional", "Date"),
}


def names_in(form: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(form) if name is not None)


@pytest.mark.conforms("GEN-08")
@pytest.mark.parametrize("language", OTHERS)
def test_no_sentence_is_missing_or_left_in_english(language: str) -> None:
    said = languages.catalog(language)
    assert set(said) == set(SENTENCES), set(said) ^ set(SENTENCES)
    assert {text for text, other in said.items() if text == other} <= SAME


@pytest.mark.parametrize("language", OTHERS)
def test_each_translation_has_the_same_values_in_it(language: str) -> None:
    for text, other in languages.catalog(language).items():
        assert names_in(text) == names_in(other), (text, other)
        assert text.endswith(".") == other.endswith("."), (text, other)


def test_the_catalogs_are_what_the_script_makes_of_the_sources() -> None:
    script = str(ROOT / "scripts" / "make_messages.py")
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_whatever_a_customer_may_read_is_a_constant_with_names() -> None:
    for path, tree in make_messages.sources():
        for name, call in make_messages.spoken(tree) if path.parent.name != "integrations" else ():
            if name in make_messages.SPEAKERS | {"ValidationError", "invalid"}:
                first = call.args[0]
                ok = isinstance(first, ast.Constant) or _is_passed_on(first)
                assert ok, f"{path}:{call.lineno} says what nobody can translate"


def _is_passed_on(node: ast.expr) -> bool:
    """An error said before, or a table of messages by field."""
    if isinstance(node, ast.Attribute):
        return node.attr == "sentence"
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in {"Message.of", "Message"}
    return isinstance(node, ast.Dict)


@pytest.mark.conforms("GEN-38")
@pytest.mark.parametrize(
    ("tag", "language"),
    [
        *(("es", "es"), ("ES", "es"), ("es-MX", "es"), ("pt_BR", "pt"), ("fr-Latn-CA", "fr")),
        *(("en", "en"), ("en-US", "en"), ("de", "en"), ("x", "en"), ("", "en"), (None, "en")),
        *(("es;DROP", "en"), ("zz-ES", "en"), ("es-" * 30, "en"), (["es"], "en"), (5, "en")),
    ],
)
def test_a_tag_means_a_language_that_is_spoken_or_english(tag: object, language: str) -> None:
    assert languages.choose(tag) == language


@given(st.text() | st.none() | st.integers() | st.lists(st.text()))
def test_no_tag_is_an_error(tag: object) -> None:
    assert languages.choose(tag) in languages.LANGUAGES


def test_an_error_is_said_with_its_values_in_each_language() -> None:
    error = Rejected("{label} is needed", label="Account number")
    said = [languages.said(language, error) for language in languages.LANGUAGES]
    assert said == [
        "Account number is needed",
        "es necesario indicar: Número de cuenta",
        "é necessário informar: Número da conta",
        "il faut indiquer : Numéro de compte",
    ]


def test_what_no_catalog_has_is_said_in_english() -> None:
    assert languages.say("fr", "a rail of somebody else's: {what}", what=5).endswith("5")
