"""``status --reconcile --values`` holds no more than it says, however large the table and whatever is wrong in it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.command import COMMAND, Splitjoin

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.soak
ROWS = 250_000
MOST_BYTES = 330 * 1024 * 1024
"""The interpreter, what is imported, and about 200 MiB."""


@pytest.mark.parametrize("damage", ["", "DELETE FROM acme WHERE id % 2 = 0", "UPDATE acme SET name = name || 'x'"])
def test_memory_is_bounded(tmp_path: Path, damage: str) -> None:
    """A table that is right, one that lacks every other row, and one in which every row is changed."""
    splitjoin = Splitjoin(tmp_path)
    with (tmp_path / "acme_20240131.csv").open("w") as file:
        file.write("id,name\n")
        file.writelines(f"{number},{'name ' * 30}{number}\n" for number in range(ROWS))
    with sqlite3.connect(tmp_path / "sales.db") as database:
        database.execute("CREATE TABLE acme (id INTEGER PRIMARY KEY, name TEXT)")
    splitjoin.ok("split", "acme_20240131.csv", "chunks", "--chunks", "4", "--tracker", "sqlite:jobs.db")
    splitjoin.ok("simulate", "chunks", "--tracker", "sqlite:jobs.db", "--into", "sqlite:sales.db")
    with sqlite3.connect(tmp_path / "sales.db") as database:
        database.execute(damage)
    told = ["--tracker", "sqlite:jobs.db", "--reconcile", "--values", "--into", "sqlite:sales.db", "--json"]
    with subprocess.Popen(
        [COMMAND, "status", "acme_20240131", *told], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == (12 if damage else 0)
    assert used.ru_maxrss * 1024 < MOST_BYTES
