"""What a journey of the demo does, step by step, for whoever shows it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from anchor.sandbox.wallet import WalletError

_LOOK_MS = 25
#: The polls of deposits and of trust lines run once a minute where nobody rings.
_PATIENCE_S = 180
_ENDS = frozenset({"completed", "error", "expired", "refunded"})
_WIDTH = 88


@dataclass
class Step:
    """One line: what was done, and how long it took."""

    name: str
    took_ms: int | None = None


@dataclass
class Track:
    """A journey as it goes: its steps, and what is to be said at its end."""

    name: str
    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    began: float = field(default_factory=monotonic)
    took_ms: int | None = None
    failed: str | None = None

    def step(self, name: str, act: Callable[[], Any]) -> Any:
        """Do one step, and return what it returns."""
        step = Step(name)
        self.steps.append(step)
        began = monotonic()
        result = act()
        step.took_ms = since_ms(began)
        return result

    def follow(
        self,
        look: Callable[[], dict[str, Any]],
        *,
        last: str = "pending_user_transfer_start",
        until: str = "completed",
    ) -> dict[str, Any]:
        """Make each status after `last` a step, until the transaction is where it should."""
        began = since = monotonic()
        while monotonic() - began < _PATIENCE_S:
            shown = look()
            if shown["status"] != last:
                last = str(shown["status"])
                self.steps.append(Step(f"the anchor says {last}", since_ms(since)))
                since = monotonic()
            if last == until:
                return shown
            if last in _ENDS:
                raise WalletError(f"the transaction ended as {last}")
            sleep(_LOOK_MS / 1000)
        raise TimeoutError(f"the transaction is still {last} after {_PATIENCE_S} s")

    def end(self, failed: str | None = None) -> None:
        """Note that it is over, and why it failed."""
        self.took_ms, self.failed = since_ms(self.began), failed

    def lines(self, width: int) -> Table:
        """Return it for a terminal so many columns wide."""
        mark, colour = ("✗", "red") if self.failed else ("✓", "green")
        table = Table.grid(padding=(0, 1))
        table.width = min(width, _WIDTH)
        table.add_column(width=1)
        table.add_column(ratio=1)
        table.add_column(justify="right", no_wrap=True)
        table.add_row(f"[{colour}]{mark}[/]", f"[bold]{self.name}[/]", _seconds(self.took_ms))
        for step in self.steps:
            table.add_row("", _below(step.name), f"[dim]{_seconds(step.took_ms)}[/]")
        for note in self.notes:
            table.add_row("", _below(note, "cyan"))
        if self.failed:
            table.add_row("", _below(self.failed.strip(), "red"))
        return table

    def now(self) -> str:
        """Return what it is at."""
        return self.steps[-1].name if self.steps else "…"


def since_ms(began: float) -> int:
    """Return how long ago something began on the monotonic clock."""
    return int((monotonic() - began) * 1000)


def _below(text: str, style: str = "") -> Padding:
    return Padding(Text(text, style), (0, 0, 0, 2))


def _seconds(took_ms: int | None) -> str:
    return "…" if took_ms is None else f"{took_ms / 1000:.2f} s"
