"""The demo: money between wallets, anchors and a bank, on all ways at once, before your eyes."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep

import requests
from rich.console import Console
from rich.live import Live
from rich.table import Table

from anchor.config import Settings
from anchor.sandbox.journeys import JOURNEYS, Journey, Scene
from anchor.sandbox.tracks import Step, Track, since_ms

_READY_S = 60
_SHOW_MS = 100


class Demo:
    """Makes all journeys at once, and prints each with its steps when it is over."""

    def __init__(
        self, settings: Settings, issuer_secret: str, console: Console, began: float
    ) -> None:
        """Prepare it; `began` is when the whole started, on the monotonic clock."""
        self._began = began
        self._scene = Scene(settings, issuer_secret)
        self._console = console
        self.summary = ""

    def run(self) -> bool:
        """Return whether everything was completed."""
        start = Track("The anchor starts", began=self._began)
        start.steps.append(Step("database, broker, network and bank", since_ms(self._began)))
        try:
            start.step("web, workers, scheduler and stream runner", self._wait_for_anchor)
            start.step("the bank is told where the anchor listens", self._scene.connect_bank)
        except (requests.RequestException, TimeoutError) as error:
            start.end(str(error)[:300])
            self._print(start)
            return False
        start.end()
        self._print(start)
        served = [each for each in JOURNEYS if each.seps <= self._scene.settings.seps]
        tracks = [Track(journey.name) for journey in served]
        with ThreadPoolExecutor(len(served)) as pool:
            for journey, track in zip(served, tracks, strict=True):
                pool.submit(self._go, journey, track)
            self._watch(tracks)
        completed = sum(not track.failed for track in tracks)
        self.summary = (
            f"{completed} of {len(tracks)} journeys completed, "
            f"{since_ms(self._began) / 1000:.1f} s after the start."
        )
        return completed == len(tracks)

    def _go(self, journey: Journey, track: Track) -> None:
        try:
            journey.go(self._scene, track)
        except Exception as error:  # whatever it is, the other journeys go on
            track.end(f"{type(error).__name__}: {error}"[:300])
        else:
            track.end()

    def _watch(self, tracks: Sequence[Track]) -> None:
        """Print each journey that is over, and below that, on a terminal, where the others are."""
        waiting = list(tracks)
        with Live(console=self._console, transient=True, auto_refresh=False) as live:
            while waiting:
                for track in [each for each in waiting if each.took_ms is not None]:
                    waiting.remove(track)
                    self._print(track)
                if self._console.is_terminal:
                    live.update(_under_way(waiting), refresh=True)
                sleep(_SHOW_MS / 1000)

    def _print(self, track: Track) -> None:
        self._console.print(track.lines(self._console.width))
        self._console.print()

    def _wait_for_anchor(self) -> None:
        deadline, url = monotonic() + _READY_S, self._scene.settings.public_url
        while monotonic() < deadline:
            try:
                answer = requests.get(f"{url}/ready", timeout=2)
                if answer.status_code == 200 and answer.json()["accounts"]:
                    return
            except requests.RequestException:
                pass
            sleep(0.1)
        raise TimeoutError(f"{url} does not answer")


def _under_way(tracks: Sequence[Track]) -> Table:
    table = Table.grid(padding=(0, 1))
    for track in tracks:
        table.add_row("[yellow]…[/]", track.name, f"[dim]{track.now()}[/]")
    return table
