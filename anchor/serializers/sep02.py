"""What SEP-2 asks and shows: the words on the wire."""

from base64 import b64encode
from typing import Any

from marshmallow import Schema, fields, validate

from anchor.models import Memo
from anchor.serializers.fields import text
from anchor.serializers.query import Query


class FederationQuery(Query):
    """The query of ``GET /federation``; a forward has more, which nobody reads here."""

    q = text(200, load_default="")
    type = fields.String(required=True, validate=validate.OneOf(["name", "id", "txid", "forward"]))


class FederationAnswer(Schema):
    """Under which account and memo an address is paid."""

    stellar_address = fields.String(required=True)
    account_id = fields.String(required=True)
    memo_type = fields.String(required=True)
    memo = fields.String(required=True)


def found(address: str, memo: Memo) -> dict[str, Any]:
    """Return the answer: a memo is text, and a hash in base 64 (SEP2-02)."""
    is_hash = memo.memo_type == "hash"
    return {
        "stellar_address": address,
        "account_id": memo.account_id,
        "memo_type": memo.memo_type,
        "memo": b64encode(bytes.fromhex(memo.memo)).decode() if is_hash else memo.memo,
    }
