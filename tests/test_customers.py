"""Customers behind the doors: commands, keys that change, data whose time is over, settings."""

import base64
import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import func, select, update

from anchor import config
from anchor.cli import group
from anchor.config import Secret
from anchor.config.customers import CustomersSchema, customer_policy
from anchor.customers.rules import CustomerPolicy
from anchor.errors import Misconfigured
from anchor.extensions import db, house, transaction
from anchor.integrations import registry
from anchor.models import Customer, CustomerField, CustomerFile
from anchor.services import checkup, customer_desk, customer_erasure, customers
from anchor.vault import Sealed, Vault, new_key, read_key
from tests.knowing import BY, KEYS, NAMES, PNG, Kyc, policy, work
from tests.test_config import GOOD, environ, problems

SENDER = {"first_name": "Ada", "id_type": "passport", "type": "sep31-sender"}
OTHER = base64.urlsafe_b64encode(b"x" * 32).decode()
ON = GOOD.replace("[anchor]", "[anchor]\nseps = [1, 10, 12, 24]")
TABLE = "[customers.types.sep6.fields]\nfirst_name = {}\n"


def run(kyc: Kyc, *words: str) -> Result:
    return kyc.world.app.test_cli_runner().invoke(group, ["customers", *words])


def with_settings(kyc: Kyc, **changes: Any) -> None:
    known = house()
    settings = replace(known.settings, **changes)
    kyc.world.app.extensions["anchor"] = replace(known, settings=settings)


# -- commands ---------------------------------------------------------------------------------


def test_an_operator_sees_decides_and_is_recorded(kyc: Kyc) -> None:
    headers = kyc.log_in(memo="5")
    customer_id = kyc.registered(headers, **SENDER)
    assert "PROCESSING  sep31-sender" in run(kyc, "list").output
    assert json.loads(run(kyc, "list", "--json").output)[0]["customer_id"] == customer_id
    assert run(kyc, "list", "--status", "REJECTED").output == "There are none.\n"
    masked = run(kyc, "show", customer_id).output
    assert "first_name (given)" in masked
    assert "Ada" not in masked
    shown = run(kyc, "show", customer_id, "--values", "--by", "eve", "--note", "a complaint")
    assert "Ada" in shown.output
    assert "values shown by eve: (a complaint)" in run(kyc, "show", customer_id).output
    asked = run(kyc, "request", customer_id, "id_type", "--message", "unreadable")
    assert asked.output == f"{customer_id} stands NEEDS_INFO now.\n"
    assert run(kyc, "accept", customer_id, "--version", "2").exit_code == 0
    said = run(kyc, "reject", customer_id, "--message", "no", "--yes")
    assert said.output == f"{customer_id} stands REJECTED now.\n"
    again = run(kyc, "accept", customer_id, "--version", "2")
    assert (again.exit_code, again.output) == (1, "this customer was refused for good\n")
    assert run(kyc, "show", "unknown").exit_code == 1


def test_an_operator_erases_by_id_and_by_time(kyc: Kyc) -> None:
    first = kyc.registered(kyc.log_in(memo="1"), **NAMES)
    second = kyc.registered(kyc.log_in(memo="2"), **NAMES)
    done = run(kyc, "purge", first, "unknown", "--yes", "--by", "eve")
    assert done.output == "1 customer(s) erased.\n"
    assert kyc.history(first) == ["erased"]
    assert "erased" in run(kyc, "show", first).output
    assert run(kyc, "accept", first, "--version", "2", "--type", "plain").exit_code == 1
    assert run(kyc, "purge", "--yes").output == "0 customer(s) erased.\n"
    assert len(kyc.history(second)) > 1


def test_the_doctor_looks_at_the_plugin(kyc: Kyc) -> None:
    found = {each.name: each for each in checkup.look(("a", "a"), lambda: "none")}
    assert found["customers store"].is_good


# -- time -------------------------------------------------------------------------------------


@pytest.mark.conforms("SEP12-62")
def test_data_whose_time_is_over_is_purged_by_itself(kyc: Kyc) -> None:
    old = kyc.registered(kyc.log_in(memo="1"), **NAMES)
    young = kyc.registered(kyc.log_in(memo="2"), **NAMES)
    with transaction():
        long_ago = func.now() - db.text("interval '31 days'")
        db.session.execute(update(Customer).where(Customer.id == old).values(seen_at=long_ago))
    customer_erasure.owe()
    assert work(customer_erasure.PURGE) == 0, "nothing is purged unless it is said"
    with_settings(kyc, customers=replace(policy(), retention_days=30))
    customer_erasure.owe()
    assert work(customer_erasure.PURGE) == 1
    assert kyc.history(old) == ["erased"]
    assert kyc.seen(kyc.log_in(memo="1"))["status"] == "NEEDS_INFO"
    assert kyc.seen(kyc.log_in(memo="2"))["id"] == young
    customer_erasure.owe()
    assert work(customer_erasure.PURGE) == 0


