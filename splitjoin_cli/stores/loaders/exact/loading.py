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

    def _screens(self) -> bool:
        """Whether ``_copy`` can be told the condition of the records that it is to keep."""
        return False

    def _load_rows(self, session: Session, chunk: ChunkToLoad, columns: Columns, *, plain: bool) -> int:
        """Load the rows within the transaction, exactly where the target asks for it; see ``_copy``."""
        if not self._target.exact_values:
            return self._copy(session, chunk, columns, plain=plain)
        exact = self._exact_values(session)
        rules = exact.rules(columns)
        self._note_unchecked(rules)
        if not any(rule.kind for rule in rules):
            return self._copy(session, chunk, columns, plain=plain)
        load = self._load_screened if self._screens() else self._load_staged
        exact.save()
        try:
            return load(session, chunk, exact, rules, plain=plain)
        except self.driver_errors as exc:
            if not self._says_bad_data(exc):
                raise
            exact.undo()
            self._copy(session, chunk, columns, plain=plain)  # it names the row
            raise BadRecordError(shown(self._translated(exc).reason), None) from exc

    def _load_screened(
        self, session: Session, chunk: ChunkToLoad, exact: ExactValues, rules: Sequence[ColumnRule], *, plain: bool
    ) -> int:
        """Stage the records alone that may be changed; where none is, the load is the plain one."""
        only = exact.unsure([rule for rule in rules if rule.kind], "")
        if self._stage(session, chunk, exact, rules, only, plain=plain) and (bad := _changed(exact, rules)):
            exact.drop()
            self._stage(session, chunk, exact, rules, None, plain=plain)  # all, to count them
            raise _changed(exact, rules) or bad
        exact.drop()
        return self._copy(session, chunk, tuple(rule.column for rule in rules), plain=plain)

    def _load_staged(
        self, session: Session, chunk: ChunkToLoad, exact: ExactValues, rules: Sequence[ColumnRule], *, plain: bool
    ) -> int:
        """Stage all records, and put them into the table from there: the chunk is read once."""
        self._stage(session, chunk, exact, rules, None, plain=plain)
        if bad := _changed(exact, rules):
            raise bad
        loaded = exact.insert(rules, self._target.run_column, chunk.run_id)
        exact.drop()
        return loaded

    def _stage(
        self,
        session: Session,
        chunk: ChunkToLoad,
        exact: ExactValues,
        rules: Sequence[ColumnRule],
        only: str | None,
        *,
        plain: bool,
    ) -> int:
        exact.make(rules)
        texts = tuple(replace(rule.column, type=self.text_type) for rule in rules)
        return self._into(exact.staging, only)._copy(session, chunk, texts, plain=plain)  # noqa: SLF001 -- of this class

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


def _changed(exact: ExactValues, rules: Sequence[ColumnRule]) -> BadRecordError | None:
    """The first value that its column would change; the rules of equality are imported where they are asked for."""
    from splitjoin_cli.stores.loaders.exact.checking import first_changed  # noqa: PLC0415 -- the same

    return first_changed(exact, rules)


def _unchecked(rules: Sequence[ColumnRule]) -> tuple[str, ...]:
    return tuple(f"{shown(rule.column.name)} ({shown(rule.declared)})" for rule in rules if not rule.is_checked)
