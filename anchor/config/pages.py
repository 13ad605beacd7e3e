"""The table ``[pages]`` of the file: its shape, and the policy that it makes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from marshmallow import RAISE, Schema, fields, validate

from anchor.policies.pages import HASH, Logo, PagesPolicy

#: By the ending of a file, its type and how such a file begins.
_LOGOS = {
    ".svg": ("image/svg+xml", (b"<svg", b"<?xml", b"<!--")),
    ".png": ("image/png", (b"\x89PNG\r\n\x1a\n",)),
    ".jpg": ("image/jpeg", (b"\xff\xd8\xff",)),
    ".jpeg": ("image/jpeg", (b"\xff\xd8\xff",)),
    ".webp": ("image/webp", (b"RIFF",)),
}
_LOGO_BYTES = 200_000
_COLOUR = validate.Regexp(r"#[0-9a-fA-F]{6}\Z", error='must be a colour such as "#14508c"')


class PagesSchema(Schema):
    """The table; `load` gives plain dictionaries with defaults filled in."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "is not a setting that the anchor knows"}

    plugin = fields.String(load_default="forms", validate=validate.Length(min=1))
    options = fields.Dict(keys=fields.String(), load_default=dict)
    name = fields.String(validate=validate.Length(min=1, max=60))
    logo = fields.String(validate=validate.Length(min=1))
    accent = fields.String(validate=_COLOUR)
    accent_dark = fields.String(validate=_COLOUR)
    templates = fields.String(validate=validate.Length(min=1))
    explorer_url = fields.String()


def pages_policy(
    table: Mapping[str, Any], folder: Path, problems: list[str], *, development: bool = False
) -> PagesPolicy:
    """Return how the pages look; what is not there is added to `problems`.

    Files are named from `folder`, that of the configuration.
    """
    known = dict(table)
    if "accent_dark" in known and "accent" not in known:
        problems.append("[pages] has an accent_dark, and no accent.")
    if "templates" in known:
        place = folder / known["templates"]
        known["templates"] = str(place.resolve())
        if not place.is_dir():
            problems.append(f"[pages] templates: {place} is no folder.")
    if "logo" in known:
        known["logo"] = _logo(folder / known["logo"], problems)
    if "explorer_url" in known and (said := _explorer(known["explorer_url"], development)):
        problems.append(f"[pages] explorer_url {said}.")
    return PagesPolicy(**known)


def _explorer(address: str, development: bool) -> str | None:
    """Return what is wrong with the address of an explorer, or None."""
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        is_address = False
    place = address.partition("//")[2].partition("/")[2]
    if not is_address or not address.isascii() or not address.isprintable() or " " in address:
        return f"must be an address such as https://explorer.example/tx/{HASH}"
    if place.count(HASH) != 1 or address.count(HASH) != 1:
        return f"must have {HASH} once after the host, where the hash goes"
    if parts.scheme != "https" and not development:
        return "must begin with https:// outside development mode"
    return None


def _logo(path: Path, problems: list[str]) -> Logo | None:
    content_type, marks = _LOGOS.get(path.suffix.lower(), ("", ()))
    if not content_type:
        problems.append(f"[pages] logo must be one of {', '.join(_LOGOS)}.")
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        problems.append(f"[pages] logo: {path} cannot be read: {error.strerror or error}.")
        return None
    if len(content) > _LOGO_BYTES:
        problems.append(f"[pages] logo: {path} is larger than {_LOGO_BYTES // 1000} kB.")
    elif not content.lstrip().startswith(marks):
        problems.append(f"[pages] logo: {path} is not what its name says.")
    return Logo(content_type, content)
