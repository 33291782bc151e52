"""Loaders whose database reads S3 itself: the SQL to the letter, and run where a local server can stand in."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from splitjoin_cli.core.errors import BadRowError, LoadError, SourceChangedError, UsageError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.core.names import parse
from splitjoin_cli.stores.loaders.aurora_mysql import AuroraMysqlLoader
from splitjoin_cli.stores.loaders.aurora_postgresql import AuroraPostgresqlLoader
from splitjoin_cli.stores.loaders.base import LoadResult, LoadTarget
from splitjoin_cli.stores.loaders.from_s3 import OTHERWISE
from splitjoin_cli.stores.loaders.urls import DatabaseUrl
from splitjoin_cli.testing.chunks import JOB, RUN, chunk_of
from tests.stores.loaders.stand import ETAG, KEY, Stand, aurora_mysql, aurora_postgresql, standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.stores.loaders.base import LedgerReader, Loader
    from tests.servers.mariadb import MariadbDatabase
    from tests.servers.postgres import PostgresDatabase

TABLE = "people"
NOWHERE = DatabaseUrl("aurora", "db", "127.0.0.1", 1, "root")
CRLF = Dialect(delimiter=";", line_end="\r\n")


@pytest.fixture
def stand() -> Iterator[Stand]:
    """What stands for S3."""
    with standing() as made:
        yield made


@pytest.fixture
def mysql(mariadb: MariadbDatabase, stand: Stand) -> Iterator[Loader]:
    """The loader for Aurora MySQL, with a run column."""
    target = LoadTarget(TABLE, create_table=True, run_column="run")
    with contextlib.closing(aurora_mysql(mariadb, stand, target)) as loader:
        yield loader


@pytest.fixture
def postgresql(postgres: PostgresDatabase, stand: Stand) -> Iterator[Loader]:
    """The loader for Aurora PostgreSQL, with a run column."""
    target = LoadTarget(TABLE, create_table=True, run_column="run")
    with contextlib.closing(aurora_postgresql(postgres, stand, target)) as loader:
        yield loader


def test_the_sql_of_aurora_mysql(mysql: Loader, stand: Stand) -> None:
    """To the letter: everything that the chunk's metadata says is in the statement."""
    header = b'\xef\xbb\xbfid;"full\nname"\r\n'
    mysql.load(stand.chunk(b'1;Ann\r\n2;"B\r\nob"\r\n', header=header, dialect=CRLF))
    begin = stand.statements.index("START TRANSACTION")
    expected = (
        "LOAD DATA FROM S3 FILE 's3-eu-west-1://bucket/exports/it''s 1/acme_20240131-1-9.csv' INTO TABLE `people`"
        " CHARACTER SET utf8mb4 FIELDS TERMINATED BY ';' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY ''"
        " LINES TERMINATED BY 0x0D0A IGNORE 1 LINES (`id`, `full\nname`) SET `run` = @splitjoin_run_id"
    )
    assert [sql for sql in stand.statements[begin:] if sql.startswith("LOAD")] == [expected]
    verbs = [sql.split(" ", 1)[0] for sql in stand.statements[begin:]]
    assert verbs == ["START", "SELECT", "SELECT", "INSERT", "SET", "LOAD", "UPDATE", "COMMIT"]


HISTORY = """
CREATE TABLE mysql.aurora_s3_load_history (load_prefix varchar(1024) NOT NULL, file_name varchar(1024) NOT NULL,
    version_number varchar(1024), bytes_loaded bigint, load_timestamp timestamp DEFAULT CURRENT_TIMESTAMP)
"""


def test_the_history_of_aurora_mysql(mysql: Loader, stand: Stand, mariadb: MariadbDatabase) -> None:
    """What it says of this job is read beside the ledger, from URIs and keys; a cluster without it says why."""
    mysql.load(stand.chunk(b"1,Ann\n"))
    without = cast("LedgerReader", mysql).read_ledger(JOB)
    assert without.history is None
    assert "aurora_s3_load_history' doesn't exist" in (without.history_error or "")
    mariadb.query(HISTORY)
    try:
        mariadb.query(
            "INSERT INTO mysql.aurora_s3_load_history (load_prefix, file_name) VALUES"
            " ('s3-eu-west-1://bucket/in/acme_20240131-1-9.csv', 'in/acme_20240131-1-9.csv'),"
            " ('s3://bucket/in/', 'in/acme_20240131-2-9.csv'), ('s3://bucket/in/', 'in/acmeX20240131-3-9.csv')"
        )
        found = cast("LedgerReader", mysql).read_ledger(JOB)
    finally:
        mariadb.query("DROP TABLE mysql.aurora_s3_load_history")
    assert found.history_error is None
    assert found.history is not None
    assert {name.number for name in map(parse, found.history) if name is not None} == {1, 2}
    assert found.runs == {RUN: {1: 1}}


