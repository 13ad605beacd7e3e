"""What SEP-10's endpoints are asked."""

from marshmallow import EXCLUDE, Schema, fields, validate


class ClientDomain(fields.String):
    """A bare host name, perhaps with a port (SEP10-09); no longer than a data entry."""

    def __init__(self) -> None:
        super().__init__(
            validate=[
                validate.Length(1, 64),
                validate.Regexp(r"\A[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?\Z"),
            ]
        )


class ChallengeQuery(Schema):
    """The query of a challenge."""

    class Meta:
        unknown = EXCLUDE

    account = fields.String(required=True, validate=validate.Length(1, 100))
    memo = fields.String(validate=validate.Length(1, 30))
    home_domain = fields.String(validate=validate.Length(1, 253))
    client_domain = ClientDomain()


class TokenBody(Schema):
    """The body that brings a challenge back."""

    class Meta:
        unknown = EXCLUDE

    transaction = fields.String(required=True, validate=validate.Length(1, 20_000))
