"""Envelopes that people have to sign: shown, given out, and taken back with signatures."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click
from flask.cli import with_appcontext

from anchor.cli.group import group
from anchor.errors import Rejected
from anchor.extensions import gateway
from anchor.money import format_amount

if TYPE_CHECKING:
    from anchor.services.signatures import Waiting


@group.group("signatures")
def signatures() -> None:
    """Envelopes that need more signatures than custody gives: list, export, import."""


@signatures.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@with_appcontext
def show(*, as_json: bool) -> None:
    """Show what lacks signatures: what it pays, who has signed, and until when it is valid."""
    from anchor.services import signatures as service  # it brings stellar_sdk

    found = service.waiting(gateway())
    if as_json:
        click.echo(json.dumps([_plain(each) for each in found]))
    elif found:
        click.echo("\n\n".join("\n".join(_lines(each)) for each in found))
    else:
        click.echo("Nothing waits for signatures.")


@signatures.command("export")
@click.argument("submission", type=int)
@click.option("--out", type=click.Path(dir_okay=False), help="Write the envelope to this new file.")
@with_appcontext
def export(submission: int, out: str | None) -> None:
    """Give the envelope of a submission out as XDR, to be signed; with hash and network."""
    from anchor.services import signatures as service

    found = service.one(gateway(), submission)
    click.echo(f"network passphrase: {found.network_passphrase}")
    click.echo(f"hash: {found.hash}")
    click.echo(f"valid until: {found.valid_until:%Y-%m-%d %H:%M:%S} UTC")
    if out is None:
        click.echo(found.envelope_xdr)
        return
    try:
        with Path(out).open("x", encoding="ascii") as file:
            file.write(found.envelope_xdr + "\n")
    except OSError as error:
        raise Rejected(f"{out} cannot be written: {error.strerror}.") from error
    click.echo(f"The envelope is in {out}.")


@signatures.command("import")
@click.argument("submission", type=int)
@click.argument("file", type=click.File(encoding="utf-8", errors="replace"), default="-")
@with_appcontext
def take(submission: int, file: TextIO) -> None:
    """Take signatures for SUBMISSION from FILE, or from standard input.

    FILE is the signed envelope as XDR, or has a line for each signature: the key (G…) and
    the signature in base 64 or hex.
    """
    from anchor.services import signatures as service

    taken = service.take(gateway(), submission, file.read())
    is_are = f"{taken.new} new signature(s)"
    if taken.is_enough:
        click.echo(f"{is_are}; submission {submission} has all that it needs, and is handed in.")
    else:
        click.echo(f"{is_are}; submission {submission} needs more.")


def _lines(found: "Waiting") -> Iterator[str]:
    sums = ", ".join(f"{format_amount(amount)} {asset}" for asset, amount in found.pays.items())
    whom = "custody" if found.by_custody else "people"
    yield f"submission {found.submission} of {found.source} waits for {whom}"
    yield f"  does {found.count}: {sums or 'takes back what nobody claimed'}"
    for each in found.signed:
        has = ", ".join(f"{key} ({weight})" for key, weight in each.weights.items()) or "nobody"
        total = sum(each.weights.values())
        yield f"  {each.account} has {total} of {each.needed}: {has}"
    yield f"  hash {found.hash}, valid until {found.valid_until:%Y-%m-%d %H:%M:%S} UTC"


def _plain(found: "Waiting") -> dict[str, Any]:
    return {
        "submission": found.submission,
        "source": found.source,
        "waits_for": "custody" if found.by_custody else "people",
        "operations": found.count,
        "pays": {asset: format_amount(amount) for asset, amount in found.pays.items()},
        "signed": [
            {"account": each.account, "keys": dict(each.weights), "needed": each.needed}
            for each in found.signed
        ],
        "hash": found.hash,
        "network_passphrase": found.network_passphrase,
        "valid_until": found.valid_until.isoformat(),
        "envelope_xdr": found.envelope_xdr,
    }