@pytest.mark.parametrize(
    ("header", "dialect", "expected"),
    [
        (b"id,name\n", Dialect(line_end="\n"), "ESCAPED BY '' LINES TERMINATED BY 0x0A IGNORE 1 LINES (`id`"),
        (b'id,"a\nb"\n', Dialect(line_end="\n"), "ESCAPED BY '' LINES TERMINATED BY 0x0A IGNORE 2 LINES (`id`"),
        (b"id\tname\n", Dialect(delimiter="\t", line_end="\n"), "FIELDS TERMINATED BY 0x09 OPTIONALLY"),
        (b"id,name\n", Dialect(quotechar=None, line_end="\n"), "TERMINATED BY ',' ESCAPED BY '' LINES"),
        (b"id,name\n", Dialect(encoding="latin-1", line_end="\n"), "CHARACTER SET latin1 FIELDS"),
    ],
)
def test_dialects_in_the_sql_of_aurora_mysql(
    mysql: Loader, stand: Stand, header: bytes, dialect: Dialect, expected: str
) -> None:
    """Physical lines to skip, and every character that MySQL is told."""
    delimiter = dialect.delimiter.encode()
    mysql.load(stand.chunk(b"1" + delimiter + b"Ann\n", header=header, dialect=dialect))
    assert expected in next(sql for sql in stand.statements if sql.startswith("LOAD"))


def test_the_sql_of_aurora_postgresql(postgresql: Loader, stand: Stand, postgres: PostgresDatabase) -> None:
    """To the letter: everything that the chunk's metadata says is in the options."""
    run = "run text DEFAULT current_setting('splitjoin.run_id', true)"
    postgres.query(f"CREATE TABLE people (id int, name text, {run})")
    postgresql.load(stand.chunk(b'1;Ann\r\n2;"B\r\nob"\r\n', header=b"ID;name\r\n", dialect=CRLF))
    assert postgres.query("SELECT * FROM aws_s3.calls") == [
        (
            '"people"',
            '"id", "name"',
            "(FORMAT csv, HEADER true, DELIMITER ';', QUOTE '\"', FORCE_NULL (\"id\"), ENCODING 'UTF8')",
            f'(bucket,"{KEY}",eu-west-1)',
        )
    ]


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_what_the_database_read_is_there_once(request: pytest.FixtureRequest, stand: Stand, kind: str) -> None:
    """Rows, count and ledger as with any loader: delivered twice, loaded once."""
    loader: Loader = request.getfixturevalue(kind)
    database: MariadbDatabase | PostgresDatabase = request.getfixturevalue("mariadb" if kind == "mysql" else "postgres")
    chunk = stand.chunk(b'1;Ann\r\n2;"B\r\nob"\r\n', header=b'id;"full\r\nname"\r\n', dialect=CRLF)
    assert loader.load(chunk) == LoadResult(2, already_loaded=False, rows_checked=True)
    assert loader.load(chunk) == LoadResult(2, already_loaded=True, rows_checked=True)
    assert sorted(database.query("SELECT * FROM people")) == [("1", "Ann", RUN), ("2", "B\r\nob", RUN)]


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
@pytest.mark.parametrize("before", [[], [ETAG]])
def test_an_object_that_changed_is_not_kept(
    request: pytest.FixtureRequest, stand: Stand, kind: str, before: list[str | None]
) -> None:
    """Noticed before the load or after it, nothing is there; gone or replaced."""
    loader: Loader = request.getfixturevalue(kind)
    chunk = stand.chunk(b"1,Ann\n")
    for now, told in (('"other"', '"other"'), (None, "gone")):
        stand.etags = [*before, now]
        with pytest.raises(LoadError) as caught:
            loader.load(chunk)
        assert caught.value.message == (
            f"chunk 1 of 9 of {JOB} (run {RUN}) into people: s3://bucket/{KEY} is not the object that was to be loaded:"
            f" its ETag was {ETAG}, and is {told}"
        )
        assert loader.table_rows().rows == 0
        assert loader.ledger_numbers(JOB, RUN) == []
    assert loader.load(chunk).rows == 1


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_a_bad_row_loads_nothing(request: pytest.FixtureRequest, stand: Stand, kind: str) -> None:
    """The same as with the streaming loaders."""
    loader: Loader = request.getfixturevalue(kind)
    loader.prepare()
    with pytest.raises(BadRowError):
        loader.load(stand.chunk(b"1,Ann\n2\n3,Cy\n"))
    assert loader.table_rows().rows == 0
    assert loader.ledger_numbers(JOB, RUN) == []


