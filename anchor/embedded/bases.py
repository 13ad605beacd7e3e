"""Where the servers of root lie: a folder outside the one that it belongs to, while that is there.

As root the servers' programs and data lie in a *base* under ``/var/tmp``, since an unprivileged
user has to read them. It outlives a folder that is simply deleted, so whoever starts a keeper
removes the bases that nobody uses or can want any more.

Each folder that uses a base has a *claim* in it: another name of a file of its own, a hard link,
which holds the folder's path. While the folder is there, wherever it was moved, the file has two
names; once it was deleted, the one in the base is the last. The base itself is locked while a
server or its keeper runs, however that ends.
"""

import fcntl
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import quote, unquote_to_bytes

from anchor.errors import Unavailable
from anchor.keeping import write_private

_PREFIX, _MODE = "anchor-", 0o711
_CLAIM = "claim"
#: The claim of a folder on another file system, where no link can be made: it holds for ever.
_FOR_EVER = f"{_CLAIM}-unlinked"
#: A base is called so from the moment it is given up, so that nobody finds half of one.
_GONE = ".gone"
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_TICK_S = 0.02


def make(place: Path) -> Path:
    """Make a base in `place`; it stays until a claim was made in it and has ended."""
    base = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    base.chmod(_MODE)
    return base


def hold(base: Path, timeout_s: float = 30) -> int | None:
    """Lock a base and return the lock's descriptor; None where there is no such base any more.

    It is held by each process that has the descriptor. Raises `Unavailable` where others have
    it for `timeout_s`: servers that are ending take a moment.
    """
    try:
        descriptor = os.open(base, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    deadline = monotonic() + timeout_s
    while not _is_locked_by_us(descriptor):
        if monotonic() > deadline:
            os.close(descriptor)
            raise Unavailable(f"the servers in {base} are in use by another folder")
        sleep(_TICK_S)
    if not base.exists() or not os.path.samestat(base.stat(), os.fstat(descriptor)):
        os.close(descriptor)  # it was given up while we waited
        return None
    return descriptor


def claim(base: Path, folder: Path) -> None:
    """Say in a base that it belongs to `folder`, in place of what that said before.

    There is no moment without a claim: the new one is made before the old one ends.
    """
    kept, new = folder / _CLAIM, folder / f"{_CLAIM}.new"
    before = kept.stat() if kept.exists() else None
    write_private(new, quote(os.fsencode(folder)))  # a path need not be text
    try:
        os.link(new, base / f"{_CLAIM}-{secrets.token_hex(8)}")
    except OSError:
        (base / _FOR_EVER).touch(0o600)
    new.replace(kept)
    for each in base.glob(f"{_CLAIM}-*"):
        if before is not None and os.path.samestat(each.stat(), before):
            each.unlink()


def sweep(place: Path) -> list[Path]:
    """Remove the bases in `place` that nobody uses and no folder claims; return which.

    Nothing else is touched: no link is followed, and a base is a folder of ours alone, with our
    mode, and with claims. Any number of processes may sweep at once. What cannot be removed is
    left for the next one.
    """
    return [path for path in sorted(place.glob(f"{_PREFIX}*")) if _removes(path)]


def _removes(path: Path) -> bool:
    try:
        descriptor = os.open(path, _LOOK | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        if not (_is_ours(descriptor) and _is_locked_by_us(descriptor) and _is_over(descriptor)):
            return False
        if not os.path.samestat(path.lstat(), os.fstat(descriptor)):
            return False
        _remove(path, descriptor)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _is_ours(descriptor: int) -> bool:
    found = os.fstat(descriptor)
    return found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == _MODE


def _is_locked_by_us(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_over(base: int) -> bool:
    """Tell whether a base was claimed, and all its claims have ended."""
    lasting = list(_claims(base))
    return bool(lasting) and not any(lasting)


def _claims(base: int) -> Iterator[bool]:
    """Yield for each claim in a base whether it lasts; one that is not as we make them does."""
    for name in os.listdir(base):
        if name.startswith(f"{_CLAIM}-"):
            descriptor = os.open(name, _LOOK, dir_fd=base)
            try:
                yield name == _FOR_EVER or _lasts(descriptor)
            finally:
                os.close(descriptor)


def _lasts(descriptor: int) -> bool:
    found = os.fstat(descriptor)
    is_a_claim = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
    if not is_a_claim or stat.S_IMODE(found.st_mode) != 0o600 or found.st_nlink != 1:
        return True
    folder = unquote_to_bytes(os.read(descriptor, 65_536))
    return not folder.startswith(b"/") or os.path.lexists(folder)


def _remove(path: Path, base: int) -> None:
    """Remove a base, its claims last: what is left by a crash is still known as a base.

    What is in it goes by its descriptor: whatever stands at its path by now, it is nothing else.
    """
    gone = path if path.name.endswith(_GONE) else path.with_name(path.name + _GONE)
    path.rename(gone)
    for name in sorted(os.listdir(base), key=lambda name: name.startswith(f"{_CLAIM}-")):
        if stat.S_ISDIR(os.stat(name, dir_fd=base, follow_symlinks=False).st_mode):
            shutil.rmtree(name, dir_fd=base)
        else:
            os.unlink(name, dir_fd=base)
    gone.rmdir()
