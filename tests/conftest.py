"""Real parts for all tests: PostgreSQL, Valkey, a sandbox network with its bank, an anchor."""

import gc
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from flask import Flask, Response, request_finished
from flask import request as flask_request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import make_url
from werkzeug.routing import Rule

from anchor import create_app, embedded, schema
from anchor.sandbox.bank import Bank, application
from anchor.sandbox.network import Sandbox
from tests.world import World, settings_for

ROOT = Path(__file__).parents[1]
#: Sends everybody else away, takes each row out, and has each sequence begin again.
EMPTIED = """
DO $$
DECLARE
    found text;
    is_large boolean;
BEGIN
    PERFORM pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET LOCAL session_replication_role = replica;
    FOR found, is_large IN
        SELECT relname, pg_relation_size(oid) > 500000 FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
        AND relname <> 'alembic_version' AND pg_relation_size(oid) > 0
    LOOP
        EXECUTE
            format(CASE WHEN is_large THEN 'TRUNCATE %I CASCADE' ELSE 'DELETE FROM %I' END, found);
    END LOOP;
    PERFORM setval(sequencename::regclass, 1, false) FROM pg_sequences
    WHERE schemaname = 'public' AND last_value IS NOT NULL;
END $$
"""


@pytest.fixture(scope="session", autouse=True)
def addresses_are_compiled_once() -> Iterator[None]:
    """Each test makes an app with the same addresses, and compiling them is most of its making.

    It is also what CPython 3.11 fails at when another thread prints a traceback meanwhile
    (https://github.com/python/cpython/issues/106905).
    """
    compiled: dict[tuple[object, ...], Any] = {}
    compile_one = Rule._compile_builder

    def once(rule: Rule, append_unknown: bool = True) -> Any:
        defaults = tuple(sorted((rule.defaults or {}).items()))
        key = (rule.rule, tuple(rule._trace), defaults, append_unknown)
        if key not in compiled:
            compiled[key] = compile_one(rule, append_unknown)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def statements_are_compiled_once() -> Iterator[None]:
    """Each test makes an app of its own, and an engine that keeps what it compiled: a sixth."""
    engines: dict[tuple[object, ...], Any] = {}
    make_engine = SQLAlchemy._make_engine

    def once(self: SQLAlchemy, bind_key: str | None, options: dict[str, Any], app: Flask) -> Any:
        url = make_url(options["url"]).render_as_string(hide_password=False)
        key = (url, repr(sorted(options.items(), key=str)))
        if key not in engines:
            engines[key] = make_engine(self, bind_key, options, app)
        return engines[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SQLAlchemy, "_make_engine", once)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with those that may take longest: they wait, and others work meanwhile."""

    def may_take(item: pytest.Item) -> int:
        marker = item.get_closest_marker("timeout")
        return marker.args[0] if marker else 0

    items.sort(key=may_take, reverse=True)


def pytest_collection_finish() -> None:
    """Look no more for garbage among what was imported, nor at each turn among the rest."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True)
