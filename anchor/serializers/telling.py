"""What callbacks about transactions are written in: as each flow's door shows one (CB-04).

Every process tells, also one that opens no door, so `composition` imports this.
"""

from functools import partial
from typing import Any

from anchor import languages
from anchor.extensions import settings
from anchor.serializers import sep06, sep24, sep31
from anchor.services import announcements, links, rail_needs, sends
from anchor.services.views import View


def _interactive(view: View) -> dict[str, Any]:
    """Show a transaction in the language of its opening."""
    more_info = partial(links.to_more_info, lang=view.row.lang)
    return sep24.one(view, settings(), more_info, _say(view))


def _programmatic(view: View) -> dict[str, Any]:
    """Show a transaction in the language of its opening, without its instructions.

    Those are read from the door: no rail is asked while a change is written down.
    """
    link = links.to_more_info(view.row.id) if 24 in settings().seps else None
    return sep06.one(view, settings(), link, {}, _say(view))


def _send(view: View) -> dict[str, Any]:
    """Show a send in the language of its opening."""
    return sep31.one(view, settings(), _say(view))


def _say(view: View) -> Any:
    return partial(languages.say, languages.choose(view.row.lang))


announcements.declare("interactive", _interactive)
announcements.declare(rail_needs.FLOW, _programmatic)
announcements.declare(sends.FLOW, _send)
