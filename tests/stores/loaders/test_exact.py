"""Exact values on each database: what would be changed is a bad row before anything is committed."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any, cast

import pytest

from splitjoin_cli.core.errors import BadRowError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.exact.checking import is_same
from splitjoin_cli.stores.loaders.exact.sqlite import affinity
from splitjoin_cli.testing.chunks import JOB, RUN, chunk_of
from splitjoin_cli.testing.loading import TABLE, fails, rows_of
from tests.stores.loaders import rigs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.testing.loading import LoaderRig

rig = rigs.rig
HEADER = b"id,v\n"
HINT = "correct the value in the source, give the column a type that keeps it, or load without --exact-values"
CHANGED = {
    "SQLite": ("REAL", "0.1234567890123456789", "0.12345678901234568", "REAL"),
    "DuckDB": ("DATE", "2024-01-31 10:00:00", "2024-01-31", "DATE"),
    "MySQL": ("INTEGER", "1.5", "2", "int(11)"),
    "PostgreSQL": ("NUMERIC(10,2)", "1.005", "1.01", "numeric(10,2)"),
}
UNKNOWN = {"DuckDB": ("STRUCT(a INTEGER)",) * 2, "MySQL": ("POINT", "point"), "PostgreSQL": ("INT4RANGE", "int4range")}


def product(rig: LoaderRig) -> str:
    """How messages call the database's kind."""
    return str(cast("rigs.Rig", rig).made(LoadTarget(TABLE)).product)  # type: ignore[attr-defined]  # an Engine's


@pytest.fixture
def loader(rig: LoaderRig) -> Iterator[Loader]:
    """One that loads exactly."""
    with contextlib.closing(cast("rigs.Rig", rig).made(LoadTarget(TABLE, exact_values=True))) as made:
        yield made


def make(rig: LoaderRig, kind: str) -> None:
    """The table, with a column of that type."""
    rig.query(f"CREATE TABLE {TABLE} (id INTEGER, v {kind}, note VARCHAR(20))")


@pytest.mark.parametrize("stray", [False, True])
def test_a_value_that_would_change_is_a_bad_row(rig: LoaderRig, loader: Loader, *, stray: bool) -> None:
    """The error names record, line, column, text and what it would become; nothing of the chunk is loaded."""
    kind, text, kept, declared = CHANGED[product(rig)]
    make(rig, kind)
    note = '5" disk' if stray else '"a\nb"'
    data = f"1,,{note}\n2,{text},x\n3,{text},y\n".encode()
    error = fails(BadRowError, loader, chunk_of(data, header=b"id,v,note\n"))
    line = 3 if stray else 4
    assert error.message == (
        f"chunk 1 of 9 of {JOB} (run {RUN}) into {TABLE}: record 2, line {line} of the chunk:"
        f" column v ({declared}) would change '{text}' to '{kept}'"
    )
    assert error.hint == HINT
    assert (loader.table_rows().rows, loader.ledger_numbers(JOB, RUN)) == (0, [])


def test_other_spellings_are_loaded_and_chunks_follow_each_other(rig: LoaderRig, loader: Loader) -> None:
    """On one connection; a NULL is none of the texts."""
    make(rig, "NUMERIC(10,2)")
    loader.load(chunk_of(b"1,007\n2,1.50\n", header=HEADER))
    loader.load(chunk_of(b'3,1e2\n4,\n5,""\n', header=HEADER, number=2))
    fails(BadRowError, loader, chunk_of(b"6,12345678901234567890.125\n", header=HEADER, number=3))
    loader.load(chunk_of(b"6,1\n", header=HEADER, number=3))
    rows = rows_of(rig, "id, v")
    assert [(id_, None if v is None else float(v)) for id_, v in rows] == [
        (1, 7.0), (2, 1.5), (3, 100.0), (4, None), (5, None), (6, 1.0),
    ]  # fmt: skip


@rigs.STRICT
def test_a_value_of_another_type_is_told_as_without_the_option(rig: LoaderRig, loader: Loader) -> None:
    """The database's own words, and the row."""
    make(rig, CHANGED[product(rig)][0])
    data = b"1,,\n2,word,x\n"
    with contextlib.closing(rig.loader()) as plain:
        expected = fails(BadRowError, plain, chunk_of(data, header=b"id,v,note\n"))
    error = fails(BadRowError, loader, chunk_of(data, header=b"id,v,note\n"))
    assert error.message == expected.message
    assert ": record 2, line 3 of the chunk: " in error.message


