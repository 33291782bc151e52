"""What MySQL would change without a word: sessions set what they rely on, and columns take what was written."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.errors import BadRowError
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.mysql import SETTINGS, MysqlLoader, MysqlSession
from splitjoin_cli.testing.chunks import JOB, RUN
from tests.stores.loaders.stand import Stand, aurora_mysql, standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.stores.loaders.base import ChunkToLoad, Loader
    from tests.servers.mariadb import MariadbDatabase

pytestmark = pytest.mark.server
TARGET = LoadTarget("people")
ODD = {
    "sql_mode": "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,EMPTY_STRING_IS_NULL,ALLOW_INVALID_DATES'",
    "sql_notes": "0",
    "max_error_count": "0",
    "sql_select_limit": "1",
    "completion_type": "'RELEASE'",
    "time_zone": "'+05:00'",
}


@pytest.fixture
def database(mariadb: MariadbDatabase) -> Iterator[Any]:
    """A cursor of the tests' own, made before the server became odd."""
    with contextlib.closing(mariadb.server.connect(mariadb.name)) as connection, connection.cursor() as cursor:
        yield cursor


@pytest.fixture(params=["its defaults", "odd ones"])
def settings(request: pytest.FixtureRequest, database: Any) -> Iterator[str]:  # noqa: ANN401 -- PyMySQL has no type
    """What the server's variables are for connections that are made from now on."""
    kept = {name: one(database, f"SELECT @@GLOBAL.{name}") for name in ODD}
    if request.param == "odd ones":
        database.execute("SET " + ", ".join(f"GLOBAL {name} = {value}" for name, value in ODD.items()))
    yield request.param
    database.execute("SET " + ", ".join(f"GLOBAL {name} = {value!r}" for name, value in kept.items()))


@pytest.fixture
def stand() -> Iterator[Stand]:
    """What stands for S3; the other loader streams from it."""
    with standing() as made:
        yield made


@pytest.fixture(params=["mysql", "aurora-mysql"])
def loader(request: pytest.FixtureRequest, mariadb: MariadbDatabase, settings: str, stand: Stand) -> Iterator[Loader]:
    """Both loaders for MySQL, connecting when the server is as it is to be."""
    del settings
    made = (
        MysqlLoader(mariadb.url, mariadb.server.password, TARGET)
        if request.param == "mysql"
        else aurora_mysql(mariadb, stand, TARGET)
    )
    with contextlib.closing(made):
        yield made


def one(cursor: Any, sql: str) -> Any:  # noqa: ANN401 -- any value
    """The value that a query finds."""
    cursor.execute(sql)
    return cursor.fetchone()[0]


def rows(cursor: Any, columns: str) -> list[tuple[Any, ...]]:  # noqa: ANN401 -- PyMySQL has no type
    """The table's rows."""
    cursor.execute(f"SELECT {columns} FROM people ORDER BY 1")
    return list(cursor.fetchall())


def refused(loader: Loader, chunk: ChunkToLoad) -> str:
    """Why the chunk is refused; nothing of it is there."""
    with pytest.raises(BadRowError) as caught:
        loader.load(chunk)
    assert loader.ledger_numbers(JOB, RUN) == []
    assert loader.table_rows().rows == 0
    return caught.value.reason


def test_a_session_sets_what_it_relies_on(mariadb: MariadbDatabase, settings: str) -> None:
    """Whatever the server's own are; the time zone stays the server's."""
    with contextlib.closing(MysqlSession(mariadb.url, mariadb.server.password)) as session:
        names = ", ".join(f"@@SESSION.{name}" for name in (*SETTINGS, "character_set_client", "time_zone"))
        (found,) = session.rows(f"SELECT {names}")
    assert set(found[0].split(",")) == {
        "STRICT_ALL_TABLES",
        "ERROR_FOR_DIVISION_BY_ZERO",
        "NO_AUTO_VALUE_ON_ZERO",
        "NO_ENGINE_SUBSTITUTION",
    }
    zone = "SYSTEM" if settings == "its defaults" else "+05:00"
    assert found[1:] == (1, 64, 18446744073709551615, "NO_CHAIN", "utf8mb4", zone)


@pytest.mark.parametrize("mode", ["NO_ZERO_DATE", "NO_ZERO_IN_DATE", "NO_ZERO_DATE,NO_ZERO_IN_DATE"])
def test_whether_a_zero_date_is_one_is_the_servers(mariadb: MariadbDatabase, database: Any, mode: str) -> None:  # noqa: ANN401 -- PyMySQL has no type
    """Exports of MySQL hold them, and go back into a server that takes them."""
    kept = one(database, "SELECT @@GLOBAL.sql_mode")
    database.execute("SET GLOBAL sql_mode = %s", (mode,))
    try:
        with contextlib.closing(MysqlSession(mariadb.url, mariadb.server.password)) as session:
            found = session.rows("SELECT @@SESSION.sql_mode")[0][0].split(",")
    finally:
        database.execute("SET GLOBAL sql_mode = %s", (kept,))
    assert {name for name in found if name.startswith("NO_ZERO")} == set(mode.split(","))


