"""Writes the state diagrams of docs/explanation/lifecycle.md from the table of moves.

`--check` only says, by exit status 1, whether the page is stale.
"""

import sys
from pathlib import Path

from anchor.lifecycle import INITIAL, TABLE, Event, Kind

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "lifecycle.md"
BEGIN, END = "<!-- made from the table: begin -->", "<!-- made from the table: end -->"
_SHOWN = (Kind.WITHDRAWAL, Kind.DEPOSIT, Kind.SEND, Kind.REMITTANCE)
_EVERYWHERE = {Event.FAILED, Event.EXPIRED}


def diagram(kind: Kind) -> str:
    """Return one kind's diagram and table of moves, as Markdown."""
    edges: dict[tuple[str, str], set[str]] = {}
    for row in TABLE:
        if row.kind == kind and row.status != row.target and row.event not in _EVERYWHERE:
            edges.setdefault((row.status, row.target), set()).add(row.event)
    lines = [f"## {kind.value.capitalize()}", "", "```mermaid", "stateDiagram-v2"]
    lines += [f"    [*] --> {status}" for status in sorted(INITIAL[kind])]
    for (status, target), events in sorted(edges.items()):
        names = ", ".join(sorted(events)).replace("_", " ")
        lines.append(f"    {status} --> {target}: {names}")
    lines += ["```", "", "| status | funds in | event | leads to |", "| --- | --- | --- | --- |"]
    for row in TABLE:
        if row.kind == kind:
            money = "yes" if row.funds_in else "no"
            lines.append(f"| `{row.status}` | {money} | {row.event} | `{row.target}` |")
    return "\n".join(lines)


def page(text: str) -> str:
    """Return the page with its generated part as it should be."""
    made = "\n\n".join(diagram(kind) for kind in _SHOWN)
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{made}\n\n{END}{rest.partition(END)[2]}"


def main() -> int:
    """Write the page, or check it."""
    text = PAGE.read_text(encoding="utf-8")
    made = page(text)
    if "--check" in sys.argv[1:]:
        if made != text:
            print(f"{PAGE} is stale: run scripts/make_state_diagram.py")
        return int(made != text)
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
