"""Each database read back: loaded tables of many types are what the chunks say, and damaged ones are not."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, cast

import pytest

from splitjoin_cli.core.errors import LoadError
from splitjoin_cli.join.operate.values import Values, compare_values
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.testing.chunks import JOB, RUN, chunk_of
from splitjoin_cli.testing.loading import TABLE
from tests.stores.loaders import rigs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.stores.loaders.base import ChunkToLoad
    from splitjoin_cli.stores.loaders.read_back import ReadBackEngine, RowSink, TableValues
    from splitjoin_cli.stores.loaders.session import Session
    from splitjoin_cli.testing.loading import LoaderRig

rig = rigs.rig
COMMON = (
    ("id INTEGER PRIMARY KEY", "007", "8"), ("name VARCHAR(20)", "Zoë 🎌", '""'), ("price NUMERIC(10,2)", "1.50", ""),
    ("size DOUBLE PRECISION", "1e3", "0.1"), ("day DATE", "2024-01-31", ""),
    ("moment TIMESTAMP", "2024-01-31T10:00:00", "2024-02-29 23:59:59"), ("word VARCHAR(9)", "NULL", ""),
)  # fmt: skip
"""A column of each type, and its texts in two rows."""
UUID = "A0EEBC999C0B4EF8BB6D6BB9BD380A11"
MORE: dict[str, tuple[tuple[str, str, str], ...]] = {
    "sqlite": (("any1 BLOB", "a", ""), ("big NUMERIC", "12345678901234", "x")),
    "duckdb": (
        ("flag BOOLEAN", "yes", ""), ("list INTEGER[]", '"[1, 2]"', "[]"), ("u UUID", UUID, ""),
        ("huge HUGEINT", "170141183460469231731687303715884105727", "0"), ("span INTERVAL", "1 day", "2 hours"),
        ("b BLOB", "a\\x00\\x41", "b"), ("tz TIMESTAMPTZ", "2024-01-31 10:00:00+02", "2024-01-31T10:00:00Z"),
        ("bits BIT", "x5", "1"), ("f FLOAT", "1234567.8", "0.1"),
    ),
    "mysql": (
        ("flag BIT(8)", "5", ""), ("e ENUM('red','blue')", "RED", "blue"), ("s SET('a','b')", '"b,a"', "a"),
        ("f FLOAT", "0.1", ""), ("t TIME", "10:00", "-1 10:00:00"), ("j JSON", '"{""b"": 1, ""a"": []}"', "[]"),
        ("b BLOB", "é", "x"), ("c CHAR(5)", "ab", ""), ("y YEAR", "2024", ""),
        ("d6 DATETIME(6)", "2024-01-31 1:2:3.5", ""), ("d0 DATETIME", "2024-01-31 10.15.00", ""),
        ("d1 DATETIME", "2024-01-31-10:15:00", ""), ("d2 DATETIME", "2024-01-31:10", ""),
        ("cased ENUM('a','A') COLLATE utf8mb4_bin", "a", "A"), ("n INET4", "010.001.002.003", ""),
    ),
    "postgresql": (
        ("flag BOOLEAN", "yes", ""), ("list INTEGER[]", '"{1, 2}"', "{}"), ("u UUID", UUID, ""), ("m MONEY", "1.5", ""),
        ("span INTERVAL", "1 day", "2 hours"), ("b BYTEA", "\\x41", "AB"), ("c CHAR(5)", "ab", ""),
        ("tz TIMESTAMPTZ", "2024-01-31 10:00:00", "2024-01-31 11:00:00"), ("n INET", "10.0.0.1", ""),
        ("j JSONB", '"{""b"": 1.0, ""a"": []}"', "[]"), ("r REAL", "0.1", ""), ("e CIDR", "10.1", ""),
        ("ms MONEY[]", '"{$1.50,""$1,234""}"', "{}"), ("cs CHAR(4)[]", "{a}", "{}"),
        ("mac MACADDR8", "08-00-2B-01-02-03", ""), ("bits BIT(3)", "B101", ""), ("d DOUBLE PRECISION", "1e23", ""),
    ),
}  # fmt: skip


class Loaded:
    """A side: some chunks, or the table."""

    def __init__(self, table: TableValues, chunks: Sequence[ChunkToLoad] | None) -> None:
        self._table, self._chunks, self.number = table, chunks, 0

    def read(self, sink: RowSink) -> None:
        if self._chunks is None:
            self._table.read_rows(sink)
        for chunk in self._chunks or ():
            self.number = chunk.number
            self._table.read_records(chunk, sink)


class Leaves:
    """Ends the reading with the first rows."""

    def __init__(self, *, takes_text: bool) -> None:
        self.takes_text = takes_text

    def copied(self, data: bytes) -> None:
        assert data.startswith(b"0\tn\n")
        raise EOFError

    def values(self, rows: list[tuple[Any, ...]], session: Session) -> None:
        assert tuple(map(session.told, rows[0])) == ("0", "n")
        raise EOFError


def engine(rig: LoaderRig, run_column: str | None = None) -> ReadBackEngine:
    """What reads the table back."""
    return cast("ReadBackEngine", cast("rigs.Rig", rig).made(LoadTarget(TABLE, run_column=run_column)))


def values_of(rig: LoaderRig, chunks: Sequence[ChunkToLoad], run_column: str | None = None) -> Values:
    """The table beside the chunks, by the primary key."""
    with engine(rig, run_column).read_values(JOB, RUN) as table:
        assert table.numbers == [chunk.number for chunk in chunks]
        table.begin(chunks[0])
        names = [rule.column.name for rule in table.rules]
        key = [names.index(name) for name in table.primary_key()]
        return compare_values(table.rules, key, Loaded(table, chunks), Loaded(table, None), converted=table.converted)


def many_types(rig: LoaderRig, kind: str) -> list[ChunkToLoad]:
    """A table of many types, loaded."""
    columns = (*COMMON, *MORE[kind])
    rig.query(f"CREATE TABLE {TABLE} ({', '.join(column for column, _, _ in columns)})")
    header = (",".join(column.split()[0] for column, _, _ in columns) + "\n").encode()
    data = "".join(",".join(texts) + "\n" for texts in zip(*(texts for _, *texts in columns), strict=True)).encode()
    chunks = [chunk_of(data, header=header)]
    with contextlib.closing(rig.loader()) as loader:
        loader.load(chunks[0])
    return chunks


def test_a_table_of_many_types_is_what_was_loaded(rig: LoaderRig, request: pytest.FixtureRequest) -> None:
    """Other spellings are the same values, NULL and empty are the loader's; a changed one of each column is found."""
    kind: str = request.node.callspec.params["rig"]
    chunks = many_types(rig, kind)
    found = values_of(rig, chunks)
    assert (found.agree, found.key, found.not_compared, found.rows) == (True, ("id",), (), 2), found
    names = [column.split()[0] for column, *_ in (*COMMON, *MORE[kind])[1:]]
    rig.query(f"CREATE TABLE kept AS SELECT * FROM {TABLE}")
    changes = (f"{name} = (SELECT {name} FROM kept WHERE id = 8)" for name in names)
    rig.query(f"UPDATE {TABLE} SET {', '.join(changes)} WHERE id = 7")
    found = values_of(rig, chunks)
    assert [(one.key, [value.column for value in one.values]) for one in found.changed] == [({"id": "007"}, names)]


