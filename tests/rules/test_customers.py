"""The rules of customers: how values are written, who is meant, and how somebody stands."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.customers import file_types, values
from anchor.customers.fields import FIELDS, NEVER_KEPT, SYNONYMS, canonical
from anchor.customers.identity import identify
from anchor.customers.rules import FieldRule, Need, TypeRules
from anchor.customers.standing import Held, Stand, State, missing, shown, stands
from anchor.errors import Forbidden, Rejected
from scripts.make_conformance import rows

ACCOUNT = "GBBD47IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5"
FILE_FIELDS = [name for name, each in FIELDS.items() if each.type == "binary"]
TEXT_FIELDS = [name for name in FIELDS if name not in FILE_FIELDS and name not in NEVER_KEPT]


@pytest.mark.conforms("SEP9-01", "SEP9-06", "SEP9-07")
@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("language_code", ["en", "pt"], ["eng", "EN", "xx", "e"]),
        ("address_country_code", ["DEU", "BRA"], ["DE", "deu", "ABC", "276"]),
        ("birth_country_code", ["USA"], ["US"]),
        ("id_country_code", ["MEX"], ["Mexico"]),
        ("organization.address_country_code", ["FRA"], ["FR"]),
        ("card.country_code", ["DE"], ["DEU", "de", "QQ"]),
        ("card.state_or_province", ["US-CA", "DE-BY"], ["CA", "USA-CA", "QQ-A", "US-california"]),
        ("birth_date", ["1990-12-31", "2000-02-29"], ["1990-2-1", "2001-02-29", "31/12/1990"]),
        ("id_issue_date", ["2020-01-01"], ["2020-01-01T00:00:00Z", "20200101", "2020-W01-1"]),
        ("card.expiration_date", ["29-11"], ["29-13", "2029-11", "11/29"]),
        ("mobile_number", ["+4915112345678"], ["004915112345678", "+0151", "+49 151", "+1", ""]),
        ("mobile_money_number", ["+254712345678"], ["0712345678"]),
        ("bank_phone_number", ["+49 (0)30 1234", "030/1234"], ["call us"]),
        ("occupation", ["212", Decimal(212), Decimal(11)], ["2121", "ab", Decimal("2.5"), True]),
        ("email_address", ["a@b.example"], ["a@b", "a b@c.example", "@b.example", "a@.example"]),
        ("sex", ["male", "female", "other"], ["m", "Male"]),
        ("ip_address", ["1.2.3.4", "2001:db8::1"], ["1.2.3", "1.2.3.4/8", "localhost"]),
        ("organization.number_of_shareholders", ["3", Decimal(3)], ["three", "-1", "1e3"]),
        ("address", ["1 Street\n12345 Town"], ["\x00"]),
        ("first_name", ["Ada", "李", "O'Neill"], ["", "  ", "A\nB", 5, None, [], "\ud800"]),
    ],
)
def test_values_are_written_as_the_standard_says(
    name: str, good: list[object], bad: list[object]
) -> None:
    for value in good:
        assert values.read(name, value)
    for value in bad:
        with pytest.raises(Rejected) as caught:
            values.read(name, value)
        assert caught.value.values["field"] == name


@pytest.mark.conforms("SEP12-49", "SEP9-06")
def test_card_numbers_are_never_read() -> None:
    for name in NEVER_KEPT:
        with pytest.raises(Rejected, match=r"card\.token"):
            values.read(name, "4111111111111111")
    assert values.read("card.token", "tok_1") == "tok_1"


@pytest.mark.conforms("SEP9-03", "SEP9-02", "E-21", "16.1/*", "16.2/*", "16.3/*", "16.4/*")
def test_the_table_has_every_field_of_the_standard() -> None:
    financial = rows("16.2/*")
    owned = [f"organization.{name}" for name in financial]
    assert set(FIELDS) == {*rows("16.1/*"), *financial, *owned, *rows("16.3/*"), *rows("16.4/*")}
    for name in financial:
        assert FIELDS[f"organization.{name}"].type == FIELDS[name].type == "string"
    assert canonical("crypto_memo") == "external_transfer_memo"
    assert "cvu_number" not in FIELDS
    for alias, name in SYNONYMS.items():
        assert FIELDS[alias].type == FIELDS[name].type
    for each in FIELDS.values():
        assert each.description
        assert each.type in {"string", "binary", "number", "date"}


@pytest.mark.conforms("SEP12-46", "SEP12-45")
@pytest.mark.parametrize("name", FILE_FIELDS)
def test_a_file_is_no_text(name: str) -> None:
    with pytest.raises(Rejected, match=name):
        values.read(name, "aGVsbG8=")


@pytest.mark.conforms("GEN-13")
@given(st.sampled_from(TEXT_FIELDS), st.text() | st.decimals() | st.none() | st.booleans())
def test_any_value_is_kept_or_refused_without_a_surprise(name: str, value: object) -> None:
    try:
        text = values.read(name, value)
    except Rejected:
        return
    text.encode()
    assert 0 < len(text) <= values.MAX_CHARS
    assert "\x00" not in text
    assert values.read(name, text) == text


@pytest.mark.conforms("SEP9-04")
def test_what_was_not_asked_for_is_not_kept() -> None:
    assert values.read_all({"shoe_size": "40"}, {}, {}) == {}
    assert values.read_all({"shoe_size": "40"}, {"shoe_size": "number"}, {}) == {"shoe_size": "40"}
    found = values.read_all({"family_name": "Ng", "last_name": "Ng"}, {}, {})
    assert found == {"last_name": "Ng"}


@pytest.mark.conforms("SEP12-83", "SEP12-45")
@pytest.mark.parametrize(
    ("content", "type_"),
    [
        (b"\xff\xd8\xff\xe0..", "image/jpeg"),
        (b"RIFF....WEBPVP8 ", "image/webp"),
        (b"....ftypisom", "video/mp4"),
        (b"....ftypheic", "image/heic"),
        (b"%PDF-1.7", "application/pdf"),
    ],
)
def test_files_are_told_by_their_first_bytes(content: bytes, type_: str) -> None:
    assert file_types.sniff("f", content) == type_


@pytest.mark.conforms("SEP12-45")
@given(st.binary(max_size=40))
def test_any_other_file_is_refused(content: bytes) -> None:
    for bad in (b"MZ" + content, b"<html>" + content, b"#!/bin/sh" + content):
        with pytest.raises(Rejected, match="f must be an image"):
            file_types.sniff("f", bad)


# -- who is meant -----------------------------------------------------------------------------


@pytest.mark.conforms("SEP12-05", "GEN-29")
def test_a_contract_account_has_no_memo() -> None:
    contract = "C" + "A" * 55
    assert identify(contract, None, None, None).memo_type == "none"
    for memo in ("1", "", "text"):
        with pytest.raises(Forbidden):
            identify(contract, None, memo, None)


@pytest.mark.conforms("SEP12-05", "GEN-26")
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_a_log_in_with_an_id_speaks_for_that_id_alone(own: int, other: int) -> None:
    mine = identify(ACCOUNT, own, None, None)
    assert (mine.memo_type, mine.memo) == ("id", str(own))
    assert identify(ACCOUNT, own, str(own), "text") == mine
    assert identify(ACCOUNT, None, str(own), None) == mine
    if own != other:
        with pytest.raises(Forbidden):
            identify(ACCOUNT, own, str(other), None)


@pytest.mark.conforms("SEP12-06", "SEP12-07")
@given(st.text(max_size=40), st.sampled_from(["id", "text", "hash", "none", "", None]))
def test_any_memo_is_one_or_refused(memo: str, memo_type: str | None) -> None:
    try:
        found = identify(ACCOUNT, None, memo, memo_type)
    except Rejected:
        return
    assert found.memo_type in {"id", "text", "hash"}
    assert identify(ACCOUNT, None, found.memo, found.memo_type) == found


# -- how somebody stands ----------------------------------------------------------------------

NEEDS = st.lists(
    st.builds(
        Need,
        st.sampled_from(["first_name", "family_name", "email_address", "mobile_number"]),
        st.just("string"),
        st.just("what"),
        optional=st.booleans(),
        needs_code=st.booleans(),
    ),
    unique_by=lambda need: need.name,
)
HELD = st.dictionaries(
    st.sampled_from(["first_name", "last_name", "email_address", "mobile_number"]),
    st.builds(Held, st.sampled_from(State), is_verified=st.booleans()),
)
VERDICTS = st.sampled_from([None, Stand.ACCEPTED, Stand.REJECTED])


@pytest.mark.conforms("SEP12-27", "SEP12-28", "SEP12-29", "SEP12-30")
@given(NEEDS, HELD, VERDICTS)
def test_how_somebody_stands_follows_from_what_is_shown(
    needs: list[Need], held: dict[str, Held], verdict: Stand | None
) -> None:
    stand = stands(needs, held, verdict)
    lacking = [need for need in missing(needs, held) if not need.optional]
    words = {
        need.name: shown(need, held[canonical(need.name)], stand)
        for need in needs
        if need not in missing(needs, held)
    }
    assert (stand is Stand.REJECTED) == (verdict is Stand.REJECTED)
    if stand is Stand.ACCEPTED:
        assert not lacking
        assert {words[n.name] for n in needs if not n.optional} <= {"ACCEPTED"}
    if stand is Stand.NEEDS_INFO:
        assert lacking or {"REJECTED", "VERIFICATION_REQUIRED"} & set(words.values())
    elif stand is not Stand.REJECTED:
        assert not lacking
        assert not {"REJECTED", "VERIFICATION_REQUIRED"} & set(words.values())


@pytest.mark.conforms("SEP12-21")
def test_rules_begin_at_an_amount() -> None:
    need = Need("photo_id_front", "binary", "photo")
    rules = TypeRules((FieldRule(need, Decimal(1000)),))
    assert rules.needs(None) == rules.needs(Decimal("999.9999999")) == ()
    assert rules.needs(Decimal(1000)) == (need,)
