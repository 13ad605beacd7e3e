"""What SEP-10's endpoints are asked."""

from marshmallow import fields, validate

from anchor.serializers.query import Query


class ClientDomain(fields.String):
    """A bare host name, perhaps with a port (SEP10-09); no longer than a data entry."""

    def __init__(self) -> None:
        super().__init__(
            validate=[
                validate.Length(1, 64),
                validate.Regexp(r"\A[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?\Z"),
            ]
        )


class ChallengeQuery(Query):
    """The query of a challenge."""

    account = fields.String(required=True, validate=validate.Length(1, 100))
    memo = fields.String(validate=validate.Length(1, 30))
    home_domain = fields.String(validate=validate.Length(1, 253))
    client_domain = ClientDomain()


class TokenBody(Query):
    """The body that brings a challenge back."""

    transaction = fields.String(required=True, validate=validate.Length(1, 20_000))
