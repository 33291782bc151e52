"""The contract of a loader, as a suite of tests: how large a record may be. A larger one is never held whole."""

from __future__ import annotations

import contextlib
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.errors import BadRowError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.testing.chunks import JOB, RUN, Streams, chunk_of, with_stream
from splitjoin_cli.testing.loading import TABLE, WithLoader, fails

if TYPE_CHECKING:
    from splitjoin_cli.testing.loading import LoaderRig

__all__ = ["LargeRecordContract"]

MIB = 1024 * 1024

WHERE = f"chunk 1 of 9 of {JOB} (run {RUN}) into {TABLE}: "

RECORD = b'2,"%s"\n'

WAYS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "as they are": (b"x", {}),
    "newlines in quotes": (b"x\n", {}),
    "other scripts": ("é".encode(), {}),
    "compressed": (b"x", {"compression": "gzip"}),
    "a stray quote before": (b"x", {"before": b'1,5"\n'}),
    "a line that ends PostgreSQL's data before": (b"x", {"before": b'1,"a\n\\.\n"\n'}),
    "an escape character": (b"x", {"dialect": Dialect(escapechar="\\", line_end="\n")}),
    "another encoding": (b"x", {"dialect": Dialect(encoding="cp1252", line_end="\n")}),
}


class LargeRecordContract(WithLoader):
    """Every loader: a record larger than it may hold is a bad row, and is never held whole."""

    @pytest.mark.parametrize("name", WAYS)
    def test_a_record_may_be_as_large_as_is_said_and_no_larger(self, rig: LoaderRig, name: str) -> None:
        """To the byte, on every engine alike, whichever way the chunk is read; the error says where, and what to do."""
        unit, how = WAYS[name]
        before = how.pop("before", b"1,a\n") if "before" in how else b"1,a\n"
        most = 300_001
        record = RECORD % (unit * ((most - 6) // len(unit))).ljust(most - 5, b"y")
        assert len(record) == most
        with contextlib.closing(rig.loader(max_record_bytes=most)) as loader:
            assert loader.load(chunk_of(before + record + b"3,c\n", number=2, rows=3, **how)).rows == 3
            longer = record.replace(b'2,"', b'2,"z')
            error = fails(BadRowError, loader, chunk_of(before + longer + b"3,c\n", rows=3, **how))
            line = 3 + before.count(b"\n") - 1
            assert error.message == (
                f"{WHERE}record 2, line {line} of the chunk: the record is larger than 300001 bytes,"
                " the most that a loader holds in memory"
            )
            assert error.hint == "allow it with a larger --max-record, if the worker has several times as much memory"
            assert loader.ledger_numbers(JOB, RUN) == [2]

    def test_a_larger_header_is_refused(self, rig: LoaderRig) -> None:
        """It is a record like others."""
        with contextlib.closing(rig.loader(max_record_bytes=20)) as loader:
            error = fails(BadRowError, loader, chunk_of(b"1,a\n", header=b"id,a_name_of_its_own\n"))
            reason = "the record is larger than 20 bytes, the most that a loader holds in memory"
            assert error.message == f"{WHERE}the header: {reason}"

    @pytest.mark.parametrize(
        "unit", [b"x" * 15 + b"y", b"x" * 15 + b"\n", b'""' * 8], ids=["one line", "lines", "quotes"]
    )
    @pytest.mark.parametrize("escapechar", [None, "\\"])
    def test_memory_does_not_grow_with_a_record_that_is_refused(
        self, rig: LoaderRig, unit: bytes, escapechar: str | None
    ) -> None:
        """Of a record of 64 MiB no more is held than a few times what is allowed."""
        block = unit * (MIB // len(unit))
        chunk = chunk_of(b"", rows=None, dialect=Dialect(escapechar=escapechar, line_end="\n"))
        with contextlib.closing(rig.loader(max_record_bytes=2 * MIB)) as loader:
            loader.prepare()
            tracemalloc.start()
            try:
                parts = [b"id,name\n", b'1,a\n2,"', *[block] * 64, b'"\n']
                error = fails(BadRowError, loader, with_stream(chunk, lambda: Streams(parts)))
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
        assert ": record 2, line 3 of the chunk: the record is larger than 2MiB" in error.message
        assert peak < 24 * MIB

    @pytest.mark.parametrize("escapechar", [None, "\\"])
    def test_a_record_larger_than_any_buffer_loads(self, rig: LoaderRig, escapechar: str | None) -> None:
        """20 MiB, which DuckDB refused, and each quote in it twice as long on the way."""
        if rig.kind.long_text:
            rig.query(f"CREATE TABLE {TABLE} (id INTEGER, name {rig.kind.long_text})")
        size = rig.kind.largest_field_bytes
        data = b'1,a\n2,"' + b'x""' * (size // 3) + b'"\n3,c\n'
        with contextlib.closing(rig.loader()) as loader:
            dialect = Dialect(escapechar=escapechar, line_end="\n")
            assert loader.load(chunk_of(data, rows=3, dialect=dialect)).rows == 3
        assert rig.query(f"SELECT LENGTH(name) FROM {TABLE} ORDER BY id")[1][0] == size // 3 * 2
