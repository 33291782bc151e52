"""Loaders whose database reads S3 itself: the SQL to the letter, and run where a local server can stand in."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from splitjoin_cli.core.errors import BadRowError, LoadError, UsageError
from splitjoin_cli.core.model import Dialect, S3Location
from splitjoin_cli.core.names import parse
from splitjoin_cli.stores.loaders.aurora_mysql import AuroraMysqlLoader
from splitjoin_cli.stores.loaders.aurora_postgresql import AuroraPostgresqlLoader
from splitjoin_cli.stores.loaders.base import LoadResult, LoadTarget
from splitjoin_cli.stores.loaders.urls import DatabaseUrl
from tests.stores.loaders.chunks import JOB, RUN, chunk_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from splitjoin_cli.stores.loaders.base import ChunkToLoad, LedgerReader, Loader
    from splitjoin_cli.stores.loaders.session import Session
    from tests.servers.mariadb import MariadbDatabase
    from tests.servers.postgres import PostgresDatabase

KEY = "exports/it's 1/acme_20240131-1-9.csv"
ETAG = '"9a0364b9e99bb480dd25e1f0284c8555"'
TABLE = "people"
NOWHERE = DatabaseUrl("aurora", "db", "127.0.0.1", 1, "root")
CRLF = Dialect(delimiter=";", line_end="\r\n")


class Stand:
    """S3 as the database sees it: a directory; and the statements that reached the database."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.statements: list[str] = []
        self.etags: list[str | None] = []

    def chunk(self, data: bytes, **options: Any) -> ChunkToLoad:  # noqa: ANN401 -- those of chunk_of
        """A chunk whose object lies there."""
        chunk = chunk_of(data, **options)
        path = self.directory / secrets.token_hex(8)
        path.write_bytes((options.get("header", b"id,name\n") or b"") + data)
        path.chmod(0o644)
        self.path = path
        return replace(chunk, s3=S3Location("bucket", KEY, ETAG), etag_now=self._etag)

    def _etag(self) -> str | None:
        return self.etags.pop(0) if self.etags else ETAG


@pytest.fixture
def stand() -> Iterator[Stand]:
    """A directory that a server of another user can read."""
    with tempfile.TemporaryDirectory(prefix="splitjoin-stand-") as name:
        Path(name).chmod(0o755)
        yield Stand(Path(name))


def recording(session: Session, stand: Stand, *, from_s3: bool) -> Session:
    """``session``, its statements noted; with ``from_s3`` a local file stands in for the object."""
    run = session.run

    def noting(sql: str, values: Sequence[object] = ()) -> int:
        stand.statements.append(sql)
        if from_s3 and sql.startswith("LOAD DATA FROM S3 FILE "):
            what = sql.partition(" INTO TABLE ")[2]
            sql = f"LOAD DATA LOCAL INFILE '{stand.path}' INTO TABLE {what}"
        return run(sql, values)

    session.run = noting  # type: ignore[method-assign]  # the smallest way in
    return session


@pytest.fixture
def mysql(mariadb: MariadbDatabase, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loader]:
    """The loader for Aurora MySQL, on a MariaDB that reads a local file where Aurora reads the object."""
    connect = AuroraMysqlLoader._connect
    monkeypatch.setattr(AuroraMysqlLoader, "_connect", lambda self: recording(connect(self), stand, from_s3=True))
    target = LoadTarget(TABLE, create_table=True, run_column="run")
    with contextlib.closing(AuroraMysqlLoader(mariadb.url, mariadb.server.password, target, "eu-west-1")) as loader:
        yield loader


@pytest.fixture
def postgresql(postgres: PostgresDatabase, stand: Stand) -> Iterator[Loader]:
    """The loader for Aurora PostgreSQL, on a server whose aws_s3 is a function over COPY from a local file."""
    for statement in STAND_IN.format(directory=stand.directory).split(";;"):
        postgres.query(statement)
    target = LoadTarget(TABLE, create_table=True, run_column="run")
    with contextlib.closing(AuroraPostgresqlLoader(postgres.url, None, target, "eu-west-1")) as loader:
        yield loader


