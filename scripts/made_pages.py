"""Pages of the docs of which a part is made from code: that part is written anew, or checked."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(path: str, source: str, made: str) -> int:
    """Put `made` between the marks that name its `source`, or check it; return the exit status.

    With `--check` nothing is written, and the status is 1 where the page is stale.
    """
    page = ROOT / path
    text = page.read_text(encoding="utf-8")
    begin, end = (f"<!-- made from {source}: {edge} -->" for edge in ("begin", "end"))
    head, _, rest = text.partition(begin)
    whole = f"{head}{begin}\n\n{made}\n\n{end}{rest.partition(end)[2]}"
    if "--check" not in sys.argv[1:]:
        page.write_text(whole, encoding="utf-8")
        return 0
    if whole != text:
        print(f"{path} is stale: run scripts/{Path(sys.argv[0]).name}")
    return int(whole != text)
