"""What servers of root leave outside their folder goes once nobody can want it, and not before."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from anchor import embedded, keeping
from anchor.embedded import bases
from tests.waiting import until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers lie elsewhere")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def _claimed(place: Path, folder: Path) -> Path:
    """A base with something in it, claimed by a folder and used by nobody."""
    base = bases.make(place)
    (base / "postgres").mkdir(exist_ok=True)
    (base / "postgres" / "PG_VERSION").write_text("18")
    folder.mkdir(parents=True, exist_ok=True)
    bases.claim(base, folder)
    return base


@pytest.mark.parametrize("name", ["a", "mit Leerraum%20ü", os.fsdecode(b"no text \xff")])
def test_a_base_goes_with_the_folder_that_claimed_it(
    tmp_path: Path, place: Path, name: str
) -> None:
    base = _claimed(place, tmp_path / name)
    assert bases.sweep(place) == []
    (tmp_path / name / "claim").unlink()
    assert bases.sweep(place) == []
    shutil.rmtree(tmp_path / name)
    assert bases.sweep(place) == [base]
    assert list(place.iterdir()) == []
    assert bases.hold(base) is None


def test_a_folder_that_was_moved_keeps_its_base(tmp_path: Path, place: Path) -> None:
    base = _claimed(place, tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert bases.sweep(place) == []
    bases.claim(base, tmp_path / "b")
    assert len(list(base.glob("claim-*"))) == 1
    shutil.rmtree(tmp_path / "b")
    assert bases.sweep(place) == [base]


def test_a_base_that_a_copy_of_its_folder_uses_stays_until_both_are_gone(
    tmp_path: Path, place: Path
) -> None:
    base = _claimed(place, tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    bases.claim(base, tmp_path / "b")
    shutil.rmtree(tmp_path / "b")
    assert bases.sweep(place) == []
    shutil.rmtree(tmp_path / "a")
    assert bases.sweep(place) == [base]


def test_a_folder_that_cannot_be_linked_keeps_its_base_for_ever(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    base = _claimed(place, tmp_path / "a")
    monkeypatch.setattr(os, "link", refuse)
    bases.claim(base, tmp_path / "a")
    shutil.rmtree(tmp_path / "a")
    assert bases.sweep(place) == []


def _unclaimed(base: Path) -> None:
    for each in base.glob("claim-*"):
        each.unlink()


def _other_mode(base: Path) -> None:
    base.chmod(0o755)


def _behind_a_link(base: Path) -> None:
    base.rename(base.with_name("elsewhere"))
    base.symlink_to(base.with_name("elsewhere"))


def _a_linked_claim(base: Path) -> None:
    [claim] = base.glob("claim-*")
    claim.rename(base / "text")
    claim.symlink_to(base / "text")


def _another_name(base: Path) -> None:
    base.rename(base.with_name("somebody-s"))


def _a_readable_claim(base: Path) -> None:
    [claim] = base.glob("claim-*")
    claim.chmod(0o644)


@pytest.mark.parametrize(
    "change",
    [
        _unclaimed,
        _other_mode,
        _behind_a_link,
        _a_linked_claim,
        _another_name,
        _a_readable_claim,
    ],
)
def test_what_may_not_be_ours_is_left_alone(
    tmp_path: Path, place: Path, change: Callable[[Path], None]
) -> None:
    base = _claimed(place, tmp_path / "a")
    shutil.rmtree(tmp_path / "a")
    change(base)
    assert bases.sweep(place) == []
    assert len(list(place.rglob("PG_VERSION"))) == 1


@as_root
def test_what_another_user_made_is_left_alone(tmp_path: Path, place: Path) -> None:
    base = _claimed(place, tmp_path / "a")
    shutil.rmtree(tmp_path / "a")
    os.chown(base, 65534, 65534)
    assert bases.sweep(place) == []


def test_links_in_a_base_are_not_followed(tmp_path: Path, place: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("of somebody")
    base = _claimed(place, tmp_path / "a")
    (base / "link").symlink_to(precious)
    (base / "postgres" / "link").symlink_to(precious)
    shutil.rmtree(tmp_path / "a")
    assert bases.sweep(place) == [base]
    assert (precious / "file").read_text() == "of somebody"


def test_what_somebody_puts_at_the_path_of_a_base_is_not_removed_for_it(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a place without a sticky bit anybody may, between the last look and the removal."""
    precious = tmp_path / "precious"
    (precious / "folder").mkdir(parents=True)
    (precious / "file").write_text("of somebody")
    _claimed(place, tmp_path / "a")
    shutil.rmtree(tmp_path / "a")
    rename = Path.rename

    def be_late(path: Path, target: Path) -> Path:
        rename(path, tmp_path / "aside")
        path.symlink_to(precious)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", be_late)
    assert bases.sweep(place) == []
    assert sorted(each.name for each in precious.iterdir()) == ["file", "folder"]


def test_a_base_that_was_half_removed_is_removed_by_the_next(tmp_path: Path, place: Path) -> None:
    base = _claimed(place, tmp_path / "a")
    shutil.rmtree(tmp_path / "a")
    gone = base.rename(base.with_name(base.name + ".gone"))
    assert bases.hold(base) is None
    assert bases.sweep(place) == [gone]
    assert list(place.iterdir()) == []


