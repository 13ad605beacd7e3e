"""The standard fields of a customer (SEP-9 1.18.0), each with its type and how it is written.

Dots in names are plain letters (SEP9-02). `canonical` gives the one name under which a datum
is kept, however it was called (SEP9-04, SEP9-05).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

ORGANIZATION = "organization."
#: Whoever keeps these has to keep the rules of the card industry: they are refused (SEP12-49).
NEVER_KEPT = frozenset({"card.number", "card.cvc"})
#: Names of one datum, and the name that it is kept under.
SYNONYMS: Mapping[str, str] = {
    "family_name": "last_name",
    "given_name": "first_name",
    "crypto_memo": "external_transfer_memo",
    "organization.crypto_memo": "organization.external_transfer_memo",
}
TYPES = ("string", "binary", "number", "date")


@dataclass(frozen=True)
class Standard:
    """A field: `type` as wallets are told it, `written` how its value has to be written."""

    name: str
    type: str
    written: str
    description: str


def _table(text: str, type_: str = "string") -> list[Standard]:
    rows = [line.split("|") for line in text.strip().splitlines()]
    return [
        Standard(name.strip(), type_, written.strip(), description.strip())
        for name, written, description in rows
    ]


_PERSON = _table(
    """
    last_name | text | Family name
    family_name | text | Family name
    first_name | text | Given name
    given_name | text | Given name
    additional_name | text | Middle name or other further name
    address_country_code | country | Country of residence, as an ISO 3166-1 code of three letters
    state_or_province | text | State, province or region of residence
    city | text | Town of residence
    postal_code | text | Postal code of residence
    address | lines | The whole postal address, on as many lines as it has
    mobile_number | phone | Mobile phone number with its country code, such as +4915112345678
    mobile_number_format | text | How the mobile number is written; E.164 unless this says else
    email_address | email | Email address
    birth_place | text | Place of birth, as in the passport
    birth_country_code | country | Country of birth, as an ISO 3166-1 code of three letters
    tax_id | text | Tax number in the country of residence
    tax_id_name | text | What the tax number is called, such as SSN
    employer_name | text | Name of the employer
    employer_address | lines | Postal address of the employer
    language_code | language | Preferred language, as an ISO 639-1 code of two letters
    id_type | text | Kind of identity document, such as passport, drivers_license or id_card
    id_country_code | country | Country that issued the document, as a code of three letters
    id_number | text | Number of the identity document
    ip_address | ip | Address of the customer's computer on the internet
    sex | sex | Sex: male, female or other
    referral_id | text | Where the customer came from, or who sent them
    """
)
_DATES = _table(
    """
    birth_date | date | Date of birth, such as 1990-12-31
    id_issue_date | date | Date on which the document was issued
    id_expiration_date | date | Date on which the document ends
    """,
    "date",
)
_NUMBERS = _table("occupation | occupation | Occupation, as an ISCO-08 code of 3 digits", "number")
_BINARY = _table(
    """
    photo_id_front | file | Photo of the front of the identity document
    photo_id_back | file | Photo of the back of the identity document
    notary_approval_of_photo_id | file | A notary's approval of the identity document
    photo_proof_residence | file | Bill or statement that shows name and address
    proof_of_income | file | Document that shows the income
    proof_of_liveness | file | Photo or video of the customer's face
    """,
    "binary",
)
_ACCOUNT = _table(
    """
    bank_name | text | Name of the bank
    bank_account_type | text | Kind of bank account, such as checking or savings
    bank_account_number | text | Number of the bank account
    bank_number | text | Number that names the bank, such as a routing number
    bank_phone_number | any phone | Phone number of the bank
    bank_branch_number | text | Number of the bank's branch
    external_transfer_memo | text | What has to be written on a transfer to this account
    clabe_number | text | CLABE number of an account in Mexico
    cbu_number | text | CBU or CVU number of an account in Argentina
    cbu_alias | text | Alias of a CBU or CVU number
    mobile_money_number | phone | Phone number of the mobile money account
    mobile_money_provider | text | Name of the mobile money provider
    crypto_address | text | Address of an account on a blockchain
    crypto_memo | text | What has to be written on a transfer to this account
    """
)
_COMPANY = _table(
    """
    organization.name | text | Name of the organization, as it is registered
    organization.VAT_number | text | VAT number of the organization
    organization.registration_number | text | Number under which the organization is registered
    organization.registration_date | date | Date on which the organization was registered
    organization.registered_address | lines | Address at which the organization is registered
    organization.shareholder_name | text | Name of the shareholder or owner
    organization.address_country_code | country | Country of the organization, three letters
    organization.state_or_province | text | State, province or region of the organization
    organization.city | text | Town of the organization
    organization.postal_code | text | Postal code of the organization
    organization.director_name | text | Name of the managing director
    organization.website | text | Website of the organization
    organization.email | email | Email address of the organization
    organization.phone | any phone | Phone number of the organization
    """
)
_COMPANY_MORE = [
    *_table(
        "organization.number_of_shareholders | number | How many shareholders there are", "number"
    ),
    *_table(
        """
        organization.photo_incorporation_doc | file | Photo of the incorporation document
        organization.photo_proof_address | file | Bill or statement with the organization's address
        """,
        "binary",
    ),
]
_CARD = _table(
    """
    card.number | text | Card number
    card.cvc | text | Check digits of the card
    card.holder_name | text | Name of the card's holder
    card.network | text | Network of the card, such as Visa
    card.postal_code | text | Postal code of the card's billing address
    card.country_code | country of a card | Country of the billing address, two letters
    card.state_or_province | subdivision | Part of the country, as an ISO 3166-2 code
    card.city | text | Town of the card's billing address
    card.address | lines | Billing address of the card
    card.token | text | Token of the card at the payment provider
    """
) + _table("card.expiration_date | card date | When the card ends, as YY-MM, such as 29-11", "date")

FIELDS: Mapping[str, Standard] = {
    field.name: field
    for field in (
        *_PERSON,
        *_DATES,
        *_NUMBERS,
        *_BINARY,
        *_ACCOUNT,
        *(replace(field, name=ORGANIZATION + field.name) for field in _ACCOUNT),
        *_COMPANY,
        *_COMPANY_MORE,
        *_CARD,
    )
}


def canonical(name: str) -> str:
    """Return the name under which a datum is kept."""
    return SYNONYMS.get(name, name)
