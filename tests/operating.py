"""Operators of a test's anchor: Ada, who acts, and Vera, who looks."""

from anchor.policies.operators import Operator, Role, hash_of, new_token

TOKENS = {"ada": new_token(), "vera": new_token()}
OPERATORS = {
    name: Operator(name, role, hash_of(TOKENS[name]))
    for name, role in (("ada", Role.ACT), ("vera", Role.VIEW))
}


def bearing(name: str = "ada") -> dict[str, str]:
    """Return the headers with the token of an operator."""
    return {"Authorization": f"Bearer {TOKENS[name]}"}