def test_white_space_that_is_too_long_is_not_cut_off(rig: LoaderRig, loader: Loader) -> None:
    """MariaDB cuts a tab off a CHAR(4) without a word; where the text is refused, or kept, there is nothing to see."""
    make(rig, "CHAR(4)")
    with contextlib.suppress(BadRowError):
        loader.load(chunk_of(b"1,abcd\t\n", header=HEADER))
    assert all(text.rstrip(" ") == "abcd\t" for _, text in rows_of(rig, "id, v"))


def test_a_broken_constraint_is_told_as_without_the_option(rig: LoaderRig, loader: Loader) -> None:
    """A key that is there twice, behind values that are respelled."""
    rig.query(f"CREATE TABLE {TABLE} (id INTEGER, v NUMERIC(10,2), PRIMARY KEY (id))")
    data = b"1,1.0\n1,01e0\n"
    with contextlib.closing(rig.loader()) as plain:
        expected = fails(BadRowError, plain, chunk_of(data, header=HEADER))
    assert fails(BadRowError, loader, chunk_of(data, header=HEADER)).message == expected.message


def test_the_run_column_is_filled(rig: LoaderRig) -> None:
    """By the loader, from no text."""
    fills = rig.kind.fills_run_column
    rig.query(f"CREATE TABLE {TABLE} (run VARCHAR(20) {fills}, id INTEGER, v NUMERIC(10,2))")
    target = LoadTarget(TABLE, run_column="run", exact_values=True)
    with contextlib.closing(cast("rigs.Rig", rig).made(target)) as loader:
        loader.load(chunk_of(b"1,1.5\n2,02e0\n", header=HEADER))
        assert loader.table_rows(JOB, RUN).rows == 2
        assert loader.unchecked() == ()


