"""A browser without scripts on the pages of a transaction, in the short words of a customer."""

from dataclasses import dataclass, field
from typing import Any

from anchor.sandbox.browser import Form, form_of

HOST = "http://localhost"


@dataclass
class Visitor:
    """Somebody who opened a link in a browser, and the page that is shown."""

    client: Any
    url: str
    page: Any = field(init=False)

    def __post_init__(self) -> None:
        self.go(self.url)

    def go(self, place: str) -> Any:
        """Open an address, and follow where it leads."""
        self.page = self.client.get(place.removeprefix(HOST), follow_redirects=True)
        return self.page

    @property
    def place(self) -> str:
        """The address that the browser shows."""
        found: str = self.page.request.path
        return found

    @property
    def step(self) -> str:
        """The step that the page is about: the last word of its address."""
        last = self.place.rpartition("/")[2]
        return last if last in {"customer", "account", "review", "status"} else "amount"

    @property
    def form(self) -> Form:
        """The form of the page."""
        found = form_of(self.page.text)
        assert found is not None, self.page.text
        return found

    def send(self, **fields: Any) -> Any:
        """Fill in the form of the page and send it: with all of these fields, asked or not."""
        form = self.form
        kind = {"content_type": "multipart/form-data"} if form.is_multipart else {}
        data = form.values | fields
        self.page = self.client.post(form.action, data=data, follow_redirects=True, **kind)
        return self.page

    def fill_in(self, **answers: Any) -> Any:
        """Go through all steps with these answers, as far as they are taken; return the page."""
        for _ in range(6):
            if self.step == "status" or self.page.status_code != 200:
                break
            asked = {*self.form.values, *self.files()}
            self.send(**{name: value for name, value in answers.items() if name in asked})
        return self.page

    def files(self) -> list[str]:
        """Return the names of the files that the page asks for."""
        parts = self.page.text.split('<input type="file" id="')[1:]
        return [part.partition('"')[0] for part in parts]