STREAMED: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "compressed": (
        {"data": b"1,Ann\n", "compression": "gzip"},
        ["Ann"],
        "it is compressed (gzip), and the database reads plain files from S3 alone",
    ),
    "an escape character": (
        {"data": b'1,"a\\"b"\n2,\\n\n', "dialect": Dialect(escapechar="\\", line_end="\n")},
        ['a"b', "n"],
        "its dialect has an escape character, which databases take otherwise",
    ),
    "mixed": (
        {"data": b"1,Ann\n2,Bob\r\n", "dialect": Dialect(line_end="mixed")},
        ["Ann", "Bob"],
        "its records do not all end alike, and the database takes one line end",
    ),
    "CR LF that nobody told": ({"data": b"1,Ann\n2,Bob\r\n"}, ["Ann", "Bob"], OTHERWISE),
    "LF that nobody told": (
        {"data": b"1,Ann\r\n2,Bob\n", "dialect": Dialect(line_end="\r\n"), "header": b"id,name\r\n"},
        ["Ann", "Bob"],
        OTHERWISE,
    ),
    "a mark": (
        {"header": None, "data": b"\xef\xbb\xbf1,Ann\n"},
        ["Ann"],
        "it begins with a byte order mark and has no header: the mark would get into the first field",
    ),
    "an encoding": (
        {"data": "1,Zoë\n".encode("cp1250"), "dialect": Dialect(encoding="cp1250", line_end="\n")},
        ["Zoë"],
        "the database has no name for its encoding, cp1250",
    ),
    "stray quotes": ({"data": b'1,5" pipe\n2,6"\n'}, ['5" pipe', '6"'], OTHERWISE),
    "a line that ends PostgreSQL's data": ({"data": b'1,"a\n\\.\nb"\n'}, ["a\n\\.\nb"], OTHERWISE),
}


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
@pytest.mark.parametrize("name", STREAMED)
def test_what_the_database_would_read_otherwise_is_streamed(
    request: pytest.FixtureRequest, stand: Stand, caplog: pytest.LogCaptureFixture, kind: str, name: str
) -> None:
    """As the streaming loaders read it, and the log says why."""
    loader: Loader = request.getfixturevalue(kind)
    database: MariadbDatabase | PostgresDatabase = request.getfixturevalue("mariadb" if kind == "mysql" else "postgres")
    options, names, why = STREAMED[name]
    chunk = stand.chunk(**options)
    with caplog.at_level(logging.INFO, "splitjoin_cli"):
        assert loader.load(chunk).rows == len(names)
    assert [record.message for record in caplog.records] == [
        f"{chunk.name} is read here, and streamed to the database: {why}"
    ]
    column = "name" if chunk.header_bytes else "column_2"
    assert sorted(row[0] for row in database.query(f"SELECT {column} FROM people")) == sorted(names)
    assert not any(sql.startswith("LOAD DATA FROM S3") for sql in stand.statements)
    if kind == "postgresql":
        assert database.query("SELECT * FROM aws_s3.calls") == []


def test_postgresql_streams_what_has_no_quotes(
    postgresql: Loader, stand: Stand, postgres: PostgresDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """Its CSV always has some; MySQL reads it."""
    chunk = stand.chunk(b'1,"a\n', dialect=Dialect(quotechar=None, line_end="\n"))
    with caplog.at_level(logging.INFO, "splitjoin_cli"):
        assert postgresql.load(chunk).rows == 1
    assert caplog.records[0].message.endswith("its dialect has no quotes, and COPY's CSV always has")
    assert postgres.query("SELECT name FROM people") == [('"a',)]


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_an_object_that_is_another_when_it_is_looked_into_is_not_loaded(
    request: pytest.FixtureRequest, stand: Stand, kind: str
) -> None:
    """The look is at the ETag that described the chunk."""
    loader: Loader = request.getfixturevalue(kind)

    def changed() -> Any:  # noqa: ANN401 -- it returns nothing
        raise SourceChangedError("it changed")

    loader.prepare()
    chunk = replace(stand.chunk(b"1,Ann\n", header=None), open=changed)
    with pytest.raises(SourceChangedError):
        loader.load(chunk)
    assert loader.ledger_numbers(JOB, RUN) == []


def test_a_chunk_that_is_not_on_s3_is_refused() -> None:
    """A directory's chunks go through the streaming loaders."""
    with pytest.raises(BadRowError, match=r"it is not on S3, and this database fetches it from there itself$"):
        AuroraMysqlLoader(NOWHERE, None, LoadTarget(TABLE)).load(chunk_of(b"1,Ann\n"))


def test_aurora_postgresql_needs_a_region() -> None:
    """create_s3_uri has no default for it; the URL's beats the environment's."""
    with pytest.raises(UsageError) as caught:
        AuroraPostgresqlLoader(NOWHERE, None, LoadTarget(TABLE))
    assert caught.value.hint == "add ?s3-region=REGION to the URL"
    url = replace(NOWHERE, options={"s3-region": "sa-east-1"})
    assert AuroraPostgresqlLoader(url, None, LoadTarget(TABLE), "eu-west-1")._region == "sa-east-1"
