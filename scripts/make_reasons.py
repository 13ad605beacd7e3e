"""Writes the table of reasons of docs/how-to/work-at-the-desk.md from `anchor.reasons`.

`--check` only says, by exit status 1, whether the page is stale.
"""

import sys
from pathlib import Path

from anchor.reasons import Reason

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "work-at-the-desk.md"
BEGIN, END = "<!-- made from anchor.reasons: begin -->", "<!-- made from anchor.reasons: end -->"


def page(text: str) -> str:
    """Return the page with its generated part as it should be."""
    lines = ["| reason | what it means | what answers it |", "| --- | --- | --- |"]
    lines += [f"| `{reason}` | {reason.means} | {reason.answer} |" for reason in Reason]
    head, _, rest = text.partition(BEGIN)
    made = "\n".join(lines)
    return f"{head}{BEGIN}\n\n{made}\n\n{END}{rest.partition(END)[2]}"


def main() -> int:
    """Write the page, or check it."""
    text = PAGE.read_text(encoding="utf-8")
    made = page(text)
    if "--check" in sys.argv[1:]:
        if made != text:
            print(f"{PAGE} is stale: run scripts/make_reasons.py")
        return int(made != text)
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
