"""Loads a chunk as text, compares each value with what its column makes of it, and puts it into the table."""

from __future__ import annotations

import logging
from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from splitjoin_cli.core.shown import shown
from splitjoin_cli.stores.loaders.bad_rows import BadRecordError
from splitjoin_cli.stores.loaders.engine import Engine
from splitjoin_cli.stores.loaders.exact.naming import not_checked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.stores.loaders.base import ChunkToLoad
    from splitjoin_cli.stores.loaders.exact.base import ColumnRule, ExactValues
    from splitjoin_cli.stores.loaders.session import Columns, Session

__all__ = ["ExactEngine"]

_LOG = logging.getLogger(__name__)


class ExactEngine(Engine):
    """What engines share that load values exactly."""

    _noted = False

    @abstractmethod
    def _exact_values(self, session: Session) -> ExactValues:
        """The engine's rules, on ``session``; it is imported where it is asked for."""

    @abstractmethod
    def _says_bad_data(self, error: Exception) -> bool:
        """Whether one of ``driver_errors`` says that a value is not one of its column, or breaks a constraint."""

    def _load_rows(self, session: Session, chunk: ChunkToLoad, columns: Columns, *, plain: bool) -> int:
        """Load the rows within the transaction, exactly where the target asks for it; see ``_copy``."""
        if not self._target.exact_values:
            return self._copy(session, chunk, columns, plain=plain)
        from splitjoin_cli.stores.loaders.exact.checking import check_values  # noqa: PLC0415 -- where it is asked for

        exact = self._exact_values(session)
        rules = exact.rules(columns)
        self._note_unchecked(rules)
        if not any(rule.kind for rule in rules):
            return self._copy(session, chunk, columns, plain=plain)
        exact.make(rules)
        staged = self._into(exact.staging)
        texts = tuple(replace(column, type=self.text_type) for column in columns)
        staged._copy(session, chunk, texts, plain=plain)  # noqa: SLF001 -- another of this class
        exact.save()
        try:
            check_values(exact, rules)
            loaded = exact.insert(rules, self._target.run_column, chunk.run_id)
        except self.driver_errors as exc:
            if not self._says_bad_data(exc):
                raise
            exact.undo()
            self._copy(session, chunk, columns, plain=plain)  # it names the row
            raise BadRecordError(shown(self._translated(exc).reason), None) from exc
        exact.drop()
        return loaded

    def unchecked(self) -> tuple[str, ...]:
        """See Loader."""
        if not self._target.exact_values:
            return ()
        with self._session() as session:
            columns = tuple(column for column in self._table_columns(session) if column.name != self._target.run_column)
            self._noted = bool(columns)
            return _unchecked(self._exact_values(session).rules(columns)) if columns else ()

    def _note_unchecked(self, rules: Sequence[ColumnRule]) -> None:
        if not self._noted and (found := _unchecked(rules)):
            _LOG.warning("%s", not_checked(self._target.table, found))
        self._noted = True


def _unchecked(rules: Sequence[ColumnRule]) -> tuple[str, ...]:
    return tuple(f"{shown(rule.column.name)} ({shown(rule.declared)})" for rule in rules if not rule.is_checked)
