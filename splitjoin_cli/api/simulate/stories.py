"""What happened to each chunk of a simulation, as columns: a million stories are some megabytes of numbers."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from splitjoin_cli.api.simulate.report import ChunkStory
from splitjoin_cli.core.ranges import NumberRanges
from splitjoin_cli.core.words import count_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.api.simulate.chunks import ChunkSet

    Pattern = tuple[tuple[str, ...], ...]

__all__ = ["Stories"]


class Stories(Sequence[ChunkStory]):
    """The chunks' stories, by number, each made when it is asked for. Writing is not thread-safe.

    Of a chunk they keep its last event and how often it was tried; of an event, the one before it and its pattern:
    what happened, without the chunk's own name and number of rows, is the same for most of them. ``loaded``: the
    numbers of those that are in the database; none until it is known.
    """

    def __init__(self, found: ChunkSet) -> None:
        """Nothing happened yet. Of the chunks that are stored: a name may claim millions that are not."""
        self.loaded = NumberRanges()
        self._found = found
        self._attempts = array("H", bytes(2 * len(found.numbers)))
        self._last = array("I", bytes(4 * len(found.numbers)))  # an event; 0 where there is none
        self._before = array("I", [0])  # each event's, of the same chunk
        self._events = array("I", [0])  # each event's pattern
        self._patterns: list[Pattern] = []
        self._known: dict[Pattern, int] = {}
        self._hints: dict[int, str] = {}
        self._settled = bytearray(len(found.numbers) // 8 + 1)  # a bit for each chunk

    def begin(self, number: int) -> None:
        """A try of a chunk begins."""
        self._attempts[self._found.numbers.place(number)] += 1

    def tell(self, number: int, event: str) -> None:
        """What a try came to, in words."""
        place = self._found.numbers.place(number)
        name, rows = self._own(place)
        pattern = tuple(tuple(part.split(rows)) for part in event.split(name))
        which = self._known.setdefault(pattern, len(self._patterns))
        if which == len(self._patterns):
            self._patterns.append(pattern)
        self._events.append(which)
        self._before.append(self._last[place])
        self._last[place] = len(self._events) - 1

    def advise(self, number: int, hint: str | None) -> None:
        """The next step that a chunk's last error named."""
        if hint is None:
            self._hints.pop(number, None)
        else:
            self._hints[number] = sys.intern(hint)

    def settle(self, number: int) -> bool:
        """A chunk needs no delivery any more; True the first time alone."""
        at, bit = divmod(self._found.numbers.place(number), 8)
        first = not self._settled[at] >> bit & 1
        self._settled[at] |= 1 << bit
        return first

    def last_event(self, number: int) -> str | None:
        """What a chunk's last try came to; None where it was not delivered."""
        place = self._found.numbers.place(number)
        return self._text(place, self._last[place]) if self._last[place] else None

    def hints(self) -> tuple[str, ...]:
        """What to do about the chunks of which there are no rows, each advice once."""
        return tuple(dict.fromkeys(self._hints[number] for number in sorted(self._hints) if not self._rows(number)))

    def __len__(self) -> int:
        return len(self._found.numbers)

    @overload
    def __getitem__(self, index: int) -> ChunkStory: ...
    @overload
    def __getitem__(self, index: slice) -> list[ChunkStory]: ...

    def __getitem__(self, index: int | slice) -> ChunkStory | list[ChunkStory]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        return self._story(self._found.numbers[index])

    def __iter__(self) -> Iterator[ChunkStory]:
        return map(self._story, self._found.numbers)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # they grow: they are no key

    def __repr__(self) -> str:
        return f"Stories({count_text(len(self), 'chunk')})"

    def _story(self, number: int) -> ChunkStory:
        place = self._found.numbers.place(number)
        events, event = [], self._last[place]
        while event:
            events.append(self._text(place, event))
            event = self._before[event]
        events.reverse()
        return ChunkStory(number, self._rows(number), self._attempts[place], events, self._hints.get(number))

    def _rows(self, number: int) -> int:
        return self._found.rows[self._found.numbers.place(number)] if number in self.loaded else 0

    def _own(self, place: int) -> tuple[str, str]:
        """What a chunk's events say of this chunk alone, if they say it: its object's name, and its rows."""
        name = self._found.uri(self._found.numbers[place]).rpartition("/")[2]
        return name, f" {count_text(self._found.rows[place], 'row')} "

    def _text(self, place: int, event: int) -> str:
        name, rows = self._own(place)
        return name.join(rows.join(part) for part in self._patterns[self._events[event]])
