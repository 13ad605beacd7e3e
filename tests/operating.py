"""Operators of a test's anchor: Ada, who acts, and Vera, who looks."""

from anchor.policies.operators import Operator, Role
from anchor.web_auth import operators as web_auth

TOKENS = {"ada": web_auth.new_token(), "vera": web_auth.new_token()}
OPERATORS = {
    name: Operator(name, role, web_auth.hash_of(TOKENS[name]))
    for name, role in (("ada", Role.ACT), ("vera", Role.VIEW))
}


def bearing(name: str = "ada") -> dict[str, str]:
    """Return the headers with the token of an operator."""
    return {"Authorization": f"Bearer {TOKENS[name]}"}
