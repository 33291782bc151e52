"""Pairs the rows of a file and of a table that are not on both sides, and keeps the first few of each kind."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.shown import shown
from splitjoin_cli.join.operate.values.report import ChangedRow, ChangedValue, FoundRow, Values

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from splitjoin_cli.join.operate.values.hashing import Forms, Place, Row
    from splitjoin_cli.stores.loaders.exact.base import ColumnRule

    Made = Sequence[str | None]

__all__ = ["Findings", "Held"]

SHOWN_ROWS = 10
SHOWN_BYTES = 95


@dataclass(slots=True, eq=False)
class Held:
    """Rows of one hash. ``at``: the first one's place on its side; ``number``: its chunk's; None: the file has none.

    ``left``: numbers of the chunks whose rows met none of the table; ``more``: rows of the table that met none.
    """

    row: Row
    at: Place
    number: int | None = None
    left: list[int] = field(default_factory=list)
    more: int = 0


class Findings:
    """What differs, counted; the first few are kept."""

    def __init__(self, rules: Sequence[ColumnRule], key: tuple[int, ...], paired: Sequence[int], forms: Forms) -> None:
        """``paired``: those columns of the ``key`` that can be compared."""
        self._rules, self._key, self._paired, self._forms = rules, key, paired, forms
        self._chunks: set[int] = set()
        self._missing: list[tuple[Place, FoundRow]] = []
        self._extra: list[tuple[Place, FoundRow]] = []
        self._changed: list[tuple[Place, ChangedRow]] = []
        self._counts = [0, 0, 0]

    @property
    def any(self) -> bool:
        """Whether something differs."""
        return any(self._counts)

    def settle(self, bucket: Collection[Held]) -> None:
        """Pair what is left of one bucket, and note what differs."""
        left = [one for one in bucket if one.left]
        more = [one for one in bucket if one.more]
        said, kept = (self._forms.of_rows([one.row for one in some], of_file=some is left) for some in (left, more))
        waiting: dict[object, deque[tuple[Held, Made]]] = defaultdict(deque)
        for other, made in zip(more, kept, strict=True):
            waiting[self._paired_by(made)].extend([(other, made)] * other.more)
        for one, made in zip(left, said, strict=True):
            for number in one.left:
                met = waiting.get(self._paired_by(made))
                if self._paired and met:
                    self._note_changed(one, made, *met.popleft(), number)
                else:
                    self._note_missing(one, number)
        for others in waiting.values():
            for other, _ in others:
                self._note_extra(other)

    def _paired_by(self, made: Made) -> tuple[str | None, ...]:
        return tuple([made[place] for place in self._paired])

    def told(self, rows: int, table_rows: int, not_compared: tuple[str, ...], *, complete: bool) -> Values:
        """All of it."""
        missing, extra, changed = self._counts
        return Values(
            rows=rows,
            table_rows=table_rows,
            key=tuple(self._rules[place].column.name for place in self._key),
            not_compared=not_compared,
            chunks=tuple(sorted(self._chunks)),
            missing=tuple(one for _, one in self._missing),
            extra=tuple(one for _, one in self._extra),
            changed=tuple(one for _, one in self._changed),
            missing_rows=missing,
            extra_rows=extra,
            changed_rows=changed,
            complete=complete,
        )

    def _note_missing(self, one: Held, number: int) -> None:
        self._chunks.add(number)
        self._counts[0] += 1
        _keep(self._missing, one.at, lambda: FoundRow(number, self._texts(one.row, range(len(self._rules)))))

    def _note_extra(self, one: Held) -> None:
        if one.number is not None:
            self._chunks.add(one.number)
        self._counts[1] += 1
        _keep(self._extra, one.at, lambda: FoundRow(one.number, self._texts(one.row, range(len(self._rules)))))

    def _note_changed(self, one: Held, said: Made, other: Held, kept: Made, number: int) -> None:
        self._chunks.add(number)
        self._counts[2] += 1

        def changed() -> ChangedRow:
            values = tuple(
                ChangedValue(self._rules[place].column.name, _text(one.row[place]), _text(other.row[place]))
                for place in range(len(self._rules))
                if said[place] != kept[place]
            )
            return ChangedRow(number, self._texts(one.row, self._key), values)

        _keep(self._changed, one.at, changed)

    def _texts(self, row: Row, places: Iterable[int]) -> dict[str, str | None]:
        return {self._rules[place].column.name: _text(row[place]) for place in places}


def _keep(found: list[Any], at: Place, made: Callable[[], object]) -> None:
    """Keep the first few by their place in the file or the table."""
    if len(found) == SHOWN_ROWS and at >= found[-1][0]:
        return
    found.append((at, made()))
    found.sort(key=lambda each: each[0])
    del found[SHOWN_ROWS:]


def _text(value: str | None) -> str | None:
    return None if value is None else shown(value, SHOWN_BYTES)
