"""The group ``values``: what ``--exact-values`` costs beside the plain load of the same chunks into typed columns."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import peers
from benchmarks.loading import Engine, Ours, chunked, in_each
from benchmarks.rates import WHOSE, RateTable, Way, in_turns, with_servers
from benchmarks.report import filesystem

if TYPE_CHECKING:
    from benchmarks.loading import Chunked
    from benchmarks.rates import Group

TYPES = {
    "MariaDB": ("BIGINT", "VARCHAR(20)", "DATE", "DECIMAL(12,2)", "CHAR(3)", "TEXT", "VARCHAR(40)"),
    "PostgreSQL": ("BIGINT", "VARCHAR(20)", "DATE", "NUMERIC(12,2)", "CHAR(3)", "TEXT", "VARCHAR(40)"),
    "DuckDB": ("BIGINT", "VARCHAR", "DATE", "DECIMAL(12,2)", "VARCHAR", "VARCHAR", "VARCHAR"),
    "SQLite": ("INTEGER", "TEXT", "DATE", "DECIMAL(12,2)", "TEXT", "TEXT", "TEXT"),
}
"""Of the columns, by database: a number, a date, an amount, and texts."""


def compare(size: int, rounds: int) -> RateTable:
    """All four databases; one whose server is not installed is left out, and said."""
    scratch_in = Path(tempfile.gettempdir())
    with chunked(scratch_in, size) as chunks:

        def compared(name: str, engine: Engine) -> Group:
            engine.types = TYPES[name]
            return in_turns(name, chunks.rows, rounds, _ways(engine, chunks), with_servers)

        groups, left_out = in_each(chunks, compared)
        notes = (
            f"{chunks.rows:,} records, {size:,} bytes, {len(chunks.paths)} chunks, one at a time, into typed columns.",
            f"Medians of {rounds} interleaved rounds. The servers run here, set up for tests: they wait for no disk.",
            f"Chunks and databases lie on {filesystem(scratch_in)}. No value is changed by its column.",
        )
    return RateTable("Exact values against the plain load", "database", "row", notes, groups, left_out, WHOSE)


def _ways(engine: Engine, chunks: Chunked) -> tuple[Way, Way]:
    ways = []
    for name, what in (
        ("plain", "the database's own conversions"),
        ("exact", "--exact-values: each value is compared"),
    ):
        ours = Ours(engine, exact_values=name == "exact")
        ways.append(Way(name, what, peers.OURS.version(), ours.prepare, partial(ours.load, chunks.paths), ours.rows))
    return ways[0], ways[1]
