"""``flask anchor …``: the services, the stream runner, and an operator's tools."""

from anchor.cli import (
    callbacks,
    customers,
    desk,
    keys,
    looking,
    observing,
    operating,
    operators,
    publishing,
    running,
    sending,
    services,
    setting_up,
    signatures,
)
from anchor.cli.group import group

__all__ = [
    "callbacks",
    "customers",
    "desk",
    "group",
    "keys",
    "looking",
    "observing",
    "operating",
    "operators",
    "publishing",
    "running",
    "sending",
    "services",
    "setting_up",
    "signatures",
]
