"""The table ``[pages]`` of the file: its shape, and the policy that it makes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from anchor.policies.pages import Logo, PagesPolicy

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


def pages_policy(table: Mapping[str, Any], folder: Path, problems: list[str]) -> PagesPolicy:
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
    return PagesPolicy(**known)


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
