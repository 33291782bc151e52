"""Compares the rows of a table with the records that they came from: multisets, by hashes, in bounded memory."""

from __future__ import annotations

import hashlib
import marshal
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.shown import shown
from splitjoin_cli.stores.loaders.exact.canonical import form_of, is_precise
from splitjoin_cli.stores.loaders.exact.checking import is_same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from splitjoin_cli.stores.loaders.exact.base import ColumnRule

    Row = Sequence[str | None]
    Forms = list[tuple[int, Callable[[str], str]]]

__all__ = ["ChangedRow", "ChangedValue", "FoundRow", "Limits", "Values", "compare_values"]

SHOWN_ROWS = 10
SHOWN_BYTES = 95
DIGEST_BYTES = 16
ROW_BYTES, FIELD_BYTES = 400, 60
"""What a row that is held takes beside its characters."""
MOST_TRIED = 1000
"""Rows of one key that a row is compared with, to find its like."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is held at once: ``rows`` and their ``data_bytes``. ``passes``: so often both sides are read again at most.

    ``buckets``: rows are told apart in so many parts first.
    """

    rows: int = 100_000
    data_bytes: int = 128 * 1024 * 1024
    passes: int = 8
    buckets: int = 65_536


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row of one side alone. ``number``: its chunk's; None where it is of none. ``row``: its texts by column."""

    number: int | None
    row: dict[str, str | None]

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {"number": self.number, "row": self.row}


@dataclass(frozen=True, slots=True)
class ChangedValue:
    """A column's text in the file, and in the table; None is NULL."""

    column: str
    file: str | None
    table: str | None


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row of both sides that has other values in the table. ``key``: its key's texts by column."""

    number: int
    key: dict[str, str | None]
    values: tuple[ChangedValue, ...]

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        values = [{"column": one.column, "file": one.file, "table": one.table} for one in self.values]
        return {"number": self.number, "key": self.key, "values": values}


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What a comparison found. Texts are shortened, and control characters escaped.

    ``compared_parts``: chunks; ``rows``, ``table_rows``: records in them, and rows in the table. ``chunks``: the
    numbers of those that differ. ``missing``, ``extra``, ``changed``: the first few, and how many there are.
    ``complete``: False where more differs than was looked at, and the numbers are the least. ``not_compared``: columns
    of types without a rule.
    """

    compared_parts: int = 0
    rows: int
    table_rows: int
    key: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()
    chunks: tuple[int, ...] = ()
    missing: tuple[FoundRow, ...] = ()
    extra: tuple[FoundRow, ...] = ()
    changed: tuple[ChangedRow, ...] = ()
    missing_rows: int = 0
    extra_rows: int = 0
    changed_rows: int = 0
    complete: bool = True

    @property
    def agree(self) -> bool:
        """Whether the table holds the chunks' rows, and no others."""
        return self.complete and not (self.missing_rows or self.extra_rows or self.changed_rows)

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "agree": self.agree,
            "complete": self.complete,
            "compared_parts": self.compared_parts,
            "rows": self.rows,
            "table_rows": self.table_rows,
            "key": list(self.key),
            "not_compared": list(self.not_compared),
            "chunks": list(self.chunks),
            "missing_rows": self.missing_rows,
            "missing": [one.to_json() for one in self.missing],
            "extra_rows": self.extra_rows,
            "extra": [one.to_json() for one in self.extra],
            "changed_rows": self.changed_rows,
            "changed": [one.to_json() for one in self.changed],
        }


def compare_values(
    rules: Sequence[ColumnRule],
    key: Sequence[int],
    records: Callable[[], Iterable[tuple[int, Row]]],
    rows: Callable[[], Iterable[Row]],
    *,
    limits: Limits | None = None,
) -> Values:
    """Compare; both sides may be read several times, and MUST give the same each time, in the same order.

    ``key``: places of the columns that tell rows apart; empty: no row is said to be changed. ``records``: those of the
    file, each with its chunk's number. Each row is hashed with its values in one spelling, with a key that is drawn
    anew. The hashes are summed by bucket: of all rows with one key, on both sides, there is one bucket. Where all sums
    are the same, so are the rows. Of the buckets that differ, as many as ``limits`` allow are read again at once, and
    what hashes do not clear is compared value by value: another spelling is no difference.
    """
    return _Comparison(rules, key, limits or Limits()).run(records, rows)


@dataclass(slots=True, eq=False)
class _Held:
    """Rows of one hash, ``by`` the values that their bucket has them by.

    ``left``: numbers of the chunks whose rows met none of the table; ``more``: rows of the table that met none.
    ``number``: of the first such row's chunk; None: the file has none. ``at``: its place on its side.
    """

    row: Row
    by: int
    at: int
    number: int | None = None
    left: list[int] = field(default_factory=list)
    more: int = 0


Bucket = dict[bytes, _Held]


