"""A keeper that cannot start says why at once."""

import fcntl
import os
import threading
from pathlib import Path
from time import monotonic

import pytest

from anchor import keeping
from anchor.errors import Unavailable


def test_a_keeper_that_dies_before_it_is_ready_is_told_with_its_last_words(tmp_path: Path) -> None:
    began = monotonic()
    with pytest.raises(Unavailable, match=r"did not start: .*no_such_keeper"):
        keeping.use(tmp_path, "no_such_keeper", timeout_s=30)
    keeping.let_go(tmp_path)
    assert monotonic() - began < 20


def test_a_keeper_that_lets_its_lock_go_late_is_followed_by_a_new_one(tmp_path: Path) -> None:
    late = os.open(tmp_path / "keeper.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(late, fcntl.LOCK_EX)
    threading.Timer(0.3, os.close, (late,)).start()
    with pytest.raises(Unavailable, match=r"did not start: .*no_such_keeper"):
        keeping.use(tmp_path, "no_such_keeper", timeout_s=30)
    keeping.let_go(tmp_path)
