"""Names of splitjoin's own tables, and the database's: never a chunk's table, however they are spelled."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.api.open import LoadRequest, open_loader
from splitjoin_cli.core.errors import BadRowError, UsageError
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.postgresql import PostgresqlLoader
from splitjoin_cli.stores.loaders.reserved import ReservedNameError, check_system
from splitjoin_cli.stores.loaders.urls import parse
from splitjoin_cli.testing.chunks import JOB, RUN, chunk_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.postgres import PostgresDatabase

OWN = "names that begin with splitjoin_ are reserved for splitjoin's own tables"
SPELLINGS = [
    "splitjoin_jobs",
    "splitjoin_ledger",
    "splitjoin_anything",
    "splitjoin_",
    "SplitJoin_Jobs",
    "splitjoin_jobs ",
    " splitjoin_jobs",
    '"splitjoin_jobs"',
    "`splitjoin_jobs`",
    "[splitjoin_jobs]",
    "\u017fplitjoin_jobs",  # the long s
    "SPL\u0130TJO\u0130N_JOBS",  # the dotted capital I
    "spl\u0131tjo\u0131n_jobs",  # the dotless small one
    "\u015dplitj\u00f6in_jobs",  # accents
    "splitj\u200boin_jobs",  # a space without width
    "\uff53plitjoin\uff3fjobs",  # full width
]
URLS = {
    "sqlite": "sqlite:x.db",
    "duckdb": "duckdb:x.duckdb",
    "mysql": "mysql://a@h/shop",
    "aurora-mysql": "aurora-mysql://a@h/shop",
    "postgresql": "postgresql://a@h/shop",
    "aurora-postgresql": "aurora-postgresql://a@h/shop?s3-region=eu-west-1",
}


@pytest.mark.parametrize("schema", ["", "main.", "public.", '"main".', "PUBLIC."])
@pytest.mark.parametrize("name", SPELLINGS)
def test_own_names_are_refused(name: str, schema: str) -> None:
    """As a table in every schema, and as the run column."""
    with pytest.raises(ReservedNameError) as table:
        LoadTarget(schema + name)
    assert str(table.value) == f"table {name!r}: {OWN}"
    assert table.value.hint == "use another table: --table NAME"
    with pytest.raises(ReservedNameError) as column:
        LoadTarget("people", run_column=name)
    assert str(column.value) == f"column {name!r}: {OWN}"
    assert column.value.hint == "use another column: --run-column NAME"


@given(st.data())
def test_every_case_of_an_own_name_is_refused(data: st.DataObject) -> None:
    """Each letter in either case, whatever follows."""
    letters = [data.draw(st.sampled_from([char, char.upper()])) for char in "splitjoin_"]
    rest = data.draw(st.text(st.characters(exclude_characters=".\0"), max_size=9))
    with pytest.raises(ReservedNameError):
        LoadTarget("".join(letters) + rest)


@pytest.mark.parametrize("name", ["splitjoin", "splitjoins", "my_splitjoin_jobs", "splitjoin_prod.people", "people"])
def test_other_names_are_taken(name: str) -> None:
    """Only what begins so is ours; a schema may."""
    assert LoadTarget(name).table == name
    for url in URLS.values():
        check_system(parse(url), name)


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
@pytest.mark.parametrize(
    ("table", "refused_by"),
    [
        ("temp.people", {"sqlite", "duckdb"}),
        ("sqlite_sequence", {"sqlite"}),
        ("main.SQLite_master", {"sqlite"}),
        ("system.people", {"duckdb"}),
        ("Information_Schema.tables", {"duckdb", "mysql", "aurora-mysql", "postgresql", "aurora-postgresql"}),
        ("pg_catalog.pg_class", {"duckdb", "postgresql", "aurora-postgresql"}),
        ('"PG_toast".x', {"postgresql", "aurora-postgresql"}),
        ("pg_temp.people", {"postgresql", "aurora-postgresql"}),
        ("mysql.user", {"mysql", "aurora-mysql"}),
        ("performance_schema.threads", {"mysql", "aurora-mysql"}),
        ("sys.x", {"mysql", "aurora-mysql"}),
    ],
)
def test_system_schemas_are_refused(url: str, table: str, refused_by: set[str]) -> None:
    """Those of the engine; another engine may have one of that name for its users."""
    request = LoadRequest(into=parse(url), table=table)
    if url.partition(":")[0] not in refused_by:
        open_loader(request).close()
        return
    with pytest.raises(UsageError) as caught:
        open_loader(request)
    assert caught.value.message.startswith(f"table {table!r}: ")
    assert caught.value.message.endswith((" belongs to the database itself", " belong to SQLite itself"))
    assert caught.value.hint == "use another table: --table NAME"


@pytest.mark.parametrize("database", ["mysql", "SYS", "information_schema"])
def test_a_servers_own_database_is_refused(database: str) -> None:
    """There the ledger would be made, too."""
    with pytest.raises(UsageError) as caught:
        open_loader(LoadRequest(into=parse(f"mysql://root@h/{database}")))
    assert caught.value.message == f"database {database!r}: it belongs to the server itself"
    assert caught.value.hint == "make a database for the tables"


def test_a_client_of_a_reserved_name_loads_into_a_named_table(tmp_path: Path) -> None:
    """By its own name it is refused for good, and nothing is made of it; the error says what to do, and that works."""
    chunk = replace(chunk_of(b"1,Ann\n"), file_name="splitjoin-jobs_20240131")
    into = parse(f"sqlite:{tmp_path / 'load.db'}")
    with contextlib.closing(open_loader(LoadRequest(into=into))) as loader:
        with pytest.raises(BadRowError) as caught:
            loader.load(chunk)
        assert caught.value.message == (f"{chunk.name}: its client's name makes the table 'splitjoin_jobs': {OWN}")
        assert caught.value.hint == "load this client's chunks with --table NAME"
        assert loader.job("splitjoin-jobs_20240131") is None
        assert loader.load(replace(chunk, file_name=JOB)).rows == 1
    with contextlib.closing(open_loader(LoadRequest(into=into, table="people"))) as loader:
        assert loader.load(chunk).rows == 1
    with contextlib.closing(open_loader(LoadRequest(into=into))) as loader:  # retry --join counts without a table
        assert loader.ledger_numbers(chunk.file_name, RUN) == [1]


@pytest.mark.server
def test_a_bare_name_of_postgresqls_catalog_is_refused(postgres: PostgresDatabase) -> None:
    """It is looked for in pg_catalog before any other schema."""
    with (
        contextlib.closing(PostgresqlLoader(postgres.url, None, LoadTarget("pg_am"))) as loader,
        pytest.raises(BadRowError) as caught,
    ):
        loader.load(chunk_of(b"1,Ann\n"))
    assert caught.value.message.endswith("table pg_am: it is a table of the database itself, in the schema pg_catalog")
