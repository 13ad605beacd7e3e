"""Writes the state diagrams of docs/explanation/lifecycle.md from the table of moves.

`--check` only says, by exit status 1, whether the page is stale.
"""

import sys

import made_pages

from anchor.lifecycle import INITIAL, TABLE, Event, Kind

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


if __name__ == "__main__":
    made = "\n\n".join(diagram(kind) for kind in _SHOWN)
    sys.exit(made_pages.run("docs/explanation/lifecycle.md", "the table", made))
