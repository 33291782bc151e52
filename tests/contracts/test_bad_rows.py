"""What every loader says of a chunk that it can never load, and what only one kind of database has to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import BadRowError
from splitjoin_cli.testing.chunks import JOB, RUN, chunk_of
from splitjoin_cli.testing.loader_bad_rows import WHERE, BadRowContract, StrictBadRowContract
from splitjoin_cli.testing.loading import WithLoader, fails
from tests.stores.loaders import rigs
from tests.stores.loaders.rigs import KINDS, STRICT

if TYPE_CHECKING:
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.testing.loading import LoaderRig

rig = rigs.rig


class TestBadRows(BadRowContract):
    pass


@STRICT
class TestStrictBadRows(StrictBadRowContract):
    pass


NUL = ("na\0me", r"na\x00me", "it holds a NUL byte")
NAMES: dict[str, list[tuple[str, str, str]]] = {
    "sqlite": [NUL],
    "duckdb": [NUL],
    "mysql": [
        NUL,
        ("n" * 65, "n" * 65, "it is longer than 64 characters"),
        ("name ", "name ", "it ends with white space"),
        ("😀", "😀", "it holds a character beyond U+FFFF"),
    ],
    "postgresql": [
        NUL,
        ("é" * 32, "é" * 32, "it is longer than 63 bytes, and would be cut"),
        ("ctid", "ctid", "a column of the system has this name"),
        ("xmax", "xmax", "a column of the system has this name"),
    ],
}
PRODUCTS = {"sqlite": "SQLite", "duckdb": "DuckDB", "mysql": "MySQL", "postgresql": "PostgreSQL"}
MOST = {"sqlite": 2000, "mysql": 1017, "postgresql": 1600}


class TestOneKind(WithLoader):
    def test_a_name_that_no_column_has_fails_for_good(
        self, rig: LoaderRig, loader: Loader, request: pytest.FixtureRequest
    ) -> None:
        """Trying again does not help: it is a bad row, which says the column, why, and what to do."""
        kind = request.node.callspec.params["rig"]
        for name, spelled, why in NAMES[kind]:
            error = fails(BadRowError, loader, chunk_of(b"1,a\n", header=f"id,{name}\n".encode()))
            assert error.message == (
                f"{WHERE}column 2 of the header, '{spelled}', cannot be a column in {PRODUCTS[kind]}: {why}"
            )
            assert error.hint == "rename the column in the source, and split it again"
        assert loader.ledger_numbers(JOB, RUN) == []
        assert rig.query("SELECT COUNT(*) FROM splitjoin_ledger") == [(0,)]

    @pytest.mark.parametrize("rig", [kind for kind in KINDS if kind != "duckdb"], indirect=True)
    def test_more_columns_than_a_table_can_have_fail_for_good(
        self, loader: Loader, request: pytest.FixtureRequest
    ) -> None:
        """One more than the most; the run column would be one, too."""
        kind = request.node.callspec.params["rig"]
        header = ",".join(f"c{place}" for place in range(MOST[kind] + 1)).encode() + b"\n"
        error = fails(BadRowError, loader, chunk_of(b"", header=header))
        assert error.message == (
            f"{WHERE}the header makes a table of {MOST[kind] + 1:,} columns,"
            f" and {PRODUCTS[kind]} has at most {MOST[kind]:,}"
        )
        assert error.hint == "export fewer columns, or load the chunks into another kind of database"

    @pytest.mark.parametrize("rig", ["mysql"], indirect=True)
    def test_a_row_wider_than_a_page_fails_for_good(self, loader: Loader) -> None:
        """InnoDB refuses text columns long before their number does."""
        header = ",".join(f"c{place}" for place in range(1000)).encode() + b"\n"
        error = fails(BadRowError, loader, chunk_of(b"", header=header))
        assert "its header makes no table: mysql://" in error.message
        assert "Row size too large" in error.message
        assert error.hint == "make the table yourself, with types that fit its columns, or export fewer columns"

    @pytest.mark.parametrize("rig", ["postgresql"], indirect=True)
    def test_a_row_that_no_page_holds_fails_for_good(self, loader: Loader) -> None:
        """PostgreSQL finds that when the row comes."""
        header = ",".join(f"c{place}" for place in range(1500)).encode() + b"\n"
        error = fails(BadRowError, loader, chunk_of(b",".join([b'"%s"' % (b"x" * 30)] * 1500) + b"\n", header=header))
        assert (
            error.reason.startswith("record 1, line 2 of the chunk: row is too big") or "row is too big" in error.reason
        )

    @pytest.mark.parametrize("rig", ["postgresql"], indirect=True)
    def test_a_nul_that_postgresql_cannot_store_is_said_plainly(self, loader: Loader) -> None:
        """Not as if the file's encoding were wrong."""
        error = fails(BadRowError, loader, chunk_of(b'1,"a\nb"\n2,c\x00\n', rows=None))
        assert error.message == (
            f"{WHERE}record 2, line 4 of the chunk: the record holds a NUL byte,"
            " which PostgreSQL does not store in text"
        )
