"""Models and migrations are one schema, and each migration goes up and down."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from anchor import schema
from anchor.extensions import db
from tests.test_config import GOOD, environ
from tests.world import World

_SHAPE = """
SELECT 'column', table_name, column_name, data_type || coalesce(column_default, '') || is_nullable
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
  AND conrelid::regclass::text <> 'alembic_version'
UNION ALL
SELECT 'index', tablename, indexname, indexdef FROM pg_indexes
WHERE schemaname = 'public' AND tablename <> 'alembic_version'
ORDER BY 1, 2, 3
"""


def _shape(url: str) -> list[Any]:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return connection.execute(_SHAPE).fetchall()


def _wipe(url: str) -> None:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def test_models_and_migrations_agree(fresh_database_url: str) -> None:
    migrated = _shape(fresh_database_url)
    _wipe(fresh_database_url)
    engine = create_engine(fresh_database_url)
    db.metadata.create_all(engine)
    engine.dispose()
    assert migrated == _shape(fresh_database_url)


def test_each_migration_goes_up_and_down(fresh_database_url: str) -> None:
    script = ScriptDirectory.from_config(schema._config(fresh_database_url))
    revisions = [revision.revision for revision in script.walk_revisions()][::-1]
    whole = _shape(fresh_database_url)
    schema.downgrade(fresh_database_url, "base")
    assert _shape(fresh_database_url) == []
    for revision in revisions:
        schema.upgrade(fresh_database_url, revision)
    assert _shape(fresh_database_url) == whole
    assert schema.standing(fresh_database_url) == (revisions[-1], revisions[-1])


def test_flask_migrate_mends_a_database_that_no_other_command_works_on(
    fresh_database_url: str, tmp_path: Path
) -> None:
    text = GOOD + '[rails.bank]\nurl = "http://bank.example"\n'
    env = environ(tmp_path, text, ANCHOR_DATABASE_URL=fresh_database_url) | {"PATH": os.defpath}

    def flask(*words: str) -> "subprocess.CompletedProcess[str]":
        program = str(Path(sys.executable).parent / "flask")
        argv = [program, "--app", "anchor:create_app()", *words]
        return subprocess.run(
            argv, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )

    schema.downgrade(fresh_database_url, "base")
    refused = flask("anchor", "status")
    assert refused.returncode == 1
    assert "run `flask anchor migrate` first" in refused.stderr
    upgraded = flask("db", "upgrade")
    assert upgraded.returncode == 0, upgraded.stderr
    assert flask("anchor", "work").returncode == 0


def test_a_memo_holds_a_full_uint64_and_nothing_more(world: World) -> None:
    row_id = world.withdrawal()
    url = world.settings.database_url.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE memos SET memo = '18446744073709551615'")
        for bad in ("18446744073709551616", "-1", "01", "1.0", ""):
            try:
                connection.execute("UPDATE memos SET memo = %s", (bad,))
            except psycopg.errors.CheckViolation:
                continue
            raise AssertionError(bad)
    assert world.memo(row_id) == "18446744073709551615"


def test_a_memo_is_never_issued_twice(world: World) -> None:
    first, second = world.withdrawal(), world.withdrawal()
    memo = world.memo(first)
    url = world.settings.database_url.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        try:
            connection.execute(
                "UPDATE memos SET memo = %s WHERE transaction_id = %s", (memo, second)
            )
        except psycopg.errors.UniqueViolation:
            return
    raise AssertionError("two transactions have one memo")


@pytest.mark.slow
def test_a_wheel_carries_the_migrations_and_the_pages(tmp_path: Path) -> None:
    """Installed in a folder of its own, and run far from any checkout."""
    checkout, copy, target = Path(__file__).parents[1], tmp_path / "copy", tmp_path / "installed"
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=checkout, capture_output=True, text=True, check=True
    )
    for name in files.stdout.split("\0")[:-1]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(checkout / name, copy / name, follow_symlinks=False)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    built = ["wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(copy)]
    subprocess.run([*pip, *built], check=True)
    [wheel] = tmp_path.glob("*.whl")
    subprocess.run(
        [*pip, "install", "--no-compile", "--no-deps", "--target", str(target), str(wheel)],
        check=True,
    )
    code = (
        "from alembic.script import ScriptDirectory; from anchor import schema;"
        "print(schema.folder()); print(ScriptDirectory(str(schema.folder())).get_current_head())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=True,
    )
    head = ScriptDirectory(str(schema.folder())).get_current_head()
    assert told.stdout.splitlines() == [str(target / "anchor" / "migrations"), head]
    kept = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    pages = {"static/pages.css", "templates/base.html", "sandbox/page/wallet.html"}
    assert {f"anchor/{name}" for name in ("py.typed", *pages)} <= kept
    assert not [name for name in kept if "/migrations/__pycache__" in name]
