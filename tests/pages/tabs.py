"""A tab of the browser: it notes what goes wrong, takes pictures, and is held to the rules."""

from dataclasses import dataclass, field
from typing import Any

from tests.pages.conftest import SCREENSHOTS

WAIT_MS = 60_000
#: What axe's rules are held to: WCAG 2.2 up to AA, and what is known to be good besides.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@dataclass
class Tab:
    """A tab of the browser, and what went wrong in it."""

    page: Any
    name: str
    troubles: list[str] = field(default_factory=list)
    shots: int = 0

    def __post_init__(self) -> None:
        self.page.set_default_timeout(WAIT_MS)
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("console", self._heard)
        self.page.on("request", self._asked)

    def _heard(self, message: Any) -> None:
        is_answer = "the server responded with a status of 400" in message.text
        if message.type == "error" and not is_answer:
            self.troubles.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(self.home) and request.url.startswith("http"):
            self.troubles.append(f"asked {request.url}")

    home = "http://localhost:"

    def look(self, what: str) -> None:
        """Keep a picture of the page, and hold it to the rules: it fits, and all can use it."""
        self.shots += 1
        SCREENSHOTS.mkdir(exist_ok=True)
        place = SCREENSHOTS / f"{self.name}-{self.shots:02}-{what}.png"
        self.page.screenshot(path=place, full_page=True)
        wide = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{what} is {wide} pixels too wide"
        assert self.troubles == []
        assert self.violations() == []

    def violations(self) -> list[str]:
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page, options={"runOnly": RULES}).response["violations"]
        return [
            f"{each['id']}: {each['help']}: {[node['html'] for node in each['nodes']]}"
            for each in found
        ]

    def go_on(self) -> None:
        """Send the form of the page."""
        self.page.click("main form button[type=submit]")

    def tab_to(self, selector: str) -> None:
        """Go on by the key tab until this has the focus, which has to be seen."""
        for _ in range(60):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("s => document.activeElement.matches(s)", selector):
                style = "getComputedStyle(document.activeElement).outlineStyle"
                assert self.page.evaluate(style) == "solid", f"the focus on {selector} is not seen"
                return
        raise AssertionError(f"no tab leads to {selector}")

    def at(self, step: str) -> None:
        """Wait until the browser is at a step."""
        self.page.wait_for_url(f"**/{step}")
