"""The standard fields of a customer (SEP-9 1.18.0), each with its type and how it is written.

Dots in names are plain letters (SEP9-02). `canonical` gives the one name under which a datum
is kept, however it was called (SEP9-04, SEP9-05).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from anchor.languages import mark as _

ORGANIZATION = "organization."
#: Whoever keeps these has to keep the rules of the card industry: they are refused (SEP12-49).
NEVER_KEPT = frozenset({"card.number", "card.cvc"})
#: Names that are read still and no longer written, and what they are called now (SEP9-05).
_RENAMED: Mapping[str, str] = {
    "crypto_memo": "external_transfer_memo",
    "organization.crypto_memo": "organization.external_transfer_memo",
}
#: Names of one datum, and the name that it is kept under.
SYNONYMS: Mapping[str, str] = {
    "family_name": "last_name",
    "given_name": "first_name",
    **_RENAMED,
}
TYPES = ("string", "binary", "number", "date")


@dataclass(frozen=True)
class Standard:
    """A field: `type` as wallets are told it, `written` how its value has to be written."""

    name: str
    type: str
    written: str
    description: str


_PERSON = (
    Standard("last_name", "string", "text", _("Family name")),
    Standard("family_name", "string", "text", _("Family name")),
    Standard("first_name", "string", "text", _("Given name")),
    Standard("given_name", "string", "text", _("Given name")),
    Standard("additional_name", "string", "text", _("Middle name or other further name")),
    Standard(
        "address_country_code",
        "string",
        "country",
        _("Country of residence, as an ISO 3166-1 code of three letters"),
    ),
    Standard("state_or_province", "string", "text", _("State, province or region of residence")),
    Standard("city", "string", "text", _("Town of residence")),
    Standard("postal_code", "string", "text", _("Postal code of residence")),
    Standard(
        "address",
        "string",
        "lines",
        _("The whole postal address, on as many lines as it has"),
    ),
    Standard(
        "mobile_number",
        "string",
        "phone",
        _("Mobile phone number with its country code, such as +4915112345678"),
    ),
    Standard(
        "mobile_number_format",
        "string",
        "text",
        _("How the mobile number is written; E.164 unless this says else"),
    ),
    Standard("email_address", "string", "email", _("Email address")),
    Standard("birth_place", "string", "text", _("Place of birth, as in the passport")),
    Standard(
        "birth_country_code",
        "string",
        "country",
        _("Country of birth, as an ISO 3166-1 code of three letters"),
    ),
    Standard("tax_id", "string", "text", _("Tax number in the country of residence")),
    Standard("tax_id_name", "string", "text", _("What the tax number is called, such as SSN")),
    Standard("employer_name", "string", "text", _("Name of the employer")),
    Standard("employer_address", "string", "lines", _("Postal address of the employer")),
    Standard(
        "language_code",
        "string",
        "language",
        _("Preferred language, as an ISO 639-1 code of two letters"),
    ),
    Standard(
        "id_type",
        "string",
        "text",
        _("Kind of identity document, such as passport, drivers_license or id_card"),
    ),
    Standard(
        "id_country_code",
        "string",
        "country",
        _("Country that issued the document, as a code of three letters"),
    ),
    Standard("id_number", "string", "text", _("Number of the identity document")),
    Standard("ip_address", "string", "ip", _("Address of the customer's computer on the internet")),
    Standard("sex", "string", "sex", _("Sex: male, female or other")),
    Standard("referral_id", "string", "text", _("Where the customer came from, or who sent them")),
    Standard("birth_date", "date", "date", _("Date of birth, such as 1990-12-31")),
    Standard("id_issue_date", "date", "date", _("Date on which the document was issued")),
    Standard("id_expiration_date", "date", "date", _("Date on which the document ends")),
    Standard("occupation", "number", "occupation", _("Occupation, as an ISCO-08 code of 3 digits")),
    Standard("photo_id_front", "binary", "file", _("Photo of the front of the identity document")),
    Standard("photo_id_back", "binary", "file", _("Photo of the back of the identity document")),
    Standard(
        "notary_approval_of_photo_id",
        "binary",
        "file",
        _("A notary's approval of the identity document"),
    ),
    Standard(
        "photo_proof_residence",
        "binary",
        "file",
        _("Bill or statement that shows name and address"),
    ),
    Standard("proof_of_income", "binary", "file", _("Document that shows the income")),
    Standard("proof_of_liveness", "binary", "file", _("Photo or video of the customer's face")),
)
_ACCOUNT = (
    Standard("bank_name", "string", "text", _("Name of the bank")),
    Standard(
        "bank_account_type",
        "string",
        "text",
        _("Kind of bank account, such as checking or savings"),
    ),
    Standard("bank_account_number", "string", "text", _("Number of the bank account")),
    Standard(
        "bank_number",
        "string",
        "text",
        _("Number that names the bank, such as a routing number"),
    ),
    Standard("bank_phone_number", "string", "any phone", _("Phone number of the bank")),
    Standard("bank_branch_number", "string", "text", _("Number of the bank's branch")),
    Standard(
        "external_transfer_memo",
        "string",
        "text",
        _("What has to be written on a transfer to this account"),
    ),
    Standard("clabe_number", "string", "text", _("CLABE number of an account in Mexico")),
    Standard("cbu_number", "string", "text", _("CBU or CVU number of an account in Argentina")),
    Standard("cbu_alias", "string", "text", _("Alias of a CBU or CVU number")),
    Standard(
        "mobile_money_number",
        "string",
        "phone",
        _("Phone number of the mobile money account"),
    ),
    Standard("mobile_money_provider", "string", "text", _("Name of the mobile money provider")),
    Standard("crypto_address", "string", "text", _("Address of an account on a blockchain")),
    Standard(
        "crypto_memo",
        "string",
        "text",
        _("What has to be written on a transfer to this account"),
    ),
)
_COMPANY = (
    Standard(
        "organization.name",
        "string",
        "text",
        _("Name of the organization, as it is registered"),
    ),
    Standard("organization.VAT_number", "string", "text", _("VAT number of the organization")),
    Standard(
        "organization.registration_number",
        "string",
        "text",
        _("Number under which the organization is registered"),
    ),
    Standard(
        "organization.registration_date",
        "string",
        "date",
        _("Date on which the organization was registered"),
    ),
    Standard(
        "organization.registered_address",
        "string",
        "lines",
        _("Address at which the organization is registered"),
    ),
    Standard(
        "organization.shareholder_name",
        "string",
        "text",
        _("Name of the shareholder or owner"),
    ),
    Standard(
        "organization.address_country_code",
        "string",
        "country",
        _("Country of the organization, three letters"),
    ),
    Standard(
        "organization.state_or_province",
        "string",
        "text",
        _("State, province or region of the organization"),
    ),
    Standard("organization.city", "string", "text", _("Town of the organization")),
    Standard("organization.postal_code", "string", "text", _("Postal code of the organization")),
    Standard("organization.director_name", "string", "text", _("Name of the managing director")),
    Standard("organization.website", "string", "text", _("Website of the organization")),
    Standard("organization.email", "string", "email", _("Email address of the organization")),
    Standard("organization.phone", "string", "any phone", _("Phone number of the organization")),
    Standard(
        "organization.number_of_shareholders",
        "number",
        "number",
        _("How many shareholders there are"),
    ),
    Standard(
        "organization.photo_incorporation_doc",
        "binary",
        "file",
        _("Photo of the incorporation document"),
    ),
    Standard(
        "organization.photo_proof_address",
        "binary",
        "file",
        _("Bill or statement with the organization's address"),
    ),
)
_CARD = (
    Standard("card.number", "string", "text", _("Card number")),
    Standard("card.cvc", "string", "text", _("Check digits of the card")),
    Standard("card.holder_name", "string", "text", _("Name of the card's holder")),
    Standard("card.network", "string", "text", _("Network of the card, such as Visa")),
    Standard("card.postal_code", "string", "text", _("Postal code of the card's billing address")),
    Standard(
        "card.country_code",
        "string",
        "country of a card",
        _("Country of the billing address, two letters"),
    ),
    Standard(
        "card.state_or_province",
        "string",
        "subdivision",
        _("Part of the country, as an ISO 3166-2 code"),
    ),
    Standard("card.city", "string", "text", _("Town of the card's billing address")),
    Standard("card.address", "string", "lines", _("Billing address of the card")),
    Standard("card.token", "string", "text", _("Token of the card at the payment provider")),
    Standard(
        "card.expiration_date",
        "date",
        "card date",
        _("When the card ends, as YY-MM, such as 29-11"),
    ),
)

FIELDS: Mapping[str, Standard] = {
    field.name: field
    for field in (
        *_PERSON,
        *_ACCOUNT,
        *(replace(field, name=ORGANIZATION + field.name) for field in _ACCOUNT),
        *_COMPANY,
        *_CARD,
    )
}


def canonical(name: str) -> str:
    """Return the name under which a datum is kept."""
    return SYNONYMS.get(name, name)


def told_as(name: str) -> str:
    """Return the name under which wallets are asked for a field, whatever its rule calls it."""
    return _RENAMED.get(name, name)
