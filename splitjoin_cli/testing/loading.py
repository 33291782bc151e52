"""What the suites of loaders share: a database, what only tests do to it, and a loader on it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from splitjoin_cli.core.units import LARGE_RECORD_BYTES
from splitjoin_cli.testing.chunks import chunk_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.core.errors import LoadError
    from splitjoin_cli.stores.loaders.base import ChunkToLoad, Loader

    MakeChunk = Callable[..., ChunkToLoad]

__all__ = ["NEWER", "TABLE", "DatabaseKind", "LoaderRig", "WithLoader", "fails", "rows_of"]

TABLE = "people"
NEWER = "0f1e2d3c4b5a6978"
"""A run that is not chunks.RUN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseKind:
    """What databases differ in.

    ``empty`` and ``null_word``: what an unquoted empty field and an unquoted NULL become in a text column.
    ``strict_types``: a column of numbers refuses what is not one. ``shared``: others can look into the database while
    a loader has it open. ``long_text``: a type of text columns that takes more than the type of a table that the loader
    makes; None where that takes any. ``largest_field_bytes``: what can be sent to the database. ``fills_run_column``:
    a clause of a column's definition, where the run column needs one, so that the database fills it.
    ``generated``: how a generated column is kept, as its definition says it.
    """

    empty: str | None
    null_word: str | None = "NULL"
    strict_types: bool = True
    shared: bool = True
    long_text: str | None = None
    largest_field_bytes: int = 20 * 1024 * 1024
    fills_run_column: str = ""
    generated: str = "STORED"


class LoaderRig(Protocol):
    """An SQL database that loaders of one kind share, empty at first, and what only tests may do to it."""

    kind: DatabaseKind

    def loader(
        self,
        *,
        create_table: bool = True,
        run_column: str | None = None,
        beside_other_run: bool = False,
        max_record_bytes: int = LARGE_RECORD_BYTES,
    ) -> Loader:
        """One more process on the same database; its table is TABLE."""

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """By the plain driver, committed."""

    def column_names(self) -> list[str]:
        """The columns of TABLE, in their order."""

    def kill_others(self) -> None:
        """End the connections of all loaders, as an administrator would. ServerLoaderContract alone needs it."""


class WithLoader:
    """A loader on the ``rig``, which is a fixture of the subclass or of its module."""

    @pytest.fixture
    def loader(self, rig: LoaderRig) -> Iterator[Loader]:
        """A loader that may make its table."""
        with contextlib.closing(rig.loader()) as made:
            yield made

    @pytest.fixture
    def make_chunk(self) -> MakeChunk:
        """Makes chunks; a loader that reads S3 itself (LoaderProperties.reads_s3) has a fixture of its own."""
        return chunk_of


def rows_of(rig: LoaderRig, columns: str = "id, name", order: str = "1") -> list[tuple[Any, ...]]:
    """The table's rows."""
    return rig.query(f"SELECT {columns} FROM {TABLE} ORDER BY {order}")


def fails(kind: type[LoadError], loader: Loader, chunk: ChunkToLoad) -> LoadError:
    """The error that a load ends with."""
    with pytest.raises(kind) as caught:
        loader.load(chunk)
    return caught.value
