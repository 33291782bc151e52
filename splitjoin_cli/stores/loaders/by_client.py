"""A loader whose table is the client's name: one worker then serves the exports of many clients."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, final

from splitjoin_cli.core.errors import BadRowError, UsageError
from splitjoin_cli.core.names import parse_file_name
from splitjoin_cli.stores.loaders.base import TableRows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from splitjoin_cli.stores.loaders.base import (
        ChunkToLoad,
        Expectation,
        LedgerJob,
        LedgerTotal,
        Loader,
        LoaderProperties,
        LoadResult,
    )

__all__ = ["LoaderByClient", "table_of_client"]

MOST_LOADERS = 8
"""Clients whose connections are kept; that of the one unused for longest is closed."""


def table_of_client(file_name: str) -> str:
    """The table for a job where none was named: its client, with ``_`` for what is neither letter nor digit."""
    job = parse_file_name(file_name)
    return re.sub(r"\W", "_", job.client if job else file_name)


@final
class LoaderByClient:
    """See Loader. ``table_rows`` is of no use here: no table is named, and it says none. Thread-safe."""

    def __init__(self, open_table: Callable[[str], Loader]) -> None:
        """``open_table``: the loader for a table, not connected yet; raises UsageError for a reserved name."""
        self._open_table = open_table
        self._loaders: OrderedDict[str, Loader] = OrderedDict()
        self._lock = threading.Lock()
        self._any = open_table("by_client")
        self._properties = replace(self._any.properties, table="the client's name")

    @property
    def properties(self) -> LoaderProperties:
        """See Loader."""
        return self._properties

    def table_of(self, file_name: str) -> str:
        """See Loader."""
        return table_of_client(file_name)

    def prepare(self) -> None:
        """See Loader: the ledger is one for all tables of the database."""
        self._any.prepare()

    def load(self, chunk: ChunkToLoad) -> LoadResult:
        """See Loader. A client whose table would have a reserved name raises BadRowError, which says what to do."""
        try:
            loader = self._of(chunk.file_name)
        except UsageError as exc:
            raise BadRowError(
                f"{chunk.name}: its client's name makes the {exc.message}",
                hint="load this client's chunks with --table NAME",
            ) from exc
        return loader.load(chunk)

    def unchecked(self) -> tuple[str, ...]:
        """See Loader: no table is known before its client comes. The first load into each says it in the log."""
        return ()

    def ledger_numbers(self, file_name: str, run_id: str) -> Sequence[int]:
        """See Loader."""
        return self._ledger_of(file_name).ledger_numbers(file_name, run_id)

    def ledger_rows(self, file_name: str, run_id: str) -> LedgerTotal:
        """See Loader."""
        return self._ledger_of(file_name).ledger_rows(file_name, run_id)

    def table_rows(self, file_name: str = "", run_id: str = "") -> TableRows:
        """See Loader, and above."""
        del file_name, run_id
        return TableRows(0)

    def job(self, file_name: str) -> LedgerJob | None:
        """See Loader."""
        return self._ledger_of(file_name).job(file_name)

    def mark_joined(self, file_name: str, run_id: str, joined_at: str, *, total_parts: int = 0) -> bool:
        """See Loader."""
        return self._ledger_of(file_name).mark_joined(file_name, run_id, joined_at, total_parts=total_parts)

    def expect(
        self, file_name: str, run_id: str, generation: int, number: int, checksum: str, *, own: bool, write: bool = True
    ) -> Expectation:
        """See Loader."""
        return self._ledger_of(file_name).expect(file_name, run_id, generation, number, checksum, own=own, write=write)

    def clear_run(self, file_name: str, run_id: str) -> LedgerTotal:
        """See Loader. The client's table is the one that is cleared."""
        return self._of(file_name).clear_run(file_name, run_id)

    def close(self) -> None:
        """See Loader."""
        with self._lock:
            loaders = list(self._loaders.values())
            self._loaders.clear()
        for loader in (self._any, *loaders):
            loader.close()

    def _ledger_of(self, file_name: str) -> Loader:
        """The client's loader, whose connection is at hand; where its table's name is reserved, any will do."""
        try:
            return self._of(file_name)
        except UsageError:
            return self._any

    def _of(self, file_name: str) -> Loader:
        table = table_of_client(file_name)
        with self._lock:
            loader = self._loaders.pop(table, None) or self._open_table(table)
            self._loaders[table] = loader
            unused = self._loaders.popitem(last=False)[1] if len(self._loaders) > MOST_LOADERS else None
        if unused is not None:
            unused.close()
        return loader
