"""How the pages look, as the configuration says: a name, a logo, colours that can be read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

#: What stands for a transaction in the address of an explorer.
HASH = "{hash}"
_HASH = re.compile(r"[0-9a-f]{64}")
#: What the pages are shown on, by day and by night (`static/pages.css`).
CARDS = {"light": "#ffffff", "dark": "#18222b"}
_BLACK, _WHITE = "#0b141b", "#ffffff"
#: What WCAG 2 wants of a mark that is no text.
_MARK_CONTRAST = 3.0


@dataclass(frozen=True)
class Logo:
    """A picture, as it is served."""

    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class PagesPolicy:
    """Which plug-in shows pages, and how the built-in ones look.

    `accent` and `accent_dark` are colours (``#14508c``); the latter counts where the customer wants
    it dark. `templates` is a folder whose files stand in front of our own. `explorer_url` is an
    address of a Stellar transaction with ``{hash}`` in it.
    """

    plugin: str = "forms"
    options: Mapping[str, object] = field(default_factory=dict)
    name: str | None = None
    logo: Logo | None = None
    accent: str | None = None
    accent_dark: str | None = None
    templates: str | None = None
    explorer_url: str | None = None

    def explorer_link(self, transaction_hash: str | None) -> str:
        """Return where more is told of a Stellar transaction; empty where nothing is.

        What is no hash, such as a custodian's own name for an order, leads nowhere.
        """
        if self.explorer_url is None or not _HASH.fullmatch(transaction_hash or ""):
            return ""
        return self.explorer_url.replace(HASH, transaction_hash or "")

    @property
    def style(self) -> str:
        """The style sheet of the brand; empty where the colours are our own."""
        if self.accent is None:
            return ""
        dark = self.accent_dark or self.accent
        rules = f":root{{{_variables(self.accent, CARDS['light'])}}}"
        night = f":root{{{_variables(dark, CARDS['dark'])}}}"
        return f"{rules}\n@media (prefers-color-scheme:dark){{{night}}}\n"


def _variables(accent: str, card: str) -> str:
    mark = visible(accent, card)
    return f"--accent:{accent};--on-accent:{legible(accent)};--mark:{mark};--focus:{mark}"


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG 2 has it: 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def legible(ground: str) -> str:
    """Return the colour of text on a ground: black or white, whichever can be read better."""
    return max((_BLACK, _WHITE), key=lambda ink: contrast(ink, ground))


def visible(colour: str, ground: str) -> str:
    """Return a colour, or as little darker or lighter as makes a mark of it seen on a ground."""
    to = _parts(_BLACK if _luminance(ground) > 0.5 else _WHITE)
    found = colour
    for step in range(1, 21):
        if contrast(found, ground) >= _MARK_CONTRAST:
            break
        mixed = (
            round(part + (end - part) * step / 20)
            for part, end in zip(_parts(colour), to, strict=True)
        )
        found = "#" + "".join(f"{each:02x}" for each in mixed)
    return found


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (each / 255 for each in _parts(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
