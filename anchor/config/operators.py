"""``ANCHOR_OPERATORS``: who may use the admin API and the console, one a line."""

import re

from anchor.policies.operators import Operator, Role

_NAME = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"
_LINE = re.compile(rf"({_NAME})\s+({'|'.join(Role)})\s+([0-9a-f]{{64}})")


def is_name(text: str) -> bool:
    """Tell whether an operator may be called so."""
    return re.fullmatch(_NAME, text) is not None


def operators(text: str, problems: list[str]) -> dict[str, Operator]:
    """Read ``name role sha256-hex`` lines, by name; what is wrong is added to `problems`.

    Empty lines, and those that begin with ``#``, say nothing. No problem repeats a line: it may
    hold a token by mistake.
    """
    found: dict[str, Operator] = {}
    for number, line in enumerate(text.splitlines(), 1):
        said = line.strip()
        if not said or said.startswith("#"):
            continue
        match = _LINE.fullmatch(said)
        if match is None:
            problems.append(
                f"ANCHOR_OPERATORS, line {number}, is not a name, view or act, and the SHA-256 of "
                "a token; `flask anchor operators new NAME` makes one."
            )
            continue
        name, role, token_hash = match.groups()
        if name in found or any(each.token_hash == token_hash for each in found.values()):
            problems.append(f"ANCHOR_OPERATORS, line {number}, has a name or a token twice.")
        found[name] = Operator(name, Role(role), token_hash)
    return found
