"""How the host of contracts says that a call fails."""


class HostError(Exception):
    """The call fails: `code` as the host writes it, and why."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"HostError: Error({code}): {reason}")
