"""PostgreSQL's fixture where the clone lies in a directory that only root may enter."""

from __future__ import annotations

import contextlib
import inspect
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.servers import postgres
from tests.servers.processes import world_readable

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.server
def test_the_server_starts_from_a_clone_that_only_root_may_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its libraries are copied with it, where it does not run as root; what was fetched keeps its modes."""
    hidden = tmp_path / "root"
    hidden.mkdir(mode=0o700)
    for site in postgres.FETCHED.glob("lib/python*/site-packages"):
        for part in postgres.WHEEL:
            place = hidden / site.relative_to(postgres.FETCHED) / part
            shutil.copytree(site / part, place, symlinks=True, copy_function=os.link)
    monkeypatch.setattr(postgres, "FETCHED", hidden)
    start = contextlib.contextmanager(inspect.unwrap(postgres.postgres_server))
    with start() as server, contextlib.closing(server.connect()) as connection:
        assert connection.execute("SELECT 1 + 1").fetchall() == [(2,)]


def test_a_copy_can_be_read_by_anybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one of what a strict umask left to its owner; only the parts are copied, each to its place."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    tmp_path.chmod(0o700)
    for name in ("server/bin/run", "libs/lib.so", "other/big"):
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        path.chmod(0o700 if name.endswith("run") else 0o600)
    (tmp_path / "site" / "server" / "bin").chmod(0o700)
    (tmp_path / "site" / "server" / "link").symlink_to("bin/run")
    copy = world_readable(tmp_path / "site", tmp_path / "copy", parts=("server", "libs"))
    found = {str(path.relative_to(copy)): path.lstat().st_mode & 0o777 for path in copy.rglob("*")}
    assert {name: oct(mode & 0o055) for name, mode in found.items() if name != "server/link"} == {
        **dict.fromkeys(("server", "server/bin", "server/bin/run", "libs"), "0o55"),
        "libs/lib.so": "0o44",
    }
    assert (copy / "server" / "link").read_text() == "server/bin/run"
