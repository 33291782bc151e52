"""The stored chunks of one job, as a listing shows them, in columns: a million of them are 28 MB, not 500."""

from __future__ import annotations

import re
import threading
from array import array
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import NotAFileError
from splitjoin_cli.core.model import StoredObject
from splitjoin_cli.core.names import SUFFIX_OF, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from splitjoin_cli.core.format.plan_file import PlanFile
    from splitjoin_cli.core.ranges import NumberRanges
    from splitjoin_cli.stores.sinks.base import Batches, Sink

__all__ = ["FEW", "StoredChunks", "batches_of", "sizes_of"]

FEW = 256
"""So many names are looked at one by one: to list a directory takes time for all that is in it, other splits too."""

_MD5 = re.compile('"([0-9a-f]{32})"')
_HALF = 64
_SPARSE = 8
"""Numbers up to so many times as many as there are have a column of their places; else a dict has them."""


def batches_of(sink: Sink) -> Batches | None:
    """What lists, stages and publishes many objects at a time; None where they go one by one."""
    return getattr(sink.staging, "batches", None)


def sizes_of(sink: Sink, names: Iterable[str]) -> array[int]:
    """The size of each object, -1 of what is not there, or is no file."""
    sizes = array("q")
    for name in names:
        stored: StoredObject | None = None
        with suppress(NotAFileError):
            stored = sink.head(name)
        sizes.append(-1 if stored is None else stored.size)
    return sizes


class StoredChunks(Mapping[str, StoredObject]):
    """Chunks by name. Those that are called as the first of them is, and all look alike, are columns.

    ``numbers`` and ``sizes``: of those, in any order, of chunks that are called ``name(number)``.
    """

    def __init__(self, file_name: str) -> None:
        """None yet of the job ``file_name``."""
        self._prefix = f"{file_name}-"
        self._batches: Batches | None = None
        self._total, self._suffix = 0, ""
        self.numbers, self.sizes = array("i"), array("q")
        self._marks = (array("Q"), array("Q"))
        self._others: dict[str, StoredObject] = {}
        self._places: dict[int, int] | array[int] | None = None
        self._placing = threading.Lock()
        self._forgotten = 0

    def fill(self, sink: Sink, name_prefix: str, *, sizes: bool = True, about: int = 0) -> Iterator[StoredObject]:
        """List ``sink``, keep the job's chunks, and hand out what else begins with ``name_prefix``.

        Without ``sizes`` nothing but their names is needed, and may be asked for. ``about``: how many there may be, so
        that the columns need not grow: a heap is left with holes by those that do.
        """
        self._batches = batches_of(sink)
        if self._batches is None:
            for stored in sink.list(name_prefix):
                if not self.add(stored):
                    yield stored
            return
        room = about if sizes else 0
        self.numbers, self.sizes = array("i", [0]) * about, array("q", [0]) * room
        self._marks = (array("q", [0]) * room, array("q", [0]) * room)
        filled = 0
        for listed in self._batches.list_all(name_prefix, self._prefix, sizes=sizes):
            self._total, self._suffix = listed.total, listed.suffix
            for column, more in zip(self._columns, (listed.numbers, listed.sizes, *listed.marks), strict=True):
                column[filled : filled + len(more)] = more
            filled += len(listed.numbers)
            for stored in listed.others:
                if not self._add_other(stored):
                    yield stored
        for column in self._columns:
            del column[filled:]

    def add(self, stored: StoredObject) -> bool:
        """Keep an object that a listing showed, if it is one of the job's chunks; whether it is."""
        chunk = parse(stored.name)
        if chunk is None or f"{chunk.file_name}-" != self._prefix:
            return chunk is not None  # another job's: of no interest
        etag = _MD5.fullmatch(stored.validator or "")
        if not self._total:
            self._total, self._suffix = chunk.total, SUFFIX_OF[chunk.compression]
        if etag is None or stored.metadata is not None or stored.name != self.name(chunk.number):
            self._others[stored.name] = stored
            return True
        self.numbers.append(chunk.number)
        self.sizes.append(stored.size)
        high, low = divmod(int(etag[1], 16), 1 << _HALF)
        self._marks[0].append(high)
        self._marks[1].append(low)
        self._places = None
        return True

    def _add_other(self, stored: StoredObject) -> bool:
        chunk = parse(stored.name)
        if chunk is not None and f"{chunk.file_name}-" == self._prefix:
            self._others[stored.name] = stored
        return chunk is not None

    @property
    def _columns(self) -> tuple[array[int], ...]:
        return (self.numbers, self.sizes, *self._marks)

    def name(self, number: int) -> str:
        """The name of chunk ``number``, as those in columns are called."""
        return f"{self._prefix}{number:0{len(str(self._total))}d}-{self._total}{self._suffix}"

    def flags_of(self, plan: PlanFile) -> bytearray:
        """By number, from 0, which is none: 1 for each chunk of ``plan`` that is in the columns, and has its size."""
        flags = bytearray(len(plan.chunks) + 1)
        if (self._prefix, self._total, self._suffix) == (
            f"{plan.file_name}-",
            len(plan.chunks),
            SUFFIX_OF[plan.compression],
        ):
            header, starts = plan.header_bytes, plan.chunks.starts
            for number, size in zip(self.numbers, self.sizes, strict=True):
                if size == header + starts[number] - starts[number - 1]:
                    flags[number] = 1
        return flags

    def forget(self, numbers: NumberRanges) -> None:
        """Free what the columns have of these chunks, of which nothing is asked any more; they are counted still."""
        flags = bytearray(self._total + 1)
        for first, last in numbers.ranges():
            flags[first : last + 1] = b"\1" * (last - first + 1)
        columns, kept = self._columns, 0
        for place, number in enumerate(self.numbers):
            if not flags[number]:
                for column in columns:
                    column[kept] = column[place]
                kept += 1
        self._forgotten += len(self.numbers) - kept
        for column in columns:
            del column[kept:]
        self._places = None

    def __len__(self) -> int:
        return len(self.numbers) + len(self._others) + self._forgotten

    def __iter__(self) -> Iterator[str]:
        yield from map(self.name, self.numbers)
        yield from self._others

    def __getitem__(self, name: str) -> StoredObject:
        other = self._others.get(name)
        if other is not None:
            return other
        chunk = parse(name)
        place = None if chunk is None else self._place(chunk.number)
        if place is None or self.name(self.numbers[place]) != name:
            raise KeyError(name)
        return StoredObject(name, self.sizes[place], validator=self._validator(place))

    def _validator(self, place: int) -> str:
        first, second = (column[place] for column in self._marks)
        return (
            f'"{first << _HALF | second:032x}"' if self._batches is None else self._batches.validator((first, second))
        )

    def _place(self, number: int) -> int | None:
        """Where the columns have a chunk."""
        with self._placing:  # several threads ask for their first one at once: one of them puts the places together
            places = self._places = self._all_places() if self._places is None else self._places
        if isinstance(places, dict):
            return places.get(number)
        place = places[number] if 0 < number < len(places) else 0
        return place - 1 if place else None

    def _all_places(self) -> dict[int, int] | array[int]:
        largest = max(self.numbers, default=0)
        if largest > _SPARSE * len(self.numbers):
            return {number: place for place, number in enumerate(self.numbers)}
        places = array("i", [0]) * (largest + 1)
        for place, number in enumerate(self.numbers, start=1):
            places[number] = place
        return places
