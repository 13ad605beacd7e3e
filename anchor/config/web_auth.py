"""What ``[web_auth]`` says, checked."""

from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from anchor.assets import is_contract_id
from anchor.policies.web_auth import CREDENTIALS, HEADERS, WebAuthOptions


class WebAuthTable(Schema):
    """The table; `load` gives a plain dictionary with defaults filled in."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "is not a setting that the anchor knows"}

    request_header = fields.String(load_default="off", validate=validate.OneOf(HEADERS))
    contract_id = fields.String()
    contract_credentials = fields.String(
        load_default="legacy", validate=validate.OneOf(CREDENTIALS)
    )


def web_auth_options(
    table: dict[str, Any], seps: frozenset[int], rpc_url: str | None, problems: list[str]
) -> WebAuthOptions:
    """Return the options of a checked table; what is missing for SEP-45 is added to `problems`."""
    contract_id = table.get("contract_id")
    if contract_id is not None and not is_contract_id(contract_id):
        problems.append("web_auth.contract_id must be a contract (C…).")
    if 45 in seps and contract_id is None:
        problems.append("SEP-45 needs web_auth.contract_id, the web auth contract.")
    if 45 in seps and rpc_url is None:
        problems.append("SEP-45 needs ANCHOR_RPC_URL, or network.rpc_url in the file.")
    return WebAuthOptions(table["request_header"], contract_id, table["contract_credentials"])
