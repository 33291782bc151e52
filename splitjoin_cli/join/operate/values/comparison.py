"""Compares the rows of a table with the records that they came from: multisets, by hashes, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from splitjoin_cli.core.native.rows import bucket_of
from splitjoin_cli.core.shown import shown
from splitjoin_cli.join.operate.values.hashing import Forms, begin_pass, new_key
from splitjoin_cli.join.operate.values.settling import Findings, Held
from splitjoin_cli.stores.loaders.exact.canonical import is_precise

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from splitjoin_cli.core.native.rows import Sums
    from splitjoin_cli.join.operate.values.hashing import Converter, Pass, Place, Row, Taker
    from splitjoin_cli.join.operate.values.report import Values
    from splitjoin_cli.stores.loaders.exact.base import ColumnRule

__all__ = ["Limits", "Side", "compare_values"]

ROW_BYTES, FIELD_BYTES = 400, 60
"""What a row that is held takes beside its characters."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is held at once: ``rows`` and their ``data_bytes``. ``passes``: so often both sides are read again at most.

    ``buckets``: rows are told apart in so many parts first.
    """

    rows: int = 100_000
    data_bytes: int = 128 * 1024 * 1024
    passes: int = 8
    buckets: int = 16_384


class Side(Protocol):
    """Rows of a file, or of a table."""

    @property
    def number(self) -> int:
        """The chunk whose rows are given; of a table it is not asked for."""

    def read(self, sink: Pass) -> None:
        """Give all rows. MUST give the same each time, in the same order."""


def compare_values(
    rules: Sequence[ColumnRule],
    key: Sequence[int],
    file: Side,
    table: Side,
    *,
    converted: Converter,
    limits: Limits | None = None,
) -> Values:
    """Compare; both sides may be read several times.

    ``key``: places of the columns that tell rows apart; empty: no row is said to be changed. ``converted``: what the
    table's column of this place would make of texts, as it is told; None: nothing. Each row is hashed with its values
    in one spelling, with a key that is drawn anew. The hashes are summed by bucket: of all rows with one key, on both
    sides, there is one bucket. Where all sums are the same, so are the rows. Of the buckets that differ, as many as
    ``limits`` allow are read again at once, and their rows are paired.
    """
    return _Comparison(rules, key, converted, limits or Limits()).run(file, table)


Bucket = dict[bytes, Held]


@dataclass(slots=True)
class _Collected:
    """The rows of some buckets, and those buckets that there was no room for."""

    held: dict[int, Bucket]
    put_off: list[int] = field(default_factory=list)


class _Comparison:
    def __init__(self, rules: Sequence[ColumnRule], key: Sequence[int], converted: Converter, limits: Limits) -> None:
        self._rules, self._key, self._limits = rules, tuple(key), limits
        compared = [place for place, rule in enumerate(rules) if rule.is_checked]
        paired = [place for place in self._key if rules[place].is_checked]
        precise = [place for place in paired or compared if is_precise(rules[place])]
        self._by = precise or paired or compared
        self._forms = Forms(rules, converted)
        self._secret = new_key()
        self._findings = Findings(rules, self._key, paired, self._forms)

    def run(self, file: Side, table: Side) -> Values:
        said, kept = self._sums(file, of_file=True), self._sums(table, of_file=False)
        differing = said.differing(kept)
        complete, passes = True, 0
        while differing:
            if passes >= self._limits.passes and self._findings.any:
                complete = False
                break
            passes += 1
            wanted, differing = self._first(differing, said.counts, kept.counts)
            collected = self._collect(wanted, file, table)
            put_off = collected.put_off
            if not collected.held:
                complete, put_off = False, put_off[1:]  # of one bucket more than may be held
            for bucket in collected.held.values():
                self._findings.settle(bucket.values())
            differing = put_off + differing
        return self._findings.told(sum(said.counts), sum(kept.counts), self._not_compared(), complete=complete)

    def _not_compared(self) -> tuple[str, ...]:
        return tuple(
            f"{shown(rule.column.name)} ({shown(rule.declared)})" for rule in self._rules if not rule.is_checked
        )

    def _sums(self, side: Side, *, of_file: bool) -> Sums:
        summed = self._pass(of_file=of_file)
        side.read(summed)
        return summed.sums

    def _pass(self, *, of_file: bool, wanted: Collection[int] = (), take: Taker | None = None) -> Pass:
        buckets = self._limits.buckets
        return begin_pass(self._forms, self._secret, self._by, buckets, of_file=of_file, wanted=wanted, take=take)

    # What the hashes do not clear.

    def _first(self, differing: list[int], file: Sequence[int], table: Sequence[int]) -> tuple[list[int], list[int]]:
        """As many of the buckets as may be held by their rows, one at least, and the others."""
        rows = 0
        for place, bucket in enumerate(differing):
            rows += file[bucket] + table[bucket]
            if place and rows > self._limits.rows:
                return differing[:place], differing[place:]
        return differing, []

    def _collect(self, wanted: list[int], file: Side, table: Side) -> _Collected:
        collected = _Collected({bucket: {} for bucket in wanted})
        room = _Room(collected, self._limits)
        buckets = self._limits.buckets

        def take_said(at: Place, by: int, digest: bytes, row: Row) -> None:
            bucket = collected.held.get(bucket_of(by, buckets))
            if bucket is None:
                return
            one = bucket.get(digest) or bucket.setdefault(digest, Held(row, at, file.number))
            one.left.append(file.number)
            room.take(one)

        def take_kept(at: Place, by: int, digest: bytes, row: Row) -> None:
            bucket = collected.held.get(bucket_of(by, buckets))
            if bucket is None:
                return
            one = bucket.get(digest) or bucket.setdefault(digest, Held(row, at))
            if one.left:
                one.left.pop()
                return
            one.row = row
            one.more += 1
            room.take(one)

        file.read(self._pass(of_file=True, wanted=wanted, take=take_said))
        table.read(self._pass(of_file=False, wanted=wanted, take=take_kept))
        return collected


class _Room:
    """Keeps the rows that are held within their bounds: the last buckets give way."""

    def __init__(self, collected: _Collected, limits: Limits) -> None:
        self._collected, self._limits = collected, limits
        self._rows = self._bytes = 0

    def take(self, one: Held) -> None:
        """One more row of this hash is held; what makes it is held once."""
        self._rows += 1
        self._bytes += _size(one)
        held, limits = self._collected.held, self._limits
        while held and (self._bytes > limits.data_bytes or self._rows > 2 * limits.rows):
            number, bucket = held.popitem()
            self._collected.put_off.insert(0, number)
            for other in bucket.values():
                count = len(other.left) + other.more
                self._rows -= count
                self._bytes -= count * _size(other)


def _size(one: Held) -> int:
    return ROW_BYTES + sum([FIELD_BYTES + len(value or "") for value in one.row])
