"""What customers give: all of it is checked before any of it is kept, and kept once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from sqlalchemy import Table, bindparam, func, update

from anchor.customers import values
from anchor.customers.fields import FIELDS, canonical
from anchor.customers.rules import Need
from anchor.customers.standing import Stand, State
from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, by_statement, db
from anchor.integrations.customers import Occasion
from anchor.models import Customer, CustomerField, CustomerFile
from anchor.services import (
    customer_codes,
    customer_files,
    customer_standings,
    customers,
    known_customers,
    rail_needs,
)
from anchor.services.customer_files import NewFile
from anchor.services.customer_standings import CustomerView
from anchor.services.customers import CUSTOMER, Target

VERIFICATION = "_verification"
FILE_ID = "_file_id"


@dataclass(frozen=True)
class Upload:
    """What a request brings: values by field name, and the bytes of its files."""

    given: Mapping[str, object]
    files: Mapping[str, bytes] = field(default_factory=dict)
    type: str | None = None
    transaction_id: str | None = None


@dataclass(frozen=True)
class _Checked:
    """An upload after all that can be said of it without the customer was said."""

    texts: Mapping[str, str]
    file_ids: Mapping[str, str]
    files: Mapping[str, tuple[NewFile, bytes]]
    codes: Mapping[str, str]


def put(target: Target, upload: Upload) -> str:
    """Register or update a customer; return the id (SEP12-40 to SEP12-47).

    Raises `Rejected` that names the field for whatever is wrong, and then keeps nothing; a
    wrong code costs a try all the same.
    """
    about, held = _before(target, upload)
    checked = _check(upload, held)
    _check_codes(target, checked)
    return _keep(target, about, checked)


def verify(target: Target, given: Mapping[str, object]) -> CustomerView:
    """Take codes alone, and return how the customer stands (SEP12-55)."""
    _before(target, Upload({}))
    codes = _codes(given)
    if target.customer_id is None:
        raise Rejected("id is required")
    if not codes:
        raise Rejected("a field that ends in _verification is required")
    checked = _Checked({}, {}, {}, codes)
    _check_codes(target, checked)
    _keep(target, None, checked)
    return look(target, None, None)


def look(target: Target, type_: str | None, transaction_id: str | None) -> CustomerView:
    """Return how a customer stands and what is asked for (SEP12-20 to SEP12-31).

    Where everything was given and nobody has judged it for this type, that is done now.
    """
    about, view, is_due = _look(target, type_, transaction_id)
    return (_settled(target, about) if is_due else None) or view


@by_statement
def _look(
    target: Target, type_: str | None, transaction_id: str | None
) -> tuple[Occasion, CustomerView, bool]:
    """Return the occasion, how the customer stands on it, and whether to judge that now."""
    about = customer_standings.occasion(target.owner, type_, transaction_id)
    customer = customers.find(target)
    if customer is None:
        return about, customer_standings.look(None, about), False
    known = known_customers.read(customer.id)
    view = customer_standings.view_of(known, about, rail_needs.asked_on(about))
    if about.type in known.standings:
        is_due = view.stand is Stand.PROCESSING and customers.plugin().traits.judges_at_once
    else:
        is_due = view.stand is not Stand.NEEDS_INFO
    return about, view, is_due


@atomic
def _settled(target: Target, about: Occasion) -> CustomerView | None:
    """Find out how a customer stands; None for one who was erased meanwhile."""
    locked = customers.hold(target)
    return None if locked is None else customer_standings.settle(locked, about)


@by_statement
def _before(target: Target, upload: Upload) -> tuple[Occasion, dict[str, str]]:
    """Return what it is for, and the texts that others are read by; raises as `put` does."""
    about = customer_standings.occasion(target.owner, upload.type, upload.transaction_id)
    customer = customers.find(target)
    if customer is None or "mobile_number" not in upload.given:
        return about, {}
    text = known_customers.read(customer.id).text("mobile_number_format")
    return about, {} if text is None else {"mobile_number_format": text}


def _asked() -> dict[str, list[Need]]:
    """Return all that the plug-in may ask for, by canonical names."""
    plugin = customers.plugin()
    found: dict[str, list[Need]] = {}
    for type_ in plugin.types():
        rules = plugin.rules.get(type_)
        listed = [rule.need for rule in rules.fields] if rules else []
        for need in (*listed, *plugin.needs(Occasion(type_))):
            found.setdefault(canonical(need.name), []).append(need)
    for name, need in rail_needs.own_needs().items():
        found.setdefault(name, [need])
    return found


def _check(upload: Upload, held: Mapping[str, str]) -> _Checked:
    asked = _asked()
    own = {name: needs[0].type for name, needs in asked.items() if name not in FIELDS}
    binary = _binary(own)
    given = {
        name: value
        for name, value in upload.given.items()
        if not name.endswith((VERIFICATION, FILE_ID)) or name in own
    }
    texts = values.read_all(given, own, held)
    for name, text in texts.items():
        _check_choice(name, text, asked.get(name, []))
    files = {}
    for name, content in upload.files.items():
        if name not in binary:
            if name in FIELDS or name in own:
                raise Rejected("{field} must be text", field=name)
            continue
        files[name] = (customer_files.prepare(name, content), content)
    file_ids = _file_ids(upload.given, binary)
    if twice := sorted(file_ids.keys() & files.keys()):
        raise Rejected("{field} is given twice, and not alike", field=twice[0])
    return _Checked(texts, file_ids, files, _codes(upload.given))


def _binary(own: Mapping[str, str]) -> frozenset[str]:
    standard = {name for name, each in FIELDS.items() if each.type == "binary"}
    return frozenset(standard | {name for name, type_ in own.items() if type_ == "binary"})


def _check_choice(name: str, text: str, needs: list[Need]) -> None:
    """Hold a value against the choices of whoever asks for it: one of them has to allow it."""
    if needs and all(need.choices and text not in need.choices for need in needs):
        raise Rejected("{field} is not one of the choices", field=name)


def _file_ids(given: Mapping[str, object], binary: frozenset[str]) -> dict[str, str]:
    found = {}
    for name, value in given.items():
        base = name.removesuffix(FILE_ID)
        if base == name or base not in binary:
            continue
        found[base] = _plain(name, value)
    return found


def _codes(given: Mapping[str, object]) -> dict[str, str]:
    found = {}
    for name, value in given.items():
        if not name.endswith(VERIFICATION):
            continue
        base = canonical(name.removesuffix(VERIFICATION))
        found[base] = _plain(name, value)
    return found


def _plain(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise Rejected("{field} must be text", field=name)
    values.check_text(name, value.strip())
    return value.strip()


def _check_codes(target: Target, checked: _Checked) -> None:
    """Raise `Rejected` for the first code that is wrong, each a try that is used up for good."""
    for name, code in checked.codes.items():
        _check_code(_field_of(target, name), name, code, checked)


def _check_code(
    row: CustomerField | None, name: str, code: str, checked: _Checked
) -> CustomerField:
    """Return the field that a code is right for; what is verified already passes."""
    is_changed = name in checked.texts and row is not None and not _is_kept(row, checked)
    if row is None or row.sealed is None or is_changed:
        raise Rejected("{field} was not given, or changes with this", field=name)
    if row.verified_at is None and not customer_codes.is_right(row.customer_id, name, code):
        raise Rejected("{field} is not the code that was sent", field=name + VERIFICATION)
    return row


def _is_kept(row: CustomerField, checked: _Checked) -> bool:
    return customers.text_of(row) == checked.texts[row.name]


@atomic
def _field_of(target: Target, name: str) -> CustomerField | None:
    customer = customers.find(target)
    return customers.rows_of(customer.id).get(name) if customer else None


@atomic
def _keep(target: Target, about: Occasion | None, checked: _Checked) -> str:
    """Keep what was checked, and find out how the customer stands, in one commit."""
    customer = customers.hold_or_make(target) if about else customers.hold(target)
    if customer is None:
        raise NotFound("there is no such customer")
    rows = customers.rows_of(customer.id)
    changed = [
        name for name, text in checked.texts.items() if _keep_text(customer, rows, name, text)
    ]
    for name, (new, content) in checked.files.items():
        if not _is_same_file(rows.get(name), new, content):
            row = customer_files.keep(target.owner, new, customer.id)
            _refer(customer, rows, name, row)
            changed.append(name)
    for name, file_id in checked.file_ids.items():
        row = customer_files.hold(target.owner, customer.id, name, file_id)
        if name not in rows or rows[name].file_id != row.id:
            _refer(customer, rows, name, row)
            changed.append(name)
    _use_codes(rows, checked)
    _note(customer, changed)
    db.session.flush()
    for view in customer_standings.settle_all(customer, about or _any_occasion(target)):
        customer_codes.owe(view)
    return customer.id


def _any_occasion(target: Target) -> Occasion:
    return customer_standings.occasion(target.owner, None, None)


def _use_codes(rows: Mapping[str, CustomerField], checked: _Checked) -> None:
    """Note what codes have proved.

    They are looked at once more, now that the customer is locked: the field may be another
    one's number since they were checked.
    """
    for name, code in checked.codes.items():
        row = _check_code(rows.get(name), name, code, checked)
        if row.verified_at is None:
            customer_codes.use_up(row.customer_id, name)


def _note(customer: Customer, changed: list[str]) -> None:
    if changed:
        customers.touch(customer)
        customers.note(customer.id, "given", CUSTOMER, about=", ".join(sorted(changed)))
        return
    db.session.execute(_SEE, {"the_id": customer.id})


_CUSTOMERS = cast(Table, Customer.__table__)
_SEE = update(_CUSTOMERS).where(_CUSTOMERS.c.id == bindparam("the_id")).values(seen_at=func.now())


def _keep_text(customer: Customer, rows: dict[str, CustomerField], name: str, text: str) -> bool:
    """Keep a text; False where it is kept already."""
    row = rows.get(name)
    if row is not None and customers.text_of(row) == text:
        return False
    sealed = customers.vault().seal(text.encode(), customers.place_of(customer.id, name))
    row = _fresh(customer, rows, name)
    row.key_id, row.sealed = sealed.key_id, sealed.value
    customer_codes.spoil(customer.id, name)
    return True


def _is_same_file(row: CustomerField | None, new: NewFile, content: bytes) -> bool:
    if row is None or row.file_id is None:
        return False
    return customer_files.is_same(db.session.get_one(CustomerFile, row.file_id), new, content)


def _refer(
    customer: Customer, rows: dict[str, CustomerField], name: str, file: CustomerFile
) -> None:
    """Let a field refer to a file, which then stays; the one before goes."""
    before = rows[name].file_id if name in rows else None
    _fresh(customer, rows, name).file_id = file.id
    file.customer_id, file.expires_at = customer.id, None
    db.session.flush()
    if before is not None and before != file.id:
        others = [row for row in rows.values() if row.file_id == before]
        if not others:
            customer_files.discard(before)


def _fresh(customer: Customer, rows: dict[str, CustomerField], name: str) -> CustomerField:
    """Return the row of a field that was given just now, with nothing known about it."""
    row = rows.get(name)
    if row is None:
        row = CustomerField(customer_id=customer.id, name=name)
        rows[name] = row
        db.session.add(row)
    row.state, row.error, row.verified_at = State.GIVEN, None, None
    row.given_at = func.now()
    row.file_id = row.key_id = row.sealed = None
    return row
