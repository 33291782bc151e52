"""What a DuckDB file makes of the installed command: it ends quietly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.command import Splitjoin

STATUS = ("status", "acme_1", "--tracker", "sqlite:jobs.db", "--reconcile", "--into", "duckdb:load.duckdb")


@pytest.fixture
def loaded(splitjoin: Splitjoin) -> Splitjoin:
    """The command, after ten rows in two chunks were loaded into ``load.duckdb``."""
    (splitjoin.directory / "acme.csv").write_text("id,name\n" + "".join(f"{number},Ann\n" for number in range(10)))
    splitjoin.ok("split", "acme.csv", "chunks", "--date", "1", "--rows", "5")
    ran = splitjoin.ok("simulate", "chunks", "--into", "duckdb:load.duckdb", "--tracker", "sqlite:jobs.db", "--quiet")
    assert ran.stderr == ""
    return splitjoin


def test_the_end_is_quiet(loaded: Splitjoin) -> None:
    """DuckDB's binding tells what Python did not tidy up before it ended: there is nothing of it."""
    ran = loaded.ok(*STATUS)
    assert ran.stderr == ""
    assert ran.stdout.endswith("10 rows, in acme of duckdb:load.duckdb: as the tracker has it\n")