@dataclass(slots=True)
class _Sums:
    """For each bucket the sum of its rows' hashes, and their number."""

    sums: list[int]
    counts: list[int]
    total: int = 0


class _Comparison:
    def __init__(self, rules: Sequence[ColumnRule], key: Sequence[int], limits: Limits) -> None:
        self._rules, self._key, self._limits = rules, tuple(key), limits
        self._compared = [place for place, rule in enumerate(rules) if rule.is_checked]
        self._paired = [place for place in self._key if rules[place].is_checked]
        precise = [place for place in self._paired or self._compared if is_precise(rules[place])]
        self._by = precise or self._paired or self._compared
        self._secret = secrets.token_bytes(32)
        self._said: Forms = []
        self._kept: Forms = []
        for place in self._compared:
            said, kept = form_of(rules[place])
            if said is not None and kept is not None:
                self._said.append((place, said))
                self._kept.append((place, kept))
        self._unchecked = [place for place, rule in enumerate(rules) if not rule.is_checked]
        self._chunks: set[int] = set()
        self._missing: list[tuple[int, FoundRow]] = []
        self._extra: list[tuple[int, FoundRow]] = []
        self._changed: list[tuple[int, ChangedRow]] = []
        self._counts = [0, 0, 0]

    def run(self, records: Callable[[], Iterable[tuple[int, Row]]], rows: Callable[[], Iterable[Row]]) -> Values:
        file = self._sum((row for _, row in records()), self._said)
        table = self._sum(rows(), self._kept)
        differing = [
            bucket
            for bucket in range(self._limits.buckets)
            if file.sums[bucket] != table.sums[bucket] or file.counts[bucket] != table.counts[bucket]
        ]
        complete, passes = True, 0
        while differing:
            if passes >= self._limits.passes and any(self._counts):
                complete = False
                break
            passes += 1
            wanted, differing = self._first(differing, file.counts, table.counts)
            held, put_off = self._collect(wanted, records, rows)
            if not held:
                complete, put_off = False, put_off[1:]  # of one bucket more than may be held
            for bucket in held.values():
                self._settle(bucket)
            differing = put_off + differing
        return Values(
            rows=file.total,
            table_rows=table.total,
            key=tuple(self._rules[place].column.name for place in self._key),
            not_compared=tuple(
                f"{shown(self._rules[place].column.name)} ({shown(self._rules[place].declared)})"
                for place in self._unchecked
            ),
            chunks=tuple(sorted(self._chunks)),
            missing=tuple(one for _, one in self._missing),
            extra=tuple(one for _, one in self._extra),
            changed=tuple(one for _, one in self._changed),
            missing_rows=self._counts[0],
            extra_rows=self._counts[1],
            changed_rows=self._counts[2],
            complete=complete,
        )

    # Hashes.

    def _hashed(self, rows: Iterable[Row], forms: Forms) -> Iterator[tuple[int, bytes, Row]]:
        """Each row with the hash of what its bucket has it by, and its own."""
        by, secret, unchecked = self._by, self._secret, self._unchecked
        for row in rows:
            formed = list(row)
            for place, form in forms:
                value = formed[place]
                if value is not None:
                    formed[place] = form(value)
            for place in unchecked:
                formed[place] = None
            # version 2 of the format is the last that tells equal values alike, however they are held
            data = marshal.dumps(formed, 2)
            digest = hashlib.blake2b(data, digest_size=DIGEST_BYTES, key=secret).digest()
            yield hash(tuple([formed[place] for place in by])), digest, row

    def _sum(self, rows: Iterable[Row], forms: Forms) -> _Sums:
        buckets, modulus = self._limits.buckets, 1 << 8 * DIGEST_BYTES
        sums, counts, total = [0] * buckets, [0] * buckets, 0
        for by, digest, _ in self._hashed(rows, forms):
            bucket = by % buckets
            sums[bucket] = (sums[bucket] + int.from_bytes(digest, "big")) % modulus
            counts[bucket] += 1
            total += 1
        return _Sums(sums, counts, total)

    # What the hashes do not clear.

    def _first(self, differing: list[int], file: list[int], table: list[int]) -> tuple[list[int], list[int]]:
        """As many of the buckets as may be held by their rows, one at least, and the others."""
        rows = 0
        for place, bucket in enumerate(differing):
            rows += file[bucket] + table[bucket]
            if place and rows > self._limits.rows:
                return differing[:place], differing[place:]
        return differing, []

    def _collect(
        self,
        wanted: list[int],
        records: Callable[[], Iterable[tuple[int, Row]]],
        rows: Callable[[], Iterable[Row]],
    ) -> tuple[dict[int, Bucket], list[int]]:
        """The rows of some buckets, and those buckets that there was no room for."""
        held: dict[int, Bucket] = {bucket: {} for bucket in wanted}
        room = _Room(held, self._limits)
        current = [0]
        hashed = self._hashed(_following(records(), current), self._said)
        buckets = self._limits.buckets
        for at, (by, digest, row) in enumerate(hashed):
            bucket = held.get(by % buckets)
            if bucket is None:
                continue
            one = bucket.get(digest) or bucket.setdefault(digest, _Held(row, by, at, current[0]))
            one.left.append(current[0])
            room.take(one)
        for at, (by, digest, row) in enumerate(self._hashed(rows(), self._kept)):
            bucket = held.get(by % buckets)
            if bucket is None:
                continue
            one = bucket.get(digest) or bucket.setdefault(digest, _Held(row, by, at))
            if one.left:
                one.left.pop()
                continue
            one.row = row
            one.more += 1
            room.take(one)
        return held, room.put_off

    def _settle(self, bucket: Bucket) -> None:
        """Pair what is left of one bucket, and note what differs."""
        more: dict[int, list[_Held]] = {}
        for one in bucket.values():
            more.setdefault(one.by, []).extend([one] * one.more)
        left = [(one, number) for one in bucket.values() for number in one.left]
        missing = [(one, number) for one, number in left if self._taken(one, more, self._compared) is None]
        for one, number in missing:
            met = self._taken(one, more, self._paired) if self._paired else None
            if met is None:
                self._note_missing(one, number)
            else:
                self._note_changed(one, met, number)
        for others in more.values():
            for other in others:
                self._note_extra(other)

    def _taken(self, one: _Held, more: dict[int, list[_Held]], places: Sequence[int]) -> _Held | None:
        """A row of the table that has the same values in some columns; it is taken out of ``more``."""
        others = more.get(one.by, [])
        for index, other in enumerate(others[:MOST_TRIED]):
            if self._matches(one.row, other.row, places):
                return others.pop(index)
        return None

    def _matches(self, file: Row, table: Row, places: Sequence[int]) -> bool:
        return all(self._same(place, file[place], table[place]) for place in places)

    def _same(self, place: int, file: str | None, table: str | None) -> bool:
        if file is None or table is None:
            return file is table
        return is_same(self._rules[place], file, table)

    # The report.

    def _note_missing(self, one: _Held, number: int) -> None:
        self._chunks.add(number)
        self._counts[0] += 1
        _keep(self._missing, one.at, lambda: FoundRow(number, self._told(one.row, range(len(self._rules)))))

    def _note_extra(self, one: _Held) -> None:
        if one.number is not None:
            self._chunks.add(one.number)
        self._counts[1] += 1
        _keep(self._extra, one.at, lambda: FoundRow(one.number, self._told(one.row, range(len(self._rules)))))

    def _note_changed(self, one: _Held, other: _Held, number: int) -> None:
        self._chunks.add(number)
        self._counts[2] += 1
        places = [place for place in self._compared if not self._same(place, one.row[place], other.row[place])]

        def changed() -> ChangedRow:
            values = tuple(
                ChangedValue(self._rules[place].column.name, _text(one.row[place]), _text(other.row[place]))
                for place in places
            )
            return ChangedRow(number, self._told(one.row, self._key), values)

        _keep(self._changed, one.at, changed)

    def _told(self, row: Row, places: Iterable[int]) -> dict[str, str | None]:
        return {self._rules[place].column.name: _text(row[place]) for place in places}


