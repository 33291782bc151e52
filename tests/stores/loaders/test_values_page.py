"""docs/values.md says what databases do: a telling part of it, run again. All of it: tests/soak/test_values.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from tests.stores.loaders import rigs
from tools.values.__main__ import row_of
from tools.values.cases import CASES, SETUP
from tools.values.runs import outcomes

if TYPE_CHECKING:
    from splitjoin_cli.testing.loading import LoaderRig

rig = rigs.rig
PAGE = Path(__file__).resolve().parents[3] / "docs" / "values.md"
TELLING = {
    "SQLite": ("INTEGER", "STRING"),
    "DuckDB": ("INTEGER",),
    "MariaDB": ("INT", "DATE", "YEAR", "ENUM('x', 'y')"),
    "PostgreSQL": ("numeric(10,2)", "date"),
}

PARAMETERS = [
    ("sqlite", "SQLite"),
    ("duckdb", "DuckDB"),
    pytest.param("mysql", "MariaDB", marks=pytest.mark.server),
    pytest.param("postgresql", "PostgreSQL", marks=pytest.mark.server),
]


def on_page(name: str) -> list[str]:
    """The lines of a database's table."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {name} ")[2].partition("\nWhat must be the same")[0]
    return [line for line in section.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize(("rig", "name"), PARAMETERS, indirect=["rig"])
def test_the_page_is_what_a_database_does(rig: LoaderRig, name: str) -> None:
    """By default and exactly, to the letter."""
    made = cast("rigs.Rig", rig)
    for statement in SETUP.get(name, ()):
        made.query(statement)
    page = on_page(name)
    for kind in TELLING[name]:
        for row in outcomes(name, made, kind, CASES[name][kind]):
            assert row_of(row) in page
            assert not row.is_alarm


def test_every_value_is_on_the_page() -> None:
    """As many as there are, database by database."""
    assert {name: len(on_page(name)) for name in CASES} == {
        name: sum(map(len, kinds.values())) for name, kinds in CASES.items()
    }
