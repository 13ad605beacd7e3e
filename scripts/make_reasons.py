"""Writes the table of reasons of docs/how-to/work-at-the-desk.md from `anchor.reasons`.

`--check` only says, by exit status 1, whether the page is stale.
"""

import sys

import made_pages

from anchor.reasons import Reason


def table() -> str:
    """Return all reasons as a table of Markdown."""
    lines = ["| reason | what it means | what answers it |", "| --- | --- | --- |"]
    lines += [f"| `{reason}` | {reason.means} | {reason.answer} |" for reason in Reason]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(made_pages.run("docs/how-to/work-at-the-desk.md", "anchor.reasons", table()))
