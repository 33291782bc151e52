"""The contract of a loader, held by every implementation: see splitjoin_cli/stores/loaders/base.py."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
import time
from typing import TYPE_CHECKING

import pytest

import splitjoin_cli.stores.loaders
from splitjoin_cli.core.errors import BadRowError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.stores.loaders import mysql
from splitjoin_cli.testing.chunks import chunk_of, count_records
from splitjoin_cli.testing.loader_repairs import LoaderRepairsContract
from splitjoin_cli.testing.loader_runs import LoaderRunsContract
from splitjoin_cli.testing.loader_values import LoaderValuesContract
from splitjoin_cli.testing.loaders import LOADED, LoaderContract, ServerLoaderContract, StrictTypesContract, times_of
from splitjoin_cli.testing.loading import WithLoader, fails
from tests.stores.loaders import rigs
from tests.stores.loaders.rigs import SERVERS, STRICT

if TYPE_CHECKING:
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.testing.loading import LoaderRig

COVERED = {"SqliteLoader", "DuckdbLoader", "MysqlLoader", "PostgresqlLoader"}
OF_THEIR_OWN = {"AuroraMysqlLoader", "AuroraPostgresqlLoader", "LoaderByClient"}
"""Two read S3 themselves (tests/stores/loaders/test_aurora.py), one chooses among others (test_by_client.py)."""

rig = rigs.rig


class TestLoaders(LoaderContract, LoaderValuesContract, LoaderRunsContract, LoaderRepairsContract):
    pass


@STRICT
class TestStrictTypes(StrictTypesContract):
    pass


@SERVERS
class TestServerLoaders(ServerLoaderContract):
    @pytest.fixture(autouse=True)
    def _gives_up_soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """On a MySQL connection that was killed; the others notice at once."""
        monkeypatch.setattr(mysql, "WRITE_SECONDS", 2)


def test_every_loader_is_held_to_this_contract() -> None:
    """A loader added to the package and not to this suite fails here."""
    found = set()
    for module in pkgutil.iter_modules(splitjoin_cli.stores.loaders.__path__, "splitjoin_cli.stores.loaders."):
        for name, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if hasattr(kind, "ledger_numbers") and not inspect.isabstract(kind) and name != "Loader":
                found.add(name)
    assert found == COVERED | OF_THEIR_OWN


def test_a_ledger_of_an_earlier_release_is_used_as_it_is(rig: LoaderRig) -> None:
    """It does not note when a load began: that is unknown, and no column is added to it."""
    with contextlib.closing(rig.loader()) as loader:
        loader.prepare()
    rig.query("ALTER TABLE splitjoin_ledger DROP COLUMN began_at")
    with contextlib.closing(rig.loader()) as loader:
        assert loader.load(chunk_of(b"1,a\n2,b\n")) == LOADED
    (only,) = times_of(rig)
    assert (only.number, only.rows, only.began_at) == (1, 2, None)
    assert abs((only.loaded_at or 0) - time.time()) < 60


@pytest.mark.parametrize("rig", ["duckdb"], indirect=True)
class TestDuckdb(WithLoader):
    def test_a_ragged_row_is_told_as_it_is(self, loader: Loader) -> None:
        """DuckDB shows the row after "Original Line: ": it may begin with a number, which is no line's."""
        loader.prepare()
        error = fails(BadRowError, loader, chunk_of(b"1,Ann\n57\n", rows=None))
        assert error.message.endswith(": record 2, line 3 of the chunk: the record has 1 field, not 2")


def test_counting_agrees_with_csv() -> None:
    """What these tests expect is what the csv module says."""
    assert count_records(b'1,"a\nb"\n\n2,c', Dialect()) == 3