def test_a_table_of_text_columns_is_loaded_as_ever(
    rig: LoaderRig, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No table of texts is made."""
    rig.query(f"CREATE TABLE {TABLE} (id TEXT, name TEXT)")
    monkeypatch.setattr(type(loader), "_into", None)
    assert loader.load(chunk_of(b"1,a \n2,NULL\n", header=b"id,name\n")).rows == 2


@rigs.STRICT
def test_types_without_a_rule_are_named(rig: LoaderRig, loader: Loader, caplog: pytest.LogCaptureFixture) -> None:
    """When asked, and once in the log at the first load."""
    kind, told = UNKNOWN[product(rig)]
    make(rig, kind)
    with caplog.at_level(logging.WARNING):
        loader.load(chunk_of(b"1,\n", header=HEADER))
        loader.load(chunk_of(b"2,\n", header=HEADER, number=2))
    said = "the values of these columns are not checked, since no rule is known for their types"
    assert [record.getMessage() for record in caplog.records] == [f"table {TABLE}: {said}: v ({told})"]
    assert loader.unchecked() == (f"v ({told})",)
    with contextlib.closing(rig.loader()) as plain:
        assert plain.unchecked() == ()


def test_named_nulls_are_no_texts(rig: LoaderRig, loader: Loader) -> None:
    """An empty field is then a text like any other, and no number."""
    make(rig, "NUMERIC(10,2)")
    dialect = Dialect(nulls=("NA",), line_end="\n")
    loader.load(chunk_of(b"1,NA\n2,1.0\n", header=HEADER, dialect=dialect))
    assert rig.query(f"SELECT COUNT(*) FROM {TABLE} WHERE v IS NULL") == [(1,)]


@pytest.mark.parametrize("rig", [pytest.param("postgresql", marks=pytest.mark.server)], indirect=True)
def test_an_hour_that_the_sessions_zone_leaves_out(rig: LoaderRig, loader: Loader) -> None:
    """It would be another one; with an offset, and an hour later, it is there."""
    [(name,)] = rig.query("SELECT current_database()")
    rig.query(f"ALTER DATABASE {name} SET timezone = 'Europe/Berlin'")
    make(rig, "TIMESTAMPTZ")
    error = fails(BadRowError, loader, chunk_of(b"1,2024-03-31 02:30:00\n", header=HEADER))
    assert "would change '2024-03-31 02:30:00' to '2024-03-31 03:30:00+02'" in error.message
    data = b"1,2024-03-31 02:30:00Z\n2,2024-03-31 03:30:00\n3,2024-03-31\n"
    assert loader.load(chunk_of(data, header=HEADER)).rows == 3


SPELLED = {
    "SQLite": ("INTEGER", "007", "8"),
    "DuckDB": ("UUID", "A0EEBC999C0B4EF8BB6D6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12"),
    "MySQL": ("UUID", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12"),
    "PostgreSQL": ("INTEGER[]", "{ 1 , 02 }", "{1,3}"),
}


def test_a_value_in_the_table_can_be_compared_with_a_text(rig: LoaderRig, loader: Loader) -> None:
    """By the same rules, of types that lose nothing too."""
    kind, text, other = SPELLED[product(rig)]
    make(rig, kind)
    loader.load(chunk_of(f'1,"{text}"\n'.encode(), header=HEADER))
    engine = cast("Any", loader)
    with engine._session() as session:
        exact = engine._exact_values(session)
        [rule] = exact.rules(engine._table_columns(session)[1:2])
        told = str(session.rows(f"SELECT {exact.shown_of(rule, 'v')} FROM {TABLE}")[0][0])
    assert is_same(rule, text, told)
    assert not is_same(rule, other, told)


@pytest.mark.parametrize("rig", ["sqlite"], indirect=True)
def test_more_doubtful_records_than_are_held_at_once(rig: LoaderRig, loader: Loader) -> None:
    """The last of them is compared too."""
    make(rig, "INTEGER")
    data = b"".join(b"%d,1e0\n" % number for number in range(1000))
    error = fails(BadRowError, loader, chunk_of(data + b"1000,9007199254740993.0\n", header=HEADER))
    assert ": record 1001, line 1002 of the chunk: " in error.message
    assert loader.load(chunk_of(data, header=HEADER)).rows == 1000


@pytest.mark.parametrize("rig", ["duckdb"], indirect=True)
@pytest.mark.parametrize(("text", "kept"), [("['it''s']", "[its]"), ("[a 'b' c, d]", "[a b c, d]"), ("['a'b]", "[ab]")])
def test_quotes_that_a_list_of_texts_loses(rig: LoaderRig, loader: Loader, text: str, kept: str) -> None:
    """DuckDB leaves them out; those around a text, and escaped ones, are none of its characters."""
    make(rig, "VARCHAR[]")
    error = fails(BadRowError, loader, chunk_of(f'1,"{text}"\n'.encode(), header=HEADER))
    assert f"column v (VARCHAR[]) would change '{text}' to '{kept}'" in error.message
    kept_ones = b"""1,"['a, b', c]"\n2,"['it\\'s', NULL]"\n3,"[C:\\d]"\n4,[]\n"""
    loader.load(chunk_of(kept_ones, header=HEADER))
    assert rows_of(rig, "id, v") == [(1, ["a, b", "c"]), (2, ["it's", None]), (3, ["C:\\d"]), (4, [])]


@pytest.mark.parametrize("rig", ["sqlite"], indirect=True)
def test_a_strict_table_of_any_takes_what_it_is_given(rig: LoaderRig, loader: Loader) -> None:
    """Elsewhere ANY is a word that SQLite makes numbers of."""
    rig.query(f"CREATE TABLE {TABLE} (id INTEGER, v ANY) STRICT")
    loader.load(chunk_of(b"1,007\n", header=HEADER))
    assert rows_of(rig, "id, v") == [(1, "007")]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("BIGINT", "INTEGER"),
        ("FLOATING POINT", "INTEGER"),
        ("VARCHAR(10)", "TEXT"),
        ("CHARINT", "INTEGER"),
        ("", "BLOB"),
        ("double precision", "REAL"),
        ("DECIMAL(5,2)", "NUMERIC"),
        ("boolean", "NUMERIC"),
        ("STRING", "NUMERIC by default"),
        ("DATETIME", "NUMERIC by default"),
        ("blob", "BLOB"),
    ],
)
def test_affinities(declared: str, expected: str) -> None:
    """Section 3.1 of SQLite's page, in its order."""
    assert affinity(declared) == expected
