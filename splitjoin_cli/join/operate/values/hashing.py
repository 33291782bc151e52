"""Hashes the rows of a file and of a table by the forms of their values: summed by bucket, or found again."""

from __future__ import annotations

import hashlib
import marshal
import secrets
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.native import kernel
from splitjoin_cli.core.native.rows import As, Ended, HashedRows, Sums, bucket_of
from splitjoin_cli.stores.loaders.exact.canonical import ColumnForms
from splitjoin_cli.stores.loaders.record_text import copied_fields

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable, Collection, Sequence

    from splitjoin_cli.stores.loaders.exact.base import ColumnRule
    from splitjoin_cli.stores.loaders.record_text import RecordText
    from splitjoin_cli.stores.loaders.session import Session

    Row = Sequence[str | None]
    Converter = Callable[[int, Sequence[str]], Sequence[str | None]]
    Place = tuple[int, int]
    Taker = Callable[[Place, int, bytes, Row], None]

__all__ = ["Forms", "Pass", "begin_pass"]

DIGEST_BYTES = 16
MARSHAL_VERSION = 2
"""The last that tells equal values alike, however they are held; rows.h reads it."""
MOST_ANSWERS, MOST_ANSWERED_CHARACTERS = 65_536, 200
"""What a database said of texts, as many as are remembered."""


class Forms:
    """The forms of rows' values. Columns that are not compared are None in them."""

    def __init__(self, rules: Sequence[ColumnRule], converted: Converter) -> None:
        """``converted``: what a column of this place would make of texts, as its database tells it."""
        self._converted = converted
        self._columns = {place: ColumnForms(rule) for place, rule in enumerate(rules) if rule.is_checked}
        self._count = len(rules)
        self._answers: dict[tuple[int, str], str] = {}

    def of_rows(self, rows: Sequence[Row], *, of_file: bool) -> list[list[str | None]]:
        """Those of some rows."""
        made: list[list[str | None]] = [[None] * self._count for _ in rows]
        for place, column in self._columns.items():
            form = column.said if of_file else column.kept
            for row, forms in zip(rows, made, strict=True):
                value = row[place]
                if value is not None:
                    forms[place] = form(value)
            if of_file:
                self._ask(place, column, rows, made)
        return made

    def _ask(self, place: int, column: ColumnForms, rows: Sequence[Row], made: list[list[str | None]]) -> None:
        """Let the database say what those texts are which no rule reads."""
        odd = [
            (text, forms)
            for row, forms in zip(rows, made, strict=True)
            if (text := row[place]) is not None and column.asks(text, forms[place] or "")
        ]
        answers = {text: found for text, _ in odd if (found := self._answers.get((place, text))) is not None}
        asked = {text: forms[place] or "" for text, forms in odd if text not in answers}
        for (text, form), kept in zip(asked.items(), self._converted(place, list(asked)) if asked else (), strict=True):
            answers[text] = column.answered(text, form, kept)
            if len(self._answers) >= MOST_ANSWERS:
                self._answers.clear()
            if len(text) <= MOST_ANSWERED_CHARACTERS:
                self._answers[place, text] = answers[text]
        for text, forms in odd:
            forms[place] = answers[text]

    def natively(self, *, of_file: bool) -> list[As]:
        """How the kernel comes to them."""
        found = [As.NOTHING] * self._count
        for place, column in self._columns.items():
            found[place] = column.of_file if of_file else column.of_table
        return found


class Pass(ABC):
    """All rows of one side, once: summed, or those of some buckets given to a function. A RowSink."""

    def __init__(self, forms: Forms, *, of_file: bool, sums: Sums, take: Taker | None) -> None:
        """``take``: is given each row in order; None: all are summed.

        It gets the row's place, which is the same in each pass, the hash of its bucket, its own, and the row.
        """
        self._forms, self._of_file, self._take = forms, of_file, take
        self.sums = sums
        self._pieces = 0

    @property
    @abstractmethod
    def takes_text(self) -> bool:
        """See RowSink."""

    @abstractmethod
    def text(self, data: bytes, rules: RecordText, *, is_last: bool) -> tuple[int, int, bool]:
        """See RowSink."""

    @abstractmethod
    def rows(self, rows: Sequence[Row]) -> None:
        """See RowSink."""

    def copied(self, data: bytes) -> None:
        """See RowSink."""
        self.rows([copied_fields(row) for row in data.splitlines(keepends=True)])

    def values(self, rows: list[tuple[Any, ...]], session: Session) -> None:
        """See RowSink."""
        self.rows([tuple(map(session.told, row)) for row in rows])


def begin_pass(
    forms: Forms,
    key: bytes,
    by: Collection[int],
    buckets: int,
    *,
    of_file: bool,
    wanted: Collection[int] = (),
    take: Taker | None = None,
) -> Pass:
    """A pass by the kernel, or without one. ``key``: 16 random bytes, the same for all passes of a comparison.

    ``by``: the columns that choose a row's bucket. ``wanted``: the buckets whose rows are given to ``take``.
    """
    native = kernel()
    sums = Sums(buckets)
    if native is None:
        return _PythonPass(forms, key, by, frozenset(wanted), of_file=of_file, sums=sums, take=take)
    return _KernelPass(native.functions, forms, key, by, wanted, of_file=of_file, sums=sums, take=take)


def new_key() -> bytes:
    """A key that nobody knows: sums of hashes by it cannot be made to meet."""
    return secrets.token_bytes(16)