def test_rows_lost_doubled_and_of_another_run(rig: LoaderRig) -> None:
    """With the run column another run's rows are none of ours; without it they are too many."""
    fills = rig.kind.fills_run_column
    rig.query(f"CREATE TABLE {TABLE} (id INTEGER, name VARCHAR(9), run VARCHAR(40) {fills})")
    chunks = [chunk_of(b"1,Ann\n2,Bob\n"), chunk_of(b"3,Cy\n4,\n", number=2)]
    with contextlib.closing(rig.loader(run_column="run")) as loader:
        for chunk in chunks:
            loader.load(chunk)
    rig.query(f"INSERT INTO {TABLE} VALUES (1, 'Ann', 'another')")
    assert values_of(rig, chunks, "run").agree
    found = values_of(rig, chunks)
    assert (found.extra_rows, found.missing_rows, found.chunks, found.key) == (1, 0, (1,), ())
    rig.query(f"DELETE FROM {TABLE} WHERE id = 2")
    rig.query(f"INSERT INTO {TABLE} VALUES (3, 'Cy', '{RUN}')")
    found = values_of(rig, chunks, "run")
    assert [(one.number, one.row) for one in found.missing] == [(1, {"id": "2", "name": "Bob"})]
    assert [(one.number, one.row) for one in found.extra] == [(2, {"id": "3", "name": "Cy"})]
    with pytest.raises(LoadError) as caught:
        values_of(rig, chunks, "elsewhere")
    assert caught.value.message == f"table {TABLE} has no column elsewhere"


