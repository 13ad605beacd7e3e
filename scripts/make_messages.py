"""Collects every sentence that a customer or a wallet may read, and keeps the catalogs complete.

`scripts/make_messages.py` adds what is new to each `anchor.po` of `anchor/translations`, takes
out what nobody says any more, and prints what still lacks its translation. With `--check` it
writes nothing and says by exit status 1 whether a catalog is stale or not complete.

What is collected: the constants in `Rejected("…")` and its like, `mark("…")`, `say("…")` in
sources and templates, and the messages of marshmallow. Left out are modules that only operators
hear from, which are named here.
"""

import ast
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from anchor.languages import FOLDER, LANGUAGES, SOURCE
from anchor.serializers import messages

#: Without dates, so that the same sentences make the same file.
_HEADER = """\
msgid ""
msgstr ""
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""
PACKAGE = Path(__file__).parents[1] / "anchor"
#: Whoever calls these says a sentence: it stands first.
SPEAKERS = frozenset({"Rejected", "NotFound", "Unauthorized", "Forbidden", "Unavailable"})
ALSO = frozenset({"invalid", "ValidationError", "Message", "mark", "_", "say", "Problem"})
#: Packages and modules whose sentences operators read, in a terminal or a log.
OPERATORS = (
    *("actors", "cli", "embedded", "ledger", "sandbox", "streams", "development.py", "schema.py"),
    *("config/", "brokers.py", "keeping.py", "starter.py", "supervisor.py", "up.py"),
    *("composition.py", "integrations/registry.py", "extensions.py", "languages.py"),
    *("web_auth/answering.py", "web_auth/operators.py"),
    *("blueprints/admin", "blueprints/console", "blueprints/operators.py"),
    *("serializers/admin", "serializers/console"),
    *(
        f"services/{name}.py"
        for name in (
            *("arrivals", "asking", "audits", "batches", "bookings", "books", "brakes", "cases"),
            "callback_replays",
            *("channel_pool", "channels", "checkup", "claims", "collecting", "custodian_payments"),
            *("custodians", "custody_orders", "custody_outcomes", "departures", "deposit_payments"),
            *("desk", "entries", "evidence", "networks", "order_ends", "outcomes", "outflows"),
            *("payments", "payouts", "pending_deposits", "policy_refunds", "preparing", "rails"),
            *("receipts", "unseen"),
            *("reconciliation", "recovery", "refund_ends", "refunds", "restore", "reversals"),
            *("settling", "signature_requests", "signatures", "signers", "signing", "slots"),
            *("statements", "submissions", "sweeps", "trustlines", "jobs"),
            *("following", "other_anchors", "remittance_views", "remittances", "remitting"),
            *("operators", "remittance_orders", "delivering", "known_lines", "own_lines", "bids"),
            *("own_submissions", "acts", "act_views", "attesting", "crediting", "refund_orders"),
            *("retries", "transaction_search", "transaction_stories"),
        )
    ),
)


def sources() -> Iterator[tuple[Path, ast.Module]]:
    """Yield each module that customers may hear from."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if not path.relative_to(PACKAGE).as_posix().startswith(OPERATORS):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def spoken(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Yield each call that says a sentence, with the name of who is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name in SPEAKERS | ALSO and node.args:
                yield name, node


def collected() -> dict[str, set[str]]:
    """Return every sentence, with the files that say it."""
    found: dict[str, set[str]] = {text: {"marshmallow"} for text in messages.marshmallows()}
    for path, tree in sources():
        for name, call in spoken(tree):
            first = call.args[0]
            if name in SPEAKERS and path.parent.name == "integrations":
                continue  # what a rail raises is for the operator
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.setdefault(first.value, set()).add(_name(path))
    for path in sorted((PACKAGE / "templates").rglob("*.html")):
        if path.parent.name == "console":
            continue  # operators read English
        parsed = Environment(autoescape=True).parse(path.read_text(encoding="utf-8"))
        for _, _, text in extract_from_ast(parsed, ["say"]):
            if isinstance(text, str):
                found.setdefault(text, set()).add(_name(path))
            elif text and isinstance(text[0], str):
                found.setdefault(text[0], set()).add(_name(path))
    return {text: found[text] for text in sorted(found) if text.strip()}


def _name(path: Path) -> str:
    return f"anchor/{path.relative_to(PACKAGE).as_posix()}"


def path_of(language: str) -> Path:
    """Return where a language's catalog is."""
    return FOLDER / language / "LC_MESSAGES" / "anchor.po"


def known(language: str) -> dict[str, str]:
    """Return what a catalog says now, by the English sentence."""
    if not path_of(language).exists():
        return {}
    with path_of(language).open("rb") as file:
        return {str(each.id): str(each.string) for each in read_po(file) if each.id}


def catalog(language: str, sentences: dict[str, set[str]], said: dict[str, str]) -> bytes:
    """Return a catalog with exactly these sentences, as the file holds it."""
    made = Catalog(locale=language)
    for text, files in sentences.items():
        made.add(text, said.get(text, ""), [(name, None) for name in sorted(files)])  # type: ignore[list-item]
    buffer = BytesIO()
    write_po(buffer, made, width=100, omit_header=True, sort_output=True)
    return _HEADER.format(language=language).encode() + buffer.getvalue()


def main() -> int:
    """Write the catalogs or check them, and tell what lacks."""
    sentences, is_check, problems = collected(), "--check" in sys.argv[1:], 0
    for language in LANGUAGES:
        if language == SOURCE:
            continue
        said, path = known(language), path_of(language)
        made = catalog(language, sentences, said)
        lacking = [text for text in sentences if not said.get(text)]
        if is_check and (not path.exists() or path.read_bytes() != made):
            print(f"{path} is stale: run scripts/make_messages.py")
            problems += 1
        elif not is_check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(made)
        for text in lacking:
            print(f"{language} lacks: {text}")
        problems += len(lacking)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
