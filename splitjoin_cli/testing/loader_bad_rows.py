"""The contract of a loader, as suites of tests: what it says of a chunk that it can never load."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.errors import BadRowError, LoadError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.testing.chunks import JOB, RUN, chunk_of
from splitjoin_cli.testing.loading import TABLE, WithLoader, fails

if TYPE_CHECKING:
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.testing.loading import LoaderRig

__all__ = ["BadRowContract", "StrictBadRowContract"]

WHERE = f"chunk 1 of 9 of {JOB} (run {RUN}) into {TABLE}: "

ESCAPES = Dialect(escapechar="\\", line_end="\n")

NOT_QUOTED = Dialect(quotechar=None, line_end="\n")

PLACES: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "plain": (b"1,a\n2\n", {}, "record 2, line 3"),
    "behind quoted newlines": (b'1,"a\nb"\n2,"c\n\nd"\n3\n4,e\n', {}, "record 3, line 7"),
    "behind newlines in the first record alone": (b'1,"a\nb\nc"\n2\n', {}, "record 2, line 5"),
    "the first record, of several lines": (b'"1\n2\n3"\n2,a\n', {}, "record 1, line 2"),
    "CR LF": (b'1,"a\r\nb"\r\n2,c\r\n3\r\n4,d\r\n', {}, "record 3, line 5"),
    "CR LF ends and LF in quotes": (b'1,"a\nb"\r\n2,"c\nd"\r\n3\r\n', {}, "record 3, line 6"),
    "a carriage return in quotes": (b'1,"a\rb\rc"\n2,"\r"\n3\n', {}, "record 3, line 4"),
    "a header of several lines": (b"1,a\n2\n", {"header": b'id,"na\nme"\n'}, "record 2, line 4"),
    "no header": (b'1,"a\nb"\n2\n', {"header": None}, "record 2, line 3"),
    "a byte order mark": (b'\xef\xbb\xbf"1\n",b\n2\n', {"header": None}, "record 2, line 3"),
    "stray quotes": (b'1,5" pipe\n2,"a\nb"\n3\n', {}, "record 3, line 5"),
    "a line that ends PostgreSQL's data": (b'1,"a\n\\.\n"\n2\n', {}, "record 2, line 5"),
    "an escape character": (b'1,"a\\"\n"\n2,b\\\n\n3\n', {"dialect": ESCAPES}, "record 3, line 6"),
    "no quotes": (b'1,"a\n2,b\n3\n', {"dialect": NOT_QUOTED}, "record 3, line 4"),
    "the last one, without a line end": (b'1,"a\nb"\n2', {}, "record 2, line 4"),
    "compressed": (b'1,"a\nb"\n2\n', {"compression": "gzip"}, "record 2, line 4"),
    "other encodings": (b'1,"\xfc\n"\n2\n', {"dialect": Dialect(encoding="cp1252", line_end="\n")}, "record 2, line 4"),
}


class BadRowContract(WithLoader):
    """Every loader: what it says of a chunk that it can never load, where that is, and little of the data."""

    @pytest.mark.parametrize("name", PLACES)
    def test_a_bad_row_is_named_by_its_record_and_its_line(self, loader: Loader, name: str) -> None:
        """The line is the one that an editor shows in the chunk, whatever the database counts."""
        data, how, place = PLACES[name]
        loader.load(chunk_of(b"1,a\n", number=2, **{**how, "compression": None}))
        error = fails(BadRowError, loader, chunk_of(data, rows=None, **how))
        assert error.message.startswith(f"{WHERE}{place} of the chunk: ")

    def test_little_of_a_long_record_is_shown_and_the_reason_stands(self, rig: LoaderRig, loader: Loader) -> None:
        """200 bytes of it at most; what a tracker keeps of the message begins with the reason."""
        rig.query(f"CREATE TABLE {TABLE} (id INTEGER, name VARCHAR(30))")
        for data, reason in ((b"1," + b"y" * 10_000 + b",z\n", ""), (b"y" * 10_000 + b",z\n", "int")):
            if reason and not rig.kind.strict_types:
                return
            error = fails(BadRowError, loader, chunk_of(data, rows=None))
            assert error.message.count("y") < 200
            assert len(error.message.encode()) < 500
            assert error.reason_first == f"{error.reason} ({WHERE.removesuffix(': ')})"
            assert error.reason.startswith("record 1, line 2 of the chunk: ")
            assert reason in error.reason.lower()

    @pytest.mark.parametrize("stray", [b"", b'0,6"\n'])
    def test_bytes_of_another_encoding_are_named(self, loader: Loader, stray: bytes) -> None:
        """The byte, its line, and the option that says the encoding, whoever finds it."""
        loader.prepare()
        data = stray + b'1,"a\nb"\n2,"\nZo\xeb"\n3,c\n'
        error = fails(BadRowError, loader, chunk_of(data, rows=None))
        record = 3 if stray else 2
        assert error.message == f"{WHERE}record {record}, line {record + 3} of the chunk: byte 0xeb is not valid UTF-8"
        assert error.hint == "if the file has another encoding, split it again with --encoding NAME; else repair it"

    def test_a_header_of_another_encoding_makes_no_column(self, loader: Loader) -> None:
        """A name with a replacement character is nobody's."""
        error = fails(BadRowError, loader, chunk_of(b"1,a\n", header=b'id,"na\nm\xe9"\n'))
        assert error.message == f"{WHERE}the header, line 2 of the chunk: byte 0xe9 is not valid UTF-8"

    def test_the_columns_that_are_missing_are_not_all_listed(self, rig: LoaderRig, loader: Loader) -> None:
        """A header of thousands is not a message."""
        rig.query(f"CREATE TABLE {TABLE} (id INTEGER)")
        header = ",".join(f"column number {place}" for place in range(500)).encode() + b"\n"
        error = fails(BadRowError, loader, chunk_of(b"", header=header))
        assert "table people has no column 'column number 0', 'column number 1', " in error.message
        assert error.message.endswith("'column number 499' (500 columns in all), which the header names")
        assert len(error.message) < 500

    def test_a_view_is_refused(self, rig: LoaderRig, loader: Loader) -> None:
        """On every engine alike, with a next step that can work."""
        rig.query("CREATE TABLE behind (id INTEGER, name VARCHAR(9))")
        rig.query(f"CREATE VIEW {TABLE} AS SELECT * FROM behind")
        error = fails(LoadError, loader, chunk_of(b"1,Ann\n"))
        assert error.message == (
            f"{WHERE}people is a view, and chunks are loaded into tables alone: a failed load might leave rows there"
        )
        assert error.hint == "name a table of the database itself with --table"

    def test_a_chunk_that_cannot_be_read_again_still_says_why(self, loader: Loader) -> None:
        """The place is looked for by another pass; without one there is the reason at least."""
        chunk = chunk_of(b"1,a\n2\n", rows=None)
        loader.load(chunk_of(b"1,a\n", number=2))
        passes = 0

        def open_twice() -> object:
            nonlocal passes
            passes += 1
            if passes > 2:
                raise LoadError("gone")
            return chunk.open()

        error = fails(BadRowError, loader, replace(chunk, open=open_twice))  # type: ignore[arg-type]
        assert error.message.startswith(WHERE)
        assert "of the chunk" not in error.message


class StrictBadRowContract(WithLoader):
    """The same where types are strict (SQLite's are not)."""

    @pytest.mark.parametrize("block", [1, 300, 30_000])
    def test_a_bad_value_is_named_far_behind_quoted_newlines(self, rig: LoaderRig, loader: Loader, block: int) -> None:
        """Also where the database reads in blocks."""
        rig.query(f"CREATE TABLE {TABLE} (id INTEGER, name VARCHAR(30))")
        data = b"".join(b'%d,"two\nlines"\n' % number for number in range(block)) + b'x,"\n"\n1,b\n'
        error = fails(BadRowError, loader, chunk_of(data, rows=None))
        assert error.message.startswith(f"{WHERE}record {block + 1}, line {2 * block + 2} of the chunk: ")
        assert "id" in error.reason

    def test_what_a_terminal_would_obey_is_escaped(self, rig: LoaderRig, loader: Loader) -> None:
        """A value may be anything."""
        rig.query(f"CREATE TABLE {TABLE} (id INTEGER, name VARCHAR(30))")
        error = fails(BadRowError, loader, chunk_of("\x1b[31m\x9b\u202eé,z\n".encode(), rows=None))
        assert not [char for char in error.message if not char.isprintable()]
        assert "[31m" in error.message
