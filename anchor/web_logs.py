"""Gunicorn's own lines, written as all the others: ``--logger-class anchor.web_logs.Logger``.

Also in text it leaves queries out of the access log: links to pages carry tokens in them.
"""

import re
from typing import Any

from gunicorn import glogging

from anchor import config, logs

_UNREADABLE = "Invalid request from "
#: Where it begins to quote the request.
_QUOTE = re.compile("['\"?]")


class Logger(glogging.Logger):  # type: ignore[misc]
    """Gunicorn's logger, which writes JSON where ``ANCHOR_LOG_FORMAT`` says so."""

    def setup(self, cfg: Any) -> None:
        """Set the handlers up as Gunicorn does, and have them write as we do."""
        super().setup(cfg)
        how, _ = logs.words_of(config.environment())
        if how == logs.JSON:
            for handler in (*self.error_log.handlers, *self.access_log.handlers):
                handler.setFormatter(logs.Lines())

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log a warning; of a request that nobody can read, what is wrong but nothing of it."""
        if isinstance(msg, str) and msg.startswith(_UNREADABLE):
            msg = _QUOTE.split(msg)[0].rstrip(": ")
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log a failure, with the address of its request but without the query of that."""
        told = (arg.partition("?")[0] if isinstance(arg, str) else arg for arg in args)
        super().exception(msg, *told, **kwargs)

    def atoms(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> Any:
        """Return what an access log may tell of a request, without its query."""
        found = super().atoms(resp, req, environ, request_time)
        path = str(environ.get("RAW_URI", "")).partition("?")[0]
        found["r"] = f"{found['m']} {path} {found['H']}"
        found["q"] = ""
        found["f"] = str(found["f"]).partition("?")[0]
        return found