def surprises(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Fail a test of conformance in which a door answered 500; one that means it clears this."""
    found: list[str] = []

    def note(_app: Flask, response: Response, **_: Any) -> None:
        if response.status_code == 500:
            found.append(flask_request.path)

    with request_finished.connected_to(note):
        yield found
    if request.node.get_closest_marker("conforms") is not None:
        assert found == []


@pytest.fixture(scope="session")
def servers() -> embedded.Servers:
    """PostgreSQL and Valkey: those that the environment names, or the embedded ones."""
    database, broker = (os.environ.get(f"ANCHOR_TEST_{n}_URL") for n in ("DATABASE", "BROKER"))
    if database and broker:
        return embedded.Servers(ROOT, database, broker)
    mark = hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"anchor-tests-{os.getuid()}-{mark}"
    return embedded.use(folder, durable=False)


def _admin(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def _named(url: str, name: str) -> str:
    return url.rpartition("/")[0] + "/" + name


@pytest.fixture(scope="session")
def template(servers: embedded.Servers) -> Iterator[str]:
    """A migrated database to copy for each test."""
    name = f"template_{uuid4().hex[:12]}"
    with _admin(servers.database_url) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        schema.upgrade(_named(servers.database_url, name))
        yield name
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def _copied(servers: embedded.Servers, template: str) -> Iterator[str]:
    """A database at head, for as long as it is wanted."""
    name = f"test_{uuid4().hex[:12]}"
    with _admin(servers.database_url) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        yield _named(servers.database_url, name)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def shared_database_url(servers: embedded.Servers, template: str) -> Iterator[str]:
    """A database that the tests of one process take turns with: copying one takes longer."""
    with _copied(servers, template) as url:
        yield url


@pytest.fixture
def database_url(shared_database_url: str) -> Iterator[str]:
    """A database at head with nothing in it, and with nobody else there."""
    yield shared_database_url
    with _admin(shared_database_url) as connection:
        connection.execute(EMPTIED)


@pytest.fixture
def fresh_database_url(servers: embedded.Servers, template: str) -> Iterator[str]:
    """A database of the test's own, at head, for a test that changes its tables."""
    with _copied(servers, template) as url:
        yield url


@pytest.fixture(scope="session")
def broker_url(servers: embedded.Servers, worker_id: str) -> str:
    """A broker database of this worker's own."""
    number = int(worker_id.removeprefix("gw")) + 1 if worker_id.startswith("gw") else 0
    return f"{servers.broker_url.rpartition('/')[0]}/{number}"


@pytest.fixture
def bank() -> Bank:
    """The simulated bank's books."""
    return Bank()


@pytest.fixture
def sandbox(bank: Bank) -> Iterator[Sandbox]:
    """A network of the test's own, whose ledgers close as soon as a transaction waits."""
    mounts = {"/bank": application(bank)}
    with Sandbox(close_every_s=1, close_on_submit=True, mounts=mounts) as running:
        yield running


@pytest.fixture
def world(database_url: str, broker_url: str, sandbox: Sandbox, bank: Bank) -> Iterator[World]:
    """An anchor with one asset and one rail on a network of its own."""
    settings = settings_for(sandbox, database_url, broker_url)
    made = World(create_app(settings), settings, sandbox, bank)
    with made.app.app_context():
        yield made
        _dispose(made.app)


@pytest.fixture
def backup(database_url: str) -> Iterator[Any]:
    """Take a copy of the database, and put it back."""
    plain = database_url.replace("+psycopg", "")
    server, _, name = plain.rpartition("/")
    copy = f"{name}_backup"

    from anchor.extensions import db

    @contextmanager
    def quiet() -> Iterator[psycopg.Connection]:
        db.session.remove()
        db.engine.dispose()
        with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            yield admin

    class Backup:
        """A copy of the database."""

        def take(self) -> None:
            """Make it."""
            with quiet() as admin:
                admin.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{name}"')

        def restore(self) -> None:
            """Put it back."""
            with quiet() as admin:
                admin.execute(f'DROP DATABASE "{name}"')
                admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{copy}"')

    yield Backup()
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{copy}"')


@pytest.fixture
def quiet_world(database_url: str, sandbox: Sandbox, bank: Bank) -> Iterator[World]:
    """The same without a broker."""
    settings = replace(settings_for(sandbox, database_url, None), broker_url=None)
    made = World(create_app(settings), settings, sandbox, bank)
    with made.app.app_context():
        yield made
        _dispose(made.app)


def _dispose(app: Flask) -> None:
    from anchor.extensions import db

    db.session.remove()
    db.engine.dispose()


@pytest.fixture
def kyc(database_url: str, sandbox: Sandbox, bank: Bank) -> Iterator[Any]:
    """An anchor that knows its customers (`tests.knowing`)."""
    from tests.knowing import Kyc, knowing

    settings = knowing(settings_for(sandbox, database_url, None))
    made = World(create_app(settings), settings, sandbox, bank)
    with made.app.app_context():
        yield Kyc(made, made.app.test_client())
        _dispose(made.app)


@pytest.fixture
def holder(database_url: str, sandbox: Sandbox, bank: Bank) -> Iterator[Any]:
    """Somebody with a wallet, at an anchor that serves SEP-6 (`tests.transfers`)."""
    from tests.transfers import Wallet, serving

    settings = serving(settings_for(sandbox, database_url, None))
    made = World(create_app(settings), settings, sandbox, bank)
    with made.app.app_context():
        yield Wallet(made)
        _dispose(made.app)


@pytest.fixture
def remitter(database_url: str, sandbox: Sandbox, bank: Bank) -> Iterator[Any]:
    """Another anchor that may send to this one (`tests.sending`)."""
    from stellar_sdk import Keypair

    from tests.sending import Remitter, world_of

    settings = settings_for(sandbox, database_url, None)
    made = world_of(settings, sandbox, bank, Keypair.random())
    with made.app.app_context():
        yield Remitter(made)
        _dispose(made.app)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, headless; its tests are skipped where it is missing."""
    api = pytest.importorskip("playwright.sync_api", reason="the extra [browser] is not installed")
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("chromium is not installed: scripts/test --all --install does that")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture
def pair(database_url: str, fresh_database_url: str, sandbox: Sandbox, bank: Bank) -> Iterator[Any]:
    """Our anchor, and another one that it sends to (`tests.remitting`)."""
    from tests.remitting import paired

    with paired(sandbox, bank, database_url, fresh_database_url) as made:
        yield made
        for each in (made.theirs, made.ours):
            with each.app.app_context():
                _dispose(each.app)
