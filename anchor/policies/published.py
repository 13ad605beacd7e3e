"""What the configuration adds to the stellar.toml, as plain values (SEP-1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STATUSES = ("live", "dead", "test", "private")
ANCHORED_TO = ("fiat", "crypto", "nft", "stock", "bond", "commodity", "realestate", "other")


@dataclass(frozen=True)
class Published:
    """What is published beside what the settings tell anyway.

    `general` are top-level keys (``FEDERATION_SERVER``, …); `currencies` stand beside the
    assets that are served, `assets` are further fields of those, by code.
    """

    general: Mapping[str, Any] = field(default_factory=dict)
    principals: tuple[Mapping[str, Any], ...] = ()
    validators: tuple[Mapping[str, Any], ...] = ()
    currencies: tuple[Mapping[str, Any], ...] = ()
    assets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
