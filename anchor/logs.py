"""How the log is written: as text for people, or one line of JSON for each record.

JSON has the keys ``time`` (UTC, milliseconds), ``level``, ``logger``, ``process`` (which kind),
``pid`` and ``message``; where there is one ``request_id``, the ``job`` with its ``subject`` and
``transaction_id``, and an ``exception`` with its traceback. Nothing else of a record is written:
what a library attaches to one may be anything.
"""

import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from anchor import request_ids, working

TEXT, JSON = FORMATS = ("text", "json")
DEBUG, INFO, WARNING, ERROR = LEVELS = ("debug", "info", "warning", "error")
_TEXT = "%(asctime)s %(levelname)s %(request_id)s %(name)s: %(message)s"
_KINDS = {"gunicorn": "web", "dramatiq": "workers", "periodiq": "scheduler"}
_COMMANDS = {"watch-transactions": "stream", "run": "web"}


def set_up(how: str, level: str = INFO) -> None:
    """Write this process' log as text or JSON, also where somebody set up handlers before.

    `debug` is of our own code alone: what libraries say there may hold secrets.
    """
    request_ids.mark_log_records()
    number = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    if not root.handlers:
        logging.basicConfig(format=_TEXT)
        root.setLevel(logging.INFO)
    if level != INFO:
        root.setLevel(max(number, logging.INFO))
        logging.getLogger("anchor").setLevel(number)
    logging.getLogger("werkzeug").setLevel(max(number, logging.WARNING))
    if how == JSON:
        for handler in _handlers():
            handler.setFormatter(Lines())


def _handlers() -> Iterator[logging.Handler]:
    yield from logging.getLogger().handlers
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            yield from logger.handlers


class Lines(logging.Formatter):
    """Writes each record as one line of JSON, whatever is in it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; all that is not ASCII is escaped, and so are ends of lines."""
        said = {
            "time": _instant(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": process(),
            "pid": record.process,
            "message": record.getMessage(),
        }
        if (request_id := request_ids.current()) != request_ids.NONE:
            said["request_id"] = request_id
        said |= working.current()
        if record.exc_info and record.exc_info[0] is not None:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said)


def line_of(process: str, text: str) -> str:
    """Return what a process wrote that is no record, as a line of JSON; one that is stays."""
    if text.startswith("{"):
        return text
    now = datetime.now(UTC).timestamp()
    said = {"time": _instant(now), "level": INFO, "process": process, "message": text}
    return json.dumps(said)


def _instant(seconds: float) -> str:
    found = datetime.fromtimestamp(seconds, UTC)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@cache
def process() -> str:
    """Return which kind of process this one is."""
    return kind_of(sys.argv)


def kind_of(argv: Sequence[str]) -> str:
    """Return which kind of process a command line is: web, workers …, or the command's name."""
    name = Path(argv[0]).name if argv else ""
    words = [word for word in argv[1:] if not word.startswith("-")]
    if name in _KINDS:
        return _KINDS[name]
    if "anchor" in words:
        name = next(iter(words[words.index("anchor") + 1 :]), name)
    elif "run" in words:
        name = "run"
    return _COMMANDS.get(name, name)


def words_of(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return format and level as an environment says, taking what is wrong for what is usual.

    For who has to say something before the settings are read, which refuse it.
    """
    how, level = (environ.get(f"ANCHOR_LOG_{name}", "") for name in ("FORMAT", "LEVEL"))
    return how if how in FORMATS else TEXT, level if level in LEVELS else INFO
