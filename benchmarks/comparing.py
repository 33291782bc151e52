"""The comparison of ``status --reconcile --values`` against the bare client that reads the whole table."""

# ruff: noqa: S608 -- the table's name is our own

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import peers
from benchmarks.loading import TABLE, Ours, chunked, in_each
from benchmarks.rates import RateTable, Way, in_turns
from benchmarks.report import filesystem
from benchmarks.values import TYPES
from splitjoin_cli.join.chunk import chunk_to_load
from splitjoin_cli.join.operate.values import compare_values
from splitjoin_cli.stores.chunks.any import Chunks
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.open import open_loader
from splitjoin_cli.stores.loaders.read_back import ReadBackEngine
from splitjoin_cli.stores.loaders.urls import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.loading import Chunked, Engine
    from benchmarks.rates import Group
    from splitjoin_cli.stores.loaders.read_back import RowSink, TableValues

FETCHED_ROWS = 2000
FASTEST = "the driver alone: SELECT * and fetchmany of all rows, as its own values"


def compare(size: int, rounds: int) -> RateTable:
    """All four databases; one whose server is not installed is left out, and said."""
    scratch_in = Path(tempfile.gettempdir())
    with chunked(scratch_in, size) as chunks:

        def compared(name: str, engine: Engine) -> Group:
            engine.types = TYPES[name]
            ours = Ours(engine)
            ours.prepare()
            ours.load(chunks.paths)
            ours.rows()
            return in_turns(name, chunks.rows, rounds, _ways(engine, chunks))

        groups, left_out = in_each(chunks, compared)
        notes = (
            f"{chunks.rows:,} records, {size:,} bytes, {len(chunks.paths)} chunks, loaded into typed columns before.",
            "Ours reads the chunks, too, and the table as texts; nothing differs. Its goal is 0.5 of the bare client.",
            f"Medians of {rounds} interleaved rounds. Chunks and databases lie on {filesystem(scratch_in)}.",
        )
    return RateTable("A loaded table beside its chunks", "database", "row", notes, groups, left_out)


class Counted:
    """How many rows came last."""

    def __init__(self) -> None:
        """None yet."""
        self.rows = 0


def _ways(engine: Engine, chunks: Chunked) -> tuple[Way, Way]:
    counted = Counted()

    def prepare() -> None:
        engine.rows()  # an embedded database is closed by it

    return (
        Way(
            "splitjoin",
            "each row of the chunks and of the table hashed, all values in one spelling",
            peers.OURS.version(),
            prepare,
            lambda: _compare(engine, chunks, counted),
            lambda: counted.rows,
        ),
        Way(
            "bare client",
            FASTEST,
            engine.version,
            prepare,
            lambda: _fetch(engine.cursor, counted),
            lambda: counted.rows,
        ),
    )


def _fetch(opened: Callable[[], Any], counted: Counted) -> None:
    counted.rows = 0
    with opened() as cursor:
        cursor.execute(f"SELECT * FROM {TABLE}")
        while rows := cursor.fetchmany(FETCHED_ROWS):
            counted.rows += len(rows)


class _File:
    """See Side."""

    def __init__(self, chunks: Chunked, table: TableValues) -> None:
        self._chunks, self._table, self.number = chunks, table, 0

    def read(self, sink: RowSink) -> None:
        with closing(Chunks()) as store:
            for number, path in enumerate(self._chunks.paths, start=1):
                self.number = number
                with closing(store.open_chunk(str(path))) as stored:
                    self._table.read_records(chunk_to_load(stored), sink)


class _Table:
    """See Side."""

    number = 0

    def __init__(self, table: TableValues) -> None:
        self._table = table

    def read(self, sink: RowSink) -> None:
        self._table.read_rows(sink)


def _compare(engine: Engine, chunks: Chunked, counted: Counted) -> None:
    loader = open_loader(parse(engine.url), LoadTarget(TABLE), login=engine.password)
    with closing(loader), closing(Chunks()) as store:
        if not isinstance(loader, ReadBackEngine):
            raise TypeError(loader)
        with closing(store.open_chunk(str(chunks.paths[0]))) as stored:
            first = chunk_to_load(stored)
            with loader.read_values(first.file_name, first.run_id) as table:
                table.begin(first)
                found = compare_values(table.rules, [0], _File(chunks, table), _Table(table), converted=table.converted)
    counted.rows = found.table_rows if found.agree else 0
