"""The web auth contract of SEP-45: its one function requires authorizations, and returns."""

from __future__ import annotations

from stellar_sdk import Address, xdr

from anchor.sandbox.network.contracts.errors import HostError

FUNCTION = b"web_auth_verify"


def required(args: list[xdr.SCVal]) -> list[str]:
    """Return whose authorization the contract requires, in its order; raises HostError."""
    arguments = _arguments(args)
    found = [arguments.get("account"), arguments.get("web_auth_domain_account")]
    found += [arguments["client_domain_account"]] if "client_domain_account" in arguments else []
    try:
        return [Address(each or "").address for each in found]
    except ValueError:
        raise HostError("Value, InvalidInput", "an argument is no address") from None


def _arguments(args: list[xdr.SCVal]) -> dict[str, str]:
    """Read the one argument, ``Map<Symbol, String>`` with its keys in order."""
    if len(args) != 1 or args[0].map is None:
        raise HostError("WasmVm, UnexpectedSize", "one map is the argument")
    entries = args[0].map.sc_map
    if not all(each.key.sym is not None and each.val.str is not None for each in entries):
        raise HostError("Value, UnexpectedType", "the map is not of symbols to strings")
    pairs = [(each.key.sym.sc_symbol, each.val.str.sc_string) for each in entries]  # type: ignore[union-attr]
    names = [name for name, _ in pairs]
    if names != sorted(set(names)):
        raise HostError("Value, InvalidInput", "the keys of the map are out of order")
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
