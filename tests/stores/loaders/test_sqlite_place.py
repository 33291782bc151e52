"""SQLite's file itself in trouble: the chunk's rows are not blamed, and the load can be tried again."""

from __future__ import annotations

import resource
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import BadRowError, LoadError
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.sqlite import SqliteLoader
from splitjoin_cli.testing.chunks import chunk_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 4000
MOST_BYTES = 256 * 1024


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A write beyond it fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_without_room_is_no_bad_row(tmp_path: Path) -> None:
    """A bad row fails for good; this load succeeds once there is room, and leaves nothing until then."""
    loader = SqliteLoader(str(tmp_path / "load.db"), LoadTarget("people", create_table=True))
    chunk = chunk_of(b"".join(b"%d,%s\n" % (number, b"x" * 2000) for number in range(ROWS)))
    with files_of_at_most(MOST_BYTES), pytest.raises(LoadError) as caught:
        loader.load(chunk)
    assert not isinstance(caught.value, BadRowError)
    assert caught.value.reason == f"sqlite:{tmp_path}/load.db: disk I/O error"
    assert caught.value.hint == "look at the disk, its space and its quota, then run the same command again"
    assert loader.load(chunk).rows == ROWS
    loader.close()
    with closing(sqlite3.connect(tmp_path / "load.db")) as database:
        assert database.execute("SELECT COUNT(*) FROM people").fetchone() == (ROWS,)