def test_giving_the_same_again_is_a_sign_of_the_customer(kyc: Kyc) -> None:
    headers = kyc.log_in()
    kyc.registered(headers, **NAMES)
    with transaction():
        db.session.execute(update(Customer).values(seen_at=func.now() - db.text("interval '1 y'")))
    kyc.registered(headers, **NAMES)
    with_settings(kyc, customers=replace(policy(), retention_days=30))
    assert customer_erasure.purge_over() == 0


# -- keys -------------------------------------------------------------------------------------


@pytest.mark.conforms("SEP12-49")
def test_after_a_rotation_the_old_key_is_needed_no_more(kyc: Kyc) -> None:
    from io import BytesIO

    photo = {"photo_id_front": (BytesIO(PNG), "a.png")}
    headers = kyc.log_in()
    customer_id = kyc.put(headers, form=True, type="paper", **NAMES, **photo).json["id"]
    with_settings(kyc, customer_keys={"two": Secret(OTHER)} | KEYS)
    kyc.registered(headers, last_name="Byron")
    said = run(kyc, "rotate-keys")
    assert said.output == "2 value(s) are encrypted anew.\n"
    assert run(kyc, "rotate-keys").output == "0 value(s) are encrypted anew.\n"
    with_settings(kyc, customer_keys={"two": Secret(OTHER)})
    with transaction():
        customer = db.session.get_one(Customer, customer_id)
        record = customers.record_of(customer, documents=True)
    assert record.values == {"first_name": "Ada", "last_name": "Byron"}
    assert record.documents["photo_id_front"].content == PNG


def test_a_key_that_is_still_in_use_is_missed_with_its_name(kyc: Kyc) -> None:
    customer_id = kyc.registered(kyc.log_in(), **NAMES)
    with_settings(kyc, customer_keys={"two": Secret(OTHER)})
    with pytest.raises(Misconfigured, match="no key one"):
        customer_desk.show(customer_id, BY)


def test_promise_15_a_value_opens_nowhere_but_in_its_place(kyc: Kyc) -> None:
    """Bytes that somebody with access to the database moved to another row, or changed."""
    first = kyc.registered(kyc.log_in(memo="1"), **NAMES)
    second = kyc.registered(kyc.log_in(memo="2"), first_name="Eve", last_name="Eve")
    with transaction():
        stolen = select(CustomerField.sealed).where(
            CustomerField.customer_id == first, CustomerField.name == "first_name"
        )
        mine = CustomerField.customer_id == second, CustomerField.name == "first_name"
        value = db.session.scalar(stolen)
        db.session.execute(update(CustomerField).where(*mine).values(sealed=value))
    with pytest.raises(Misconfigured, match="does not open"):
        customer_desk.show(second, BY, values=True)
    customer_desk.show(first, BY, values=True)


def test_a_vault_keeps_and_marks() -> None:
    name, _, key = new_key().partition(":")
    assert len(read_key(key)) == 32
    vault = Vault({name: key, "old": OTHER})
    sealed = vault.seal(b"value", "place")
    assert b"value" not in sealed.value
    assert vault.seal(b"value", "place").value != sealed.value
    assert vault.open(sealed, "place") == b"value"
    for wrong, place in ((sealed, "other"), (Sealed("old", sealed.value), "place")):
        with pytest.raises(Misconfigured):
            vault.open(wrong, place)
    mark = vault.mark("123456", "place")
    assert vault.is_marked("123456", "place", mark)
    assert not vault.is_marked("123457", "place", mark)
    assert not vault.is_marked("123456", "other", mark)
    assert key not in repr(vault)


def test_nobody_needs_keys_where_customers_are_not_served(tmp_path: Path) -> None:
    assert config.load(environ(tmp_path)).customer_keys == {}
    with pytest.raises(Misconfigured, match="ANCHOR_CUSTOMER_KEYS"):
        Vault({}).seal(b"", "")


# -- settings ---------------------------------------------------------------------------------