def test_the_ledger_is_read_whole(loader: Loader, stand: Stand, database: Any) -> None:  # noqa: ANN401 -- PyMySQL has no type
    """Also where the server cuts what is selected."""
    database.execute("CREATE TABLE people (id INT, name TEXT)")
    for number in (1, 2, 3):
        assert loader.load(stand.chunk(b"%d,a\n" % number, number=number)).rows == 1
    assert loader.ledger_numbers(JOB, RUN) == [1, 2, 3]
    assert rows(database, "id") == [(1,), (2,), (3,)]


def test_bits_take_numbers(loader: Loader, stand: Stand, database: Any) -> None:  # noqa: ANN401 -- PyMySQL has no type
    """'5' is 5, not the byte of the digit; empty is NULL, and what is no number in range is refused."""
    database.execute("CREATE TABLE people (id INT, name BIT(8))")
    for value in (b"x", b"1.5", b"256", b"-1", b"0x05", b"\x05"):
        said = refused(loader, stand.chunk(b"1,5\n2,%s\n" % value, rows=None))
        assert any(word in said for word in ("Truncated incorrect", "Out of range", "too long", "negative")), said
    loader.load(stand.chunk(b'1,5\n2,0\n3,"255"\n4,\n5,007\n'))
    assert rows(database, "id, name + 0") == [(1, 5), (2, 0), (3, 255), (4, None), (5, 7)]


def test_the_widest_bits(loader: Loader, stand: Stand, database: Any) -> None:  # noqa: ANN401 -- PyMySQL has no type
    """All 64 of them; a negative number is not taken for a large one."""
    database.execute("CREATE TABLE people (id INT, name BIT(64))")
    for value in (b"-1", b"18446744073709551616", b"1e30"):
        refused(loader, stand.chunk(b"1,%s\n" % value, rows=None))
    loader.load(stand.chunk(b"1,18446744073709551615\n"))
    assert rows(database, "id, name + 0") == [(1, 2**64 - 1)]


@pytest.mark.parametrize("value", [b"", b'""', b"NULL"])
def test_null_is_no_time_of_the_load(loader: Loader, stand: Stand, database: Any, value: bytes) -> None:  # noqa: ANN401 -- PyMySQL has no type
    """A TIMESTAMP that takes no NULL refuses it, with or without a default; one that does, takes it."""
    database.execute(
        "CREATE TABLE people (id INT, name TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, seen TIMESTAMP NULL)"
    )
    bad = b"1,2024-01-31 12:00:00,\n2,%s,\n" % value
    said = refused(loader, stand.chunk(bad, header=b"id,name,seen\n", rows=None))
    assert said.startswith("record 2, line 3 of the chunk: ")
    assert "name" in said
    loader.load(stand.chunk(b"1,2024-01-31 12:00:00,%s\n" % value, header=b"id,name,seen\n"))
    database.execute("SET time_zone = @@GLOBAL.time_zone")  # which the load kept
    assert rows(database, "id, CAST(name AS CHAR), seen") == [(1, "2024-01-31 12:00:00", None)]


def test_zero_stays_zero(loader: Loader, stand: Stand, database: Any) -> None:  # noqa: ANN401 -- PyMySQL has no type
    """In a column that counts by itself, too."""
    database.execute("CREATE TABLE people (id INT AUTO_INCREMENT PRIMARY KEY, name TEXT)")
    loader.load(stand.chunk(b"0,a\n7,b\n"))
    assert rows(database, "id, name") == [(0, "a"), (7, "b")]


def test_a_truncation_is_said(loader: Loader, stand: Stand, database: Any) -> None:  # noqa: ANN401 -- PyMySQL has no type
    """A server that keeps no notes and no warnings has them here."""
    database.execute("CREATE TABLE people (id DECIMAL(4,1), name VARCHAR(3))")
    assert "Data truncated for column 'name'" in refused(loader, stand.chunk(b"1,Ann\n2,Robert\n", rows=None))
    assert "column 'id'" in refused(loader, stand.chunk(b"1.55,Ann\n", rows=None))


def test_a_row_that_breaks_a_check_is_said(loader: Loader, stand: Stand, database: Any) -> None:  # noqa: ANN401 -- PyMySQL has no type
    """Also where nobody counted the rows."""
    database.execute("CREATE TABLE people (id INT CHECK (id < 9), name TEXT)")
    assert "CONSTRAINT" in refused(loader, stand.chunk(b"1,a\n9,b\n2,c\n", rows=None))


def test_a_generated_column_takes_no_value(loader: Loader, stand: Stand, database: Any) -> None:  # noqa: ANN401 -- PyMySQL has no type
    """One in the header is refused; without a header the others are filled; a default that is computed is no bar."""
    database.execute(
        "CREATE TABLE people (id INT, twice INT AS (id * 2) STORED, name VARCHAR(40) DEFAULT (CONCAT('a', 'b')))"
    )
    said = refused(loader, stand.chunk(b"1,2,a\n", header=b"id,twice,name\n", rows=None))
    assert said == "table people has no column 'twice', which the header names"
    refused(loader, stand.chunk(b"1,2,a\n", header=None, rows=None))
    loader.load(stand.chunk(b"1,a\n", header=None))
    assert rows(database, "id, twice, name") == [(1, 2, "a")]
