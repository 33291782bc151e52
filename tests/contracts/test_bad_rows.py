"""What every loader says of a chunk that it can never load: what is wrong, where that is, and little of the data."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.errors import BadRowError, LoadError
from splitjoin_cli.core.model import Dialect
from tests.contracts import test_loaders
from tests.contracts.test_loaders import KINDS, TABLE, SqliteRig, fails
from tests.stores.loaders.chunks import JOB, RUN, chunk_of

if TYPE_CHECKING:
    from splitjoin_cli.stores.loaders.base import Loader
    from tests.contracts.test_loaders import Rig

rig = test_loaders.rig
loader = test_loaders.loader

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


@pytest.mark.parametrize("name", PLACES)
def test_a_bad_row_is_named_by_its_record_and_its_line(loader: Loader, name: str) -> None:
    """The line is the one that an editor shows in the chunk, whatever the database counts."""
    data, how, place = PLACES[name]
    loader.load(chunk_of(b"1,a\n", number=2, **{**how, "compression": None}))
    error = fails(BadRowError, loader, chunk_of(data, rows=None, **how))
    assert error.message.startswith(f"{WHERE}{place} of the chunk: ")


@pytest.mark.parametrize("rig", KINDS[1:], indirect=True)
@pytest.mark.parametrize("block", [1, 300, 30_000])
def test_a_bad_value_is_named_far_behind_quoted_newlines(rig: Rig, loader: Loader, block: int) -> None:
    """Also where the database reads in blocks."""
    rig.query(f"CREATE TABLE {TABLE} (id INTEGER, name VARCHAR(30))")
    data = b"".join(b'%d,"two\nlines"\n' % number for number in range(block)) + b'x,"\n"\n1,b\n'
    error = fails(BadRowError, loader, chunk_of(data, rows=None))
    assert error.message.startswith(f"{WHERE}record {block + 1}, line {2 * block + 2} of the chunk: ")
    assert "id" in error.reason


def test_little_of_a_long_record_is_shown_and_the_reason_stands(rig: Rig, loader: Loader) -> None:
    """200 bytes of it at most; what a tracker keeps of the message begins with the reason."""
    rig.query(f"CREATE TABLE {TABLE} (id INTEGER, name VARCHAR(30))")
    for data, reason in ((b"1," + b"y" * 10_000 + b",z\n", ""), (b"y" * 10_000 + b",z\n", "int")):
        if type(rig) is SqliteRig and reason:
            return  # it has no strict types
        error = fails(BadRowError, loader, chunk_of(data, rows=None))
        assert error.message.count("y") < 200
        assert len(error.message.encode()) < 500
        assert error.reason_first == f"{error.reason} ({WHERE.removesuffix(': ')})"
        assert error.reason.startswith("record 1, line 2 of the chunk: ")
        assert reason in error.reason.lower()


@pytest.mark.parametrize("rig", KINDS[1:], indirect=True)
def test_what_a_terminal_would_obey_is_escaped(rig: Rig, loader: Loader) -> None:
    """A value may be anything."""
    rig.query(f"CREATE TABLE {TABLE} (id INTEGER, name VARCHAR(30))")
    error = fails(BadRowError, loader, chunk_of("\x1b[31m\x9b\u202eé,z\n".encode(), rows=None))
    assert not [char for char in error.message if not char.isprintable()]
    assert "[31m" in error.message


@pytest.mark.parametrize("stray", [b"", b'0,6"\n'])
def test_bytes_of_another_encoding_are_named(loader: Loader, stray: bytes) -> None:
    """The byte, its line, and the option that says the encoding, whoever finds it."""
    loader.prepare()
    data = stray + b'1,"a\nb"\n2,"\nZo\xeb"\n3,c\n'
    error = fails(BadRowError, loader, chunk_of(data, rows=None))
    record = 3 if stray else 2
    assert error.message == f"{WHERE}record {record}, line {record + 3} of the chunk: byte 0xeb is not valid UTF-8"
    assert error.hint == "if the file has another encoding, split it again with --encoding NAME; else repair it"


def test_a_header_of_another_encoding_makes_no_column(loader: Loader) -> None:
    """A name with a replacement character is nobody's."""
    error = fails(BadRowError, loader, chunk_of(b"1,a\n", header=b'id,"na\nm\xe9"\n'))
    assert error.message == f"{WHERE}the header, line 2 of the chunk: byte 0xe9 is not valid UTF-8"


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


def test_a_name_that_no_column_has_fails_for_good(rig: Rig, loader: Loader, request: pytest.FixtureRequest) -> None:
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
def test_more_columns_than_a_table_can_have_fail_for_good(loader: Loader, request: pytest.FixtureRequest) -> None:
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
def test_a_row_wider_than_a_page_fails_for_good(loader: Loader) -> None:
    """InnoDB refuses text columns long before their number does."""
    header = ",".join(f"c{place}" for place in range(1000)).encode() + b"\n"
    error = fails(BadRowError, loader, chunk_of(b"", header=header))
    assert "its header makes no table: mysql://" in error.message
    assert "Row size too large" in error.message
    assert error.hint == "make the table yourself, with types that fit its columns, or export fewer columns"


@pytest.mark.parametrize("rig", ["postgresql"], indirect=True)
def test_a_row_that_no_page_holds_fails_for_good(loader: Loader) -> None:
    """PostgreSQL finds that when the row comes."""
    header = ",".join(f"c{place}" for place in range(1500)).encode() + b"\n"
    error = fails(BadRowError, loader, chunk_of(b",".join([b'"%s"' % (b"x" * 30)] * 1500) + b"\n", header=header))
    assert error.reason.startswith("record 1, line 2 of the chunk: row is too big") or "row is too big" in error.reason


def test_the_columns_that_are_missing_are_not_all_listed(rig: Rig, loader: Loader) -> None:
    """A header of thousands is not a message."""
    rig.query(f"CREATE TABLE {TABLE} (id INTEGER)")
    header = ",".join(f"column number {place}" for place in range(500)).encode() + b"\n"
    error = fails(BadRowError, loader, chunk_of(b"", header=header))
    assert "table people has no column 'column number 0', 'column number 1', " in error.message
    assert error.message.endswith("'column number 499' (500 columns in all), which the header names")
    assert len(error.message) < 500


def test_a_view_is_refused(rig: Rig, loader: Loader) -> None:
    """On every engine alike, with a next step that can work."""
    rig.query("CREATE TABLE behind (id INTEGER, name VARCHAR(9))")
    rig.query(f"CREATE VIEW {TABLE} AS SELECT * FROM behind")
    error = fails(LoadError, loader, chunk_of(b"1,Ann\n"))
    assert error.message == (
        f"{WHERE}people is a view, and chunks are loaded into tables alone: a failed load might leave rows there"
    )
    assert error.hint == "name a table of the database itself with --table"


@pytest.mark.parametrize("rig", ["postgresql"], indirect=True)
def test_a_nul_that_postgresql_cannot_store_is_said_plainly(loader: Loader) -> None:
    """Not as if the file's encoding were wrong."""
    error = fails(BadRowError, loader, chunk_of(b'1,"a\nb"\n2,c\x00\n', rows=None))
    assert error.message == (
        f"{WHERE}record 2, line 4 of the chunk: the record holds a NUL byte, which PostgreSQL does not store in text"
    )


def test_a_chunk_that_cannot_be_read_again_still_says_why(loader: Loader) -> None:
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