class _Room:
    """Keeps the rows that are held within their bounds: the last buckets give way."""

    def __init__(self, held: dict[int, Bucket], limits: Limits) -> None:
        self._held, self._limits = held, limits
        self._rows = self._bytes = 0
        self.put_off: list[int] = []

    def take(self, one: _Held) -> None:
        """One more row of this hash is held; what makes it is held once."""
        self._rows += 1
        self._bytes += _size(one)
        while self._held and (self._bytes > self._limits.data_bytes or self._rows > 2 * self._limits.rows):
            number, bucket = self._held.popitem()
            self.put_off.insert(0, number)
            for other in bucket.values():
                count = len(other.left) + other.more
                self._rows -= count
                self._bytes -= count * _size(other)


def _size(one: _Held) -> int:
    return ROW_BYTES + sum([FIELD_BYTES + len(value or "") for value in one.row])


def _following(records: Iterable[tuple[int, Row]], current: list[int]) -> Iterator[Row]:
    """The rows alone; ``current`` has the number of the one that was given last."""
    for current[0], row in records:
        yield row


def _keep(found: list[Any], at: int, made: Callable[[], object]) -> None:
    """Keep the first few by their place in the file or the table."""
    if len(found) == SHOWN_ROWS and at >= found[-1][0]:
        return
    found.append((at, made()))
    found.sort(key=lambda each: each[0])
    del found[SHOWN_ROWS:]


def _text(value: str | None) -> str | None:
    return None if value is None else shown(value, SHOWN_BYTES)
