"""What SEP-45's endpoints are asked."""

from marshmallow import fields, validate

from anchor.serializers.query import Query
from anchor.serializers.sep10 import ClientDomain
from anchor.web_auth.contracts import MAX_ENTRIES_CHARS


class ContractChallengeQuery(Query):
    """The query of a challenge for a contract account; `home_domain` must be there (SEP45-02)."""

    account = fields.String(required=True, validate=validate.Length(1, 100))
    home_domain = fields.String(required=True, validate=validate.Length(1, 253))
    client_domain = ClientDomain()


class ContractTokenBody(Query):
    """The body that brings the entries of a challenge back."""

    authorization_entries = fields.String(
        required=True, validate=validate.Length(1, MAX_ENTRIES_CHARS)
    )