UNUSUAL = {
    "sqlite": ("TEXT", "Jan 31 2024", "Feb 1 2024"),
    "duckdb": ("TIMESTAMP", "epoch", "1970-01-02 00:00:00"),
    "mysql": ("DATETIME", "2024-01-31 10.15.00", "2024-02-01 10:15:00"),
    "postgresql": ("DATE", "Jan 31 2024", "2024-02-01"),
}
"""A type, a text that no rule reads, and another value than it says."""


def test_a_spelling_that_no_rule_reads_is_the_databases_to_convert(
    rig: LoaderRig, request: pytest.FixtureRequest
) -> None:
    """So a value that was changed is found nevertheless, and one that the database cannot read is a difference."""
    kind, text, other = UNUSUAL[request.node.callspec.params["rig"]]
    rig.query(f"CREATE TABLE {TABLE} (id INTEGER PRIMARY KEY, v {kind})")
    chunks = [chunk_of(f"1,{text}\n2,{text}\n".encode(), header=b"id,v\n")]
    with contextlib.closing(rig.loader()) as loader:
        loader.load(chunks[0])
    assert values_of(rig, chunks).agree
    rig.query(f"UPDATE {TABLE} SET v = '{other}' WHERE id = 2")
    (changed,) = values_of(rig, chunks).changed
    assert [(one.column, one.file, one.table) for one in changed.values] == [("v", text, other)]
    odd = [chunk_of(f"1,{text}\n2,never\n".encode(), header=b"id,v\n")]
    (changed,) = values_of(rig, odd).changed
    assert [one.file for one in changed.values] == ["never"]


@pytest.mark.parametrize("takes_text", [False, True])
def test_a_reading_that_is_left_before_its_end(rig: LoaderRig, *, takes_text: bool) -> None:
    """It ends at once, without an error of its own; the next one finds all rows."""
    chunks = [chunk_of(b"".join(b"%d,n\n" % number for number in range(3000)))]
    with contextlib.closing(rig.loader()) as loader:
        loader.load(chunks[0])
    with engine(rig).read_values(JOB, RUN) as table:
        table.begin(chunks[0])
        with pytest.raises(EOFError):
            table.read_rows(cast("RowSink", Leaves(takes_text=takes_text)))
    assert values_of(rig, chunks).agree


def test_nothing_is_written(rig: LoaderRig) -> None:
    """A database that is not there is not made, a table neither: each is an error."""
    with pytest.raises(LoadError), engine(rig).read_values(JOB, RUN):
        pass
    with contextlib.closing(rig.loader()) as loader:
        loader.prepare()
    with pytest.raises(LoadError) as caught, engine(rig).read_values(JOB, RUN):
        pass
    assert caught.value.message.startswith(f"the table {TABLE} does not exist in ")
    assert rig.column_names() == []