class _KernelPass(Pass):
    def __init__(
        self,
        functions: ctypes.CDLL,
        forms: Forms,
        key: bytes,
        by: Collection[int],
        wanted: Collection[int],
        *,
        of_file: bool,
        sums: Sums,
        take: Taker | None,
    ) -> None:
        super().__init__(forms, of_file=of_file, sums=sums, take=take)
        kinds = forms.natively(of_file=of_file)
        self._kinds = kinds
        chosen = frozenset(by)
        self._hashed = HashedRows(functions, key, kinds, chosen, sums)
        self._odd = HashedRows(functions, key, [As.TEXT] * len(kinds), chosen, sums)
        if take is not None:
            marked = bytearray(sums.buckets)
            for bucket in wanted:
                marked[bucket] = 1
            self._hashed.look_for(bytes(marked))
            self._odd.look_for(bytes(marked))

    @property
    def takes_text(self) -> bool:
        """See RowSink."""
        return True

    def text(self, data: bytes, rules: RecordText, *, is_last: bool) -> tuple[int, int, bool]:
        """See RowSink."""
        self._pieces += 1
        self._hashed.begin_text(rules.shape, is_last=is_last)
        while True:
            ended = self._hashed.text(data)
            self._settle(lambda begin, end: rules.fields(data[begin:end]))
            if ended != Ended.FULL:
                return self._hashed.at, self._hashed.number, ended == Ended.DONE

    def copied(self, data: bytes) -> None:
        """See RowSink."""
        self._pieces += 1
        self._hashed.begin_copy()
        while True:
            ended = self._hashed.copied(data)
            self._settle(lambda begin, end: copied_fields(data[begin:end]))
            if ended == Ended.STRANGE:
                raise ValueError(f"no row of COPY: {data[self._hashed.at :][:100]!r}")
            if ended == Ended.DONE:
                return

    def rows(self, rows: Sequence[Row]) -> None:
        """See RowSink."""
        self._give(list(map(tuple, rows)), lambda row: row)

    def values(self, rows: list[tuple[Any, ...]], session: Session) -> None:
        """See RowSink."""
        self._give(rows, lambda row: tuple(map(session.told, row)), bytes_are_odd=not session.bytes_are_text)

    def _give(
        self, rows: list[tuple[Any, ...]], told: Callable[[tuple[Any, ...]], Row], *, bytes_are_odd: bool = False
    ) -> None:
        self._pieces += 1
        try:
            data = marshal.dumps(rows, MARSHAL_VERSION)
        except ValueError:  # a driver's own kind of value is among them
            data = b""
        self._hashed.begin_values(bytes_are_odd=bytes_are_odd)
        while (ended := self._hashed.values(data)) != Ended.DONE:
            self._settle(lambda number, _: told(rows[number]))
            if ended == Ended.STRANGE:
                begin = self._hashed.number
                self._settle_odd([(number, told(rows[number])) for number in range(begin, len(rows))], [])
                return
        self._settle(lambda number, _: told(rows[number]))

    def _settle(self, row_at: Callable[[int, int], Row]) -> None:
        """What the last call left over."""
        found = (
            []
            if self._take is None
            else [(one.begin, one.by, one.digest, row_at(one.begin, one.end)) for one in self._hashed.found]
        )
        odd = [(begin, row_at(begin, end)) for begin, end in self._hashed.odd]
        self._settle_odd(odd, found)

    def _settle_odd(self, odd: list[tuple[int, Row]], found: list[tuple[int, int, bytes, Row]]) -> None:
        """Bring rows to their forms here, and give what is found in the side's order."""
        if odd:
            made = self._forms.of_rows([row for _, row in odd], of_file=self._of_file)
            data = marshal.dumps(list(map(tuple, made)), MARSHAL_VERSION)
            self._odd.begin_values(bytes_are_odd=False)
            ended = Ended.FULL
            while ended == Ended.FULL:
                ended = self._odd.values(data)
                if self._take is not None:
                    found += [(odd[one.begin][0], one.by, one.digest, odd[one.begin][1]) for one in self._odd.found]
            kinds = self._forms.natively(of_file=self._of_file)
            if kinds != self._kinds:
                self._kinds = kinds
                self._hashed.set_kinds(kinds)
        if self._take is not None:
            for begin, by, digest, row in sorted(found, key=lambda each: each[0]):
                self._take((self._pieces, begin), by, digest, row)


class _PythonPass(Pass):
    """Where the package was built without a compiler."""

    def __init__(
        self,
        forms: Forms,
        key: bytes,
        by: Collection[int],
        wanted: frozenset[int],
        *,
        of_file: bool,
        sums: Sums,
        take: Taker | None,
    ) -> None:
        super().__init__(forms, of_file=of_file, sums=sums, take=take)
        self._key, self._by, self._wanted = key, tuple(by), wanted

    @property
    def takes_text(self) -> bool:
        """See RowSink."""
        return False

    def text(self, data: bytes, rules: RecordText, *, is_last: bool) -> tuple[int, int, bool]:
        """See RowSink."""
        del data, rules, is_last
        return 0, 0, False

    def rows(self, rows: Sequence[Row]) -> None:
        """See RowSink."""
        buckets = self.sums.buckets
        self._pieces += 1
        made = self._forms.of_rows(rows, of_file=self._of_file)
        for number, (row, forms) in enumerate(zip(rows, made, strict=True)):
            digest = self._digest(forms)
            by = int.from_bytes(self._digest([forms[place] for place in self._by])[:8], "little")
            bucket = bucket_of(by, buckets)
            if self._take is None:
                self.sums.add(bucket, digest)
            elif bucket in self._wanted:
                self._take((self._pieces, number), by, digest, row)

    def _digest(self, forms: list[str | None]) -> bytes:
        data = marshal.dumps(forms, MARSHAL_VERSION)
        return hashlib.blake2b(data, digest_size=DIGEST_BYTES, key=self._key).digest()
