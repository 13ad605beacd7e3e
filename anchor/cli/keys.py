"""The secrets of an anchor: made, and sealed at rest."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from anchor import config
from anchor.cli.group import group
from anchor.config.environment import DISTRIBUTION_PREFIX, variables
from anchor.errors import Misconfigured
from anchor.sealed_keys import seal

if TYPE_CHECKING:
    from anchor.ledger.keys import Keys

_EVERY_PROCESS = """\
# What every process of the anchor gets. A shell reads it by `set -a; . ./anchor.env; set +a`,
# systemd as an EnvironmentFile. What is empty is for you to fill in, or to take out.
ANCHOR_DATABASE_URL=
ANCHOR_BROKER_URL=
ANCHOR_SIGNING_SECRET={signing}
ANCHOR_JWT_SECRET=first:{tokens}
ANCHOR_CUSTOMER_KEYS={customers}
"""
_WHO_SIGNS = """\
# What moves money: for workers, services in loops, the stream runner and commands.
# The web server and the scheduler do without it.
ANCHOR_CHANNEL_SECRET={channels}
"""

keys = click.Group("keys", help="Make the secrets of an anchor, and seal those that move money.")
group.add_command(keys)


@keys.command("new")
@click.option("--asset", "codes", multiple=True, help="Also make an account for this asset.")
def new(codes: Sequence[str]) -> None:
    """Write new secrets to anchor.env and keys.env, here; never over a file that is there.

    Where ANCHOR_KEYS_PASSPHRASE is set, those in keys.env are sealed with it.
    """
    from anchor.vault import new_key

    passphrase = _passphrase()
    signing, accounts = _new_account(), {code: _new_account() for code in codes}
    text = _WHO_SIGNS.format(channels=_kept(secrets.token_urlsafe(32), passphrase))
    for code, made in accounts.items():
        text += f"{DISTRIBUTION_PREFIX}{code}={_kept(made.secret, passphrase)}\n"
    own = {"signing": signing.secret, "customers": new_key(), "tokens": secrets.token_urlsafe(32)}
    _write({Path("anchor.env"): _EVERY_PROCESS.format(**own), Path("keys.env"): text})
    click.echo(f"anchor.env and keys.env are written. SIGNING_KEY is {signing.account}.")
    for code, made in accounts.items():
        click.echo(f"The distribution account of {code} is {made.account}.")


@keys.command("seal")
@click.argument("file", type=click.File(encoding="utf-8"), default="-")
def seal_secret(file: TextIO) -> None:
    """Seal the secret in FILE, or on standard input, with ANCHOR_KEYS_PASSPHRASE; print it sealed.

    What is printed goes where the secret went: into ANCHOR_DISTRIBUTION_SECRET_CODE or
    ANCHOR_CHANNEL_SECRET, or a file that is named by them.
    """
    passphrase = _passphrase()
    if not passphrase:
        raise click.ClickException("ANCHOR_KEYS_PASSPHRASE is not set.")
    secret = file.read().strip()
    if not secret:
        raise click.ClickException("There is no secret to seal.")
    click.echo(_kept(secret, passphrase))


def _new_account() -> "Keys":
    from anchor.ledger.keys import channel_keys

    return channel_keys(secrets.token_urlsafe(32), 0)  # of a secret that nobody has twice


def _passphrase() -> str:
    problems: list[str] = []
    found = variables(config.environment(), problems).get("ANCHOR_KEYS_PASSPHRASE", "")
    if problems:
        raise Misconfigured(*problems)
    return found


def _kept(secret: str, passphrase: str) -> str:
    try:
        return seal(secret, passphrase) if passphrase else secret
    except ValueError as error:
        raise click.ClickException(f"ANCHOR_KEYS_PASSPHRASE: {error}.") from None


def _write(files: dict[Path, str]) -> None:
    if there := [str(path) for path in files if path.exists()]:
        raise click.ClickException(f"{there[0]} is there already; nothing was written.")
    for path, text in files.items():
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as opened:
                opened.write(text)
        except OSError as error:
            raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from None