def test_a_missing_key_or_table_stops_the_start(tmp_path: Path) -> None:
    said = problems(tmp_path, ON)
    assert "ANCHOR_CUSTOMER_KEYS is not set, and SEP-12 needs it." in said
    assert "[customers] does not say what customers have to give" in said
    good = config.load(environ(tmp_path, ON + TABLE, ANCHOR_CUSTOMER_KEYS=f"k1:{OTHER}"))
    assert good.customers.default_type == "sep6"
    assert OTHER not in repr(good)
    file = tmp_path / "keys"
    file.write_text(f"k1:{OTHER}, k2:{KEYS['one']}\n")
    read = config.load(environ(tmp_path, ON + TABLE, ANCHOR_CUSTOMER_KEYS_FILE=str(file)))
    assert list(read.customer_keys) == ["k1", "k2"]


@pytest.mark.parametrize(
    "keys", ["", "k1", f"{OTHER}", "k1:short", f"k1:{OTHER},k1:{OTHER}", f"k 1:{OTHER}", "k1:é"]
)
def test_keys_that_are_none_are_refused_without_being_told(tmp_path: Path, keys: str) -> None:
    said = problems(tmp_path, ON + TABLE, ANCHOR_CUSTOMER_KEYS=keys)
    assert "ANCHOR_CUSTOMER_KEYS" in said
    assert OTHER not in said


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[customers]\ndefault_type = "x"\n' + TABLE, "default_type x is not one of its types"),
        ("[customers]\nretention_days = 5\n", "has no types"),
        ("[customers]\nretention_days = 0\n" + TABLE, "retention_days"),
        (TABLE + '"card.number" = {}\n', "card.number is never kept"),
        (TABLE + "shoe_size = {}\n", "needs a type and a description"),
        (TABLE + 'birth_date = { type = "string" }\n', "is a standard field of type date"),
        (TABLE + "given_name = {}\n", "given_name is asked for twice"),
        (TABLE + "last_name = { verify = true }\n", "cannot have verify"),
        (TABLE + "email_address = { verify = true }\n", "no codes_url"),
        (TABLE + 'photo_id_front = { choices = ["a"] }\n', "has no choices"),
        (TABLE + 'sex = { choices = ["yes"] }\n', "has a choice that could not be given"),
        (TABLE + 'memo = { type = "string", description = "x" }\n', "means something else"),
        (TABLE + 'a_verification = { type = "string", description = "x" }\n', "something else"),
        (TABLE + 'last_name = { from_amount = "much" }\n', "must be an amount in quotes"),
        (TABLE + "last_name = { from_amount = 5 }\n", "from_amount"),
        (TABLE + "last_name = { wanted = true }\n", "wanted is not a setting"),
        ('[customers.types."No Type".fields]\nfirst_name = {}\n', "No Type"),
    ],
)
def test_contradictions_are_refused_with_a_sentence(tmp_path: Path, table: str, said: str) -> None:
    assert said in problems(tmp_path, ON + table, ANCHOR_CUSTOMER_KEYS=f"k1:{OTHER}")


@pytest.mark.conforms("V-06")
def test_development_mode_needs_no_table() -> None:
    """And asks for fields that the validator knows."""
    problems: list[str] = []
    found = customer_policy(None, problems, is_on=True, development=True)
    assert problems == []
    assert "sep31-receiver" in found.types
    asked = {rule.need.name for rules in found.types.values() for rule in rules.fields}
    assert asked == {"first_name", "last_name", "email_address", "bank_account_number"}
    assert registry.load_customers(found).types()


def test_a_plugin_that_is_not_there_stops_the_start() -> None:
    with pytest.raises(Misconfigured, match="customers plug-in nobody is not installed"):
        registry.load_customers(CustomerPolicy(plugin="nobody"))


def test_the_example_of_the_page_is_a_configuration() -> None:
    page = Path(__file__).parents[1] / "docs" / "reference" / "customers.md"
    text = page.read_text().partition("```toml\n")[2].partition("```")[0]
    table = tomllib.loads(text)["customers"]
    problems: list[str] = []
    loaded = CustomersSchema().load(table)
    customer_policy(loaded, problems, is_on=True, development=False)
    assert problems == []


def test_nothing_refers_to_what_was_erased(kyc: Kyc) -> None:
    kyc.registered(kyc.log_in(), **NAMES)
    with transaction():
        ids = list(db.session.scalars(select(Customer.id)))
    customer_erasure.purge(ids, "test")
    with transaction():
        for table in (CustomerField, CustomerFile):
            assert db.session.scalars(select(table)).all() == []
        [row] = db.session.scalars(select(Customer).execution_options(populate_existing=True))
        assert (row.owner_account, row.memo_type, row.memo) == (None, "none", "")
