"""What the environment may say: the names of its settings, each also as ``NAME_FILE``."""

from collections.abc import Mapping
from pathlib import Path

NAMES = (
    "ANCHOR_CONFIG",
    "ANCHOR_PUBLIC_URL",
    "ANCHOR_DATABASE_URL",
    "ANCHOR_BROKER_URL",
    "ANCHOR_HORIZON_URL",
    "ANCHOR_RPC_URL",
    "ANCHOR_SIGNING_SECRET",
    "ANCHOR_JWT_SECRET",
    "ANCHOR_CHANNEL_SECRET",
    "ANCHOR_KEYS_PASSPHRASE",
    "ANCHOR_DATA_DIR",
    "ANCHOR_CUSTOMER_KEYS",
    "ANCHOR_REDIS_URL",
    "ANCHOR_OPERATORS",
    "ANCHOR_LOG_FORMAT",
    "ANCHOR_LOG_LEVEL",
    "ANCHOR_SENTRY_DSN",
    "ANCHOR_TRACES",
)
DISTRIBUTION_PREFIX = "ANCHOR_DISTRIBUTION_SECRET_"
ISSUER_PREFIX = "ANCHOR_ISSUER_SECRET_"
PREFIXES = (DISTRIBUTION_PREFIX, ISSUER_PREFIX)
#: What moves money, and so is for processes that sign, and for no other.
_MOVE_MONEY = ("ANCHOR_CHANNEL_SECRET", "ANCHOR_KEYS_PASSPHRASE", *PREFIXES)


def variables(
    environ: Mapping[str, str], problems: list[str], *, signs: bool = True
) -> dict[str, str]:
    """Return the settings that the environment names, files read; add what is wrong to `problems`.

    For a process that does not sign, what moves money is left out, and its files stay closed.
    """
    values: dict[str, str] = {}
    for name in environ:
        if not name.startswith("ANCHOR_") or name.startswith("ANCHOR_TEST_"):
            continue
        base = name.removesuffix("_FILE")
        if base not in NAMES and not base.startswith(PREFIXES):
            problems.append(f"{name} in the environment is not a setting of the anchor.")
        elif not signs and base.startswith(_MOVE_MONEY):
            continue
        elif name == base:
            values[base] = environ[name]
        elif base in environ:
            problems.append(f"{base} and {name} are both set; keep one of them.")
        else:
            try:
                values[base] = Path(environ[name]).read_text(encoding="utf-8").strip()
            except OSError as error:
                problems.append(f"{name}: {error.strerror or error}.")
    return {name: value for name, value in values.items() if value}