STAND_IN = """
CREATE SCHEMA aws_s3;; CREATE SCHEMA aws_commons;;
CREATE TYPE aws_commons._s3_uri_1 AS (bucket text, file_path text, region text);;
CREATE FUNCTION aws_commons.create_s3_uri(text, text, text) RETURNS aws_commons._s3_uri_1
    LANGUAGE sql AS $$ SELECT ROW($1, $2, $3)::aws_commons._s3_uri_1 $$;;
CREATE TABLE aws_s3.calls (name text, columns text, options text, uri text);;
CREATE FUNCTION aws_s3.table_import_from_s3(name text, columns text, options text, uri aws_commons._s3_uri_1)
    RETURNS text LANGUAGE plpgsql AS $$
DECLARE loaded bigint;
BEGIN
    INSERT INTO aws_s3.calls VALUES (name, columns, options, uri::text);
    EXECUTE format('COPY %s (%s) FROM PROGRAM %L WITH %s',
                   name, columns, 'cat $(ls -t {directory}/* | head -1)', options);
    GET DIAGNOSTICS loaded = ROW_COUNT;
    RETURN format('%s rows imported into relation "%s" from file %s of 99 bytes', loaded, name, (uri).file_path);
END $$
"""


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
    assert verbs == ["START", "SELECT", "INSERT", "SET", "LOAD", "UPDATE", "COMMIT"]


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
        (b"id,name\n", Dialect(escapechar="\\", line_end="\n"), "ESCAPED BY 0x5C LINES"),
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


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "compressed": (
        {"compression": "gzip"},
        "it is compressed (gzip), and the database reads plain files from S3 alone",
    ),
    "mixed": (
        {"dialect": Dialect(line_end="mixed")},
        "its records do not all end alike, and the database takes one line end",
    ),
    "a mark": (
        {"header": None, "data": b"\xef\xbb\xbf1,Ann\n"},
        "it begins with a byte order mark and has no header: the mark would get into the first field",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_database_reads_right_is_refused(name: str) -> None:
    """Before anything is connected, with the loader that can."""
    options, said = REFUSED[name]
    chunk = replace(
        chunk_of(**{"data": b"1,Ann\n", **options}), s3=S3Location("bucket", KEY, ETAG), etag_now=lambda: ETAG
    )
    target = LoadTarget(TABLE)
    for loader, other in (
        (AuroraMysqlLoader(NOWHERE, None, target), "mysql"),
        (AuroraPostgresqlLoader(NOWHERE, None, target, "eu-west-1"), "postgresql"),
    ):
        with pytest.raises(BadRowError) as caught:
            loader.load(chunk)
        assert caught.value.message == f"{chunk.name} into people: {said}"
        assert caught.value.hint == f"use {other}://, which streams it"


def test_a_chunk_that_is_not_on_s3_is_refused() -> None:
    """A directory's chunks go through the streaming loaders."""
    with pytest.raises(BadRowError, match=r"it is not on S3, and this database fetches it from there itself$"):
        AuroraMysqlLoader(NOWHERE, None, LoadTarget(TABLE)).load(chunk_of(b"1,Ann\n"))


def test_postgresql_refuses_escapes_and_missing_quotes() -> None:
    """COPY has no way to say them."""
    loader = AuroraPostgresqlLoader(NOWHERE, None, LoadTarget(TABLE), "eu-west-1")
    for dialect in (Dialect(escapechar="\\", line_end="\n"), Dialect(quotechar=None, line_end="\n")):
        chunk = replace(
            chunk_of(b"1,Ann\n", dialect=dialect), s3=S3Location("bucket", KEY, ETAG), etag_now=lambda: ETAG
        )
        with pytest.raises(BadRowError, match=r"PostgreSQL reads neither as it is meant$"):
            loader.load(chunk)


def test_aurora_postgresql_needs_a_region() -> None:
    """create_s3_uri has no default for it; the URL's beats the environment's."""
    with pytest.raises(UsageError) as caught:
        AuroraPostgresqlLoader(NOWHERE, None, LoadTarget(TABLE))
    assert caught.value.hint == "add ?s3-region=REGION to the URL"
    url = replace(NOWHERE, options={"s3-region": "sa-east-1"})
    assert AuroraPostgresqlLoader(url, None, LoadTarget(TABLE), "eu-west-1")._region == "sa-east-1"
