"""What only DuckDB does beside loading."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.duckdb import DuckdbLoader

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LONG = "SELECT sum(a.range * b.range) FROM range(20000) a, range(5000) b"


def test_a_long_statement_draws_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its progress bar goes to stdout, where a command's one JSON document is."""
    loader = DuckdbLoader(str(tmp_path / "load.duckdb"), LoadTarget("acme", create_table=True))
    with contextlib.closing(loader), loader._session() as session:
        session.run("SET progress_bar_time = 1")
        session.run(LONG)
    assert capfd.readouterr().out == ""
