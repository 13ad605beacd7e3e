"""A browser without scripts: it follows the pages of an anchor and fills in their forms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Form:
    """A form of a page: where it goes, and what its fields hold as the page came.

    `offered` are the values that a choice has.
    """

    action: str
    values: dict[str, str] = field(default_factory=dict)
    offered: dict[str, list[str]] = field(default_factory=dict)
    is_multipart: bool = False

    def filled(self, answers: Mapping[str, str]) -> dict[str, str]:
        """Return what is sent: the page's own values, and the answers to what it asks."""
        asked = {name: answers[name] for name in self.values if name in answers}
        return self.values | asked


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._in: Form | None = None
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "form":
            multipart = known.get("enctype") == "multipart/form-data"
            self._in = Form(known.get("action", ""), is_multipart=multipart)
            self.forms.append(self._in)
        form, name = self._in, known.get("name", "")
        if form is None:
            return
        if tag == "input" and known.get("type") == "radio":
            form.offered.setdefault(name, []).append(known.get("value", ""))
            if "checked" in known or name not in form.values:
                form.values[name] = known.get("value", "")
        elif tag == "input" and known.get("type") != "file":
            form.values[name] = known.get("value", "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            value = known.get("value", "")
            form.offered.setdefault(self._select, []).append(value)
            if "selected" in known or self._select not in form.values:
                form.values[self._select] = value
        elif tag == "textarea":
            self._area = name
            form.values[name] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._in = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._in is not None and self._area:
            self._in.values[self._area] += data


def form_of(page: str) -> Form | None:
    """Return the first form of a page, or None."""
    reader = _Reader()
    reader.feed(page)
    return reader.forms[0] if reader.forms else None