_HOLDER = """
import os, subprocess, sys, time
from pathlib import Path
from anchor.embedded import bases
lock = bases.hold(Path(sys.argv[1]))
child = subprocess.Popen(["sleep", "60"], pass_fds=(lock,))
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_base_stays_while_a_server_of_a_killed_keeper_runs(tmp_path: Path, place: Path) -> None:
    base = _claimed(place, tmp_path / "a")
    keeper = subprocess.Popen([sys.executable, "-c", _HOLDER, base], stdout=subprocess.PIPE)
    assert keeper.stdout is not None
    with keeper.stdout:
        server = int(keeper.stdout.readline())
    try:
        shutil.rmtree(tmp_path / "a")
        assert bases.sweep(place) == []
        keeper.kill()
        keeper.wait()
        assert bases.sweep(place) == []
    finally:
        keeper.kill()
        os.kill(server, signal.SIGKILL)
    assert until(lambda: bases.sweep(place) == [base])


_SWEEPER = """
import sys
from pathlib import Path
from anchor.embedded import bases
sys.stdin.readline()
print(len(bases.sweep(Path(sys.argv[1]))))
"""


def test_many_that_sweep_and_start_at_once_do_not_hurt_each_other(
    tmp_path: Path, place: Path
) -> None:
    over = [_claimed(place, tmp_path / f"over{n}") for n in range(30)]
    kept = [_claimed(place, tmp_path / f"kept{n}") for n in range(10)]
    for n in range(30):
        shutil.rmtree(tmp_path / f"over{n}")
    sweepers = [
        subprocess.Popen(
            [sys.executable, "-c", _SWEEPER, place],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    for each in sweepers:
        assert each.stdin is not None
        each.stdin.write(b"\n")
        each.stdin.flush()
    begun = [_claimed(place, tmp_path / f"new{n}") for n in range(30)]  # while they sweep
    swept = sum(int(each.communicate(timeout=60)[0]) for each in sweepers)
    assert swept == len(over)
    assert sorted(place.iterdir()) == sorted([*kept, *begun])
    assert all((base / "postgres" / "PG_VERSION").exists() for base in [*kept, *begun])


# -- real servers ---------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    """A place for folders with servers; they end with the test, and leave nothing."""
    yield tmp_path
    bases_of = [_base(each.parent) for each in tmp_path.glob("*/servers/state.json")]
    for each in tmp_path.glob("*/servers"):
        _leave(each)
    for each in tmp_path.iterdir():
        shutil.rmtree(each)
    for base in bases_of:
        bases.sweep(base.parent)
        assert not base.exists()


def _base(servers: Path) -> Path:
    return Path(json.loads((servers / "state.json").read_text())["base"])


def _leave(servers: Path) -> None:
    keeping.let_go(servers)
    keeping.wait_for_end(servers, 30)


def _write(servers: embedded.Servers) -> None:
    with psycopg.connect(servers.database_url.replace("+psycopg", ""), autocommit=True) as made:
        made.execute("CREATE TABLE IF NOT EXISTS kept (word text)")


def _tables(servers: embedded.Servers) -> int:
    with psycopg.connect(servers.database_url.replace("+psycopg", "")) as asked:
        found = asked.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'kept'").fetchone()
    return int(found[0]) if found else 0


@as_root
def test_whoever_starts_servers_removes_what_a_deleted_anchor_left(folders: Path) -> None:
    embedded.use(folders / "a" / "servers", durable=False)
    left = _base(folders / "a" / "servers")
    _leave(folders / "a" / "servers")
    shutil.rmtree(folders / "a")
    assert left.exists()
    embedded.use(folders / "b" / "servers", durable=False)
    assert until(lambda: not left.exists())
    assert _base(folders / "b" / "servers").exists()


@as_root
def test_an_anchor_that_was_moved_has_its_data_after_another_started(folders: Path) -> None:
    _write(embedded.use(folders / "a" / "servers", durable=False))
    _leave(folders / "a" / "servers")
    (folders / "a").rename(folders / "moved")
    embedded.use(folders / "b" / "servers", durable=False)
    time.sleep(1)  # it sweeps after it is ready
    assert _tables(embedded.use(folders / "moved" / "servers", durable=False)) == 1


@as_root
def test_servers_whose_folder_was_deleted_under_them_end_and_are_tidied_up(folders: Path) -> None:
    embedded.use(folders / "a" / "servers", durable=False)
    left = _base(folders / "a" / "servers")
    shutil.rmtree(folders / "a")
    keeping.let_go(folders / "a" / "servers")
    lock = bases.hold(left)  # once the last server has ended
    assert lock is not None
    os.close(lock)
    embedded.use(folders / "b" / "servers", durable=False)
    assert until(lambda: not left.exists())


@as_root
def test_a_keeper_that_was_killed_is_followed_by_one_with_the_same_data(folders: Path) -> None:
    servers = folders / "a" / "servers"
    _write(embedded.use(servers, durable=False))
    base = _base(servers)
    [keeper] = [
        int(each.name)
        for each in Path("/proc").iterdir()
        if each.name.isdigit() and f"{servers}".encode() in _command(each)
    ]
    os.kill(keeper, signal.SIGKILL)
    keeping.let_go(servers)
    keeping.wait_for_end(servers, 30)
    assert _tables(embedded.use(servers, durable=False)) == 1
    assert _base(servers) == base


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
