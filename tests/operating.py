"""Operators of a test's anchor: Ada, who acts, and Vera, who looks."""

import html
import re
from dataclasses import dataclass
from typing import Any

from anchor.policies.operators import Operator, Role, hash_of, new_token

TOKENS = {"ada": new_token(), "vera": new_token()}
OPERATORS = {
    name: Operator(name, role, hash_of(TOKENS[name]))
    for name, role in (("ada", Role.ACT), ("vera", Role.VIEW))
}


def bearing(name: str = "ada") -> dict[str, str]:
    """Return the headers with the token of an operator."""
    return {"Authorization": f"Bearer {TOKENS[name]}"}


@dataclass
class Console:
    """A browser without scripts in the console."""

    client: Any
    page: Any = None

    def sign_in(self, name: str = "ada") -> "Console":
        """Sign in as an operator."""
        self.page = self.client.post("/console/sign-in", data={"token": TOKENS[name]})
        assert self.page.status_code == 303, self.page.text
        return self

    def get(self, path: str = "") -> Any:
        """Open a page of the console."""
        self.page = self.client.get(f"/console{path}")
        return self.page

    def hidden(self, name: str) -> str:
        """Return the value of a hidden field of the page that is shown, the first of that name."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.page.text)
        assert found is not None, self.page.text
        return html.unescape(found[1])

    def send(self, path: str, *, token: str | None = None, **fields: Any) -> Any:
        """Send a form with the token of the page that is shown; a list is sent several times."""
        data = {"form_token": self.hidden("form_token") if token is None else token} | fields
        self.page = self.client.post(f"/console{path}", data=data)
        return self.page
