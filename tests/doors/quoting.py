"""Prices and quotes in tests, in the short words of a wallet."""

from dataclasses import dataclass, field, replace
from typing import Any

from anchor.policies.quotes import QuotePolicy
from tests.world import World

BRL = "iso4217:BRL"


@dataclass
class Market:
    """A world with its client, and whoever logged in."""

    world: World
    client: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = self.world.app.test_client()

    @property
    def usdc(self) -> str:
        return f"stellar:{self.world.policy.id}"

    def sale(self, **more: Any) -> dict[str, Any]:
        """The parameters of who sells 100 of the asset; None takes one away."""
        given = {"sell_asset": self.usdc, "buy_asset": BRL, "sell_amount": "100"}
        return _given({**given, "context": "sep6", **more})

    def purchase(self, **more: Any) -> dict[str, Any]:
        """The parameters of who buys the asset for 542 BRL."""
        given = {"sell_asset": BRL, "buy_asset": self.usdc, "sell_amount": "542"}
        return _given({**given, "context": "sep6", **more})

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/sep38/{path}", query_string=query, headers=self.headers)

    def log_in(self, *args: Any, **query: str) -> None:
        self.headers = self.world.log_in(self.client, *args, **query)

    def post(self, **body: Any) -> Any:
        if not self.headers:
            self.log_in()
        return self.client.post("/sep38/quote", json=body, headers=self.headers)

    def quote(self, **body: Any) -> dict[str, Any]:
        """Have a quote made, of a sale where nothing else is said."""
        answer = self.post(**(body or self.sale()))
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json
        return found

    def serve(self, **changes: Any) -> QuotePolicy:
        """Change what the configuration says of quotes."""
        found = self.world.app.extensions["anchor"]
        quotes = replace(found.settings.quotes, **changes)
        settings = replace(found.settings, quotes=quotes)
        self.world.app.extensions["anchor"] = replace(found, settings=settings)
        return quotes


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
