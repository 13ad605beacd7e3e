"""What SEP-12's answers look like, for the OpenAPI document."""

from marshmallow import INCLUDE, Schema, fields, validate

from anchor.customers.standing import Stand
from anchor.serializers.answers import Text, instant_text
from anchor.serializers.sep12 import CustomerSchema


class CustomerBody(CustomerSchema):
    """Which customer, and whatever fields of SEP-9, file ids and codes are given."""

    class Meta:
        unknown = INCLUDE


class FieldAnswer(Schema):
    """A field that is asked for or was given."""

    type = fields.String(
        required=True, validate=validate.OneOf(["string", "binary", "number", "date"])
    )
    description = fields.String(required=True)
    choices = fields.List(fields.String())
    optional = fields.Boolean()
    status = fields.String(
        validate=validate.OneOf(["ACCEPTED", "PROCESSING", "REJECTED", "VERIFICATION_REQUIRED"])
    )
    error = fields.String()


class CustomerAnswer(Schema):
    """How a customer stands, and what is asked for."""

    id = fields.String()
    status = fields.String(required=True, validate=validate.OneOf([str(each) for each in Stand]))
    fields_ = fields.Dict(
        keys=fields.String(), values=fields.Nested(FieldAnswer), data_key="fields"
    )
    provided_fields = fields.Dict(keys=fields.String(), values=fields.Nested(FieldAnswer))
    message = fields.String()


class PutAnswer(Schema):
    """The customer's id."""

    id = fields.String(required=True)


class NothingAnswer(Schema):
    """It is done."""


class FileBody(Schema):
    """One part, named file."""

    file = Text(required=True, format="binary")


class FileAnswer(Schema):
    """A file that was uploaded."""

    file_id = fields.String(required=True)
    content_type = fields.String(required=True)
    size = fields.Integer(required=True)
    expires_at = instant_text()
    customer_id = Text(nullable=True)


class FilesAnswer(Schema):
    """Files."""

    files = fields.List(fields.Nested(FileAnswer), required=True)
