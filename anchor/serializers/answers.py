"""What answers look like, for the OpenAPI document: what several doors share, and small ones."""

from typing import Any

from marshmallow import INCLUDE, Schema, fields


class Text(fields.String):
    """Text in an answer, perhaps null instead; `openapi` are more words of JSON Schema."""

    def __init__(
        self,
        nullable: bool = False,
        *,
        required: bool = False,
        name: str | None = None,
        **openapi: Any,
    ) -> None:
        super().__init__(required=required, allow_none=nullable, data_key=name)
        self.openapi = openapi


def amount_text(nullable: bool = False, **kwargs: Any) -> Text:
    """Return an amount as answers write it: plain decimal, as text (GEN-30)."""
    return Text(nullable, pattern=r"^[0-9]+(\.[0-9]{1,7})?$", **kwargs)


def instant_text(nullable: bool = False, **kwargs: Any) -> Text:
    """Return an instant as answers write it: ISO 8601 in UTC, with ``Z`` (GEN-35)."""
    return Text(nullable, format="date-time", **kwargs)


def asset_text(nullable: bool = False, **kwargs: Any) -> Text:
    """Return an asset as answers name it: ``stellar:CODE:ISSUER`` or ``iso4217:USD`` (GEN-33)."""
    return Text(nullable, pattern=r"^(stellar:(native|.+:G.+)|iso4217:[A-Z]{3})$", **kwargs)


class ErrorAnswer(Schema):
    """Any refusal: a sentence in the language asked for."""

    error = fields.String(required=True)
    type = fields.String()
    request_id = fields.String()


class AnyAnswer(Schema):
    """An object whose shape is told elsewhere."""

    class Meta:
        unknown = INCLUDE


class ChallengeAnswer(Schema):
    """A challenge to sign."""

    transaction = fields.String(required=True)
    network_passphrase = fields.String(required=True)


class ContractChallengeAnswer(Schema):
    """Authorization entries to sign."""

    authorization_entries = fields.String(required=True)
    network_passphrase = fields.String(required=True)


class TokenAnswer(Schema):
    """The token of a session."""

    token = fields.String(required=True)


class HealthAnswer(Schema):
    """Whether a process answers."""

    status = fields.String(required=True)


class ReadyAnswer(HealthAnswer):
    """Whether the anchor can do its work, and what is wrong."""

    class Meta:
        unknown = INCLUDE

    problems = fields.List(fields.String())


class PageQuery(Schema):
    """The query of a page: the token of its link, and what a wallet writes behind that."""

    token = fields.String()
    lang = fields.String()
    amount = fields.String()
    other = fields.String()
    callback = fields.String()
    on_change_callback = fields.String()


class PageBody(Schema):
    """What a customer fills in, and what the rail asks for besides."""

    class Meta:
        unknown = INCLUDE

    form_token = fields.String(required=True)
    amount = fields.String()
    rail = fields.String()
    other = fields.String()
    seal = fields.String()


class WebhookBody(Schema):
    """Whatever a bank tells; its rail reads it."""

    class Meta:
        unknown = INCLUDE
