"""A source without the lines that are around its records: what is left of it reads as a source of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

from splitjoin_cli.core.bytes.pieces import PiecewiseStream
from splitjoin_cli.core.errors import BadInputError
from splitjoin_cli.core.model import LF, ByteRange
from splitjoin_cli.stores.sources.base import announce
from splitjoin_cli.stores.sources.positioned import PositionedStream
from splitjoin_cli.stores.sources.stream import cannot_seek

if TYPE_CHECKING:
    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.bytes.lines import LineRule
    from splitjoin_cli.core.model import SourceProperties
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["MAX_TAIL_BYTES", "TailRule", "Window", "WindowSource", "endless_tail"]

MAX_TAIL_BYTES = 16 * 1024 * 1024
"""The lines that may be the last ones are kept in memory."""
_BLOCK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class TailRule:
    """Which lines at the end are left out: the last ``lines`` that are not blank, with the blank ones around them."""

    lines: int
    rule: LineRule


@dataclass(frozen=True, slots=True)
class Window:
    """What of a source is there, by the source's places: from ``start`` to ``end``, less ``gap`` within it.

    ``end``: None where nothing but reading tells; ``tail`` then says what is left out at the end (None: nothing).
    """

    start: int
    gap: ByteRange
    end: int | None = None
    tail: TailRule | None = None

    def place_of(self, offset: int) -> int:
        """The source's place of a place in the window."""
        place = self.start + offset
        return place if place < self.gap.start else place + self.gap.size


def endless_tail(uri: str, lines: int) -> BadInputError:
    """The lines at the end are more than may be."""
    what = f"the last {lines} lines are" if lines else "the blank lines at the end are"
    return BadInputError(
        f"{uri}: {what} larger than {MAX_TAIL_BYTES >> 20} MiB", hint="check --skip-trailer and the end of the file"
    )


@final
class WindowSource:
    """See Source for the contract; places count from the window's start. Closing this closes ``base``.

    ``tail``: the bytes that are left out at the end; of a source that cannot seek after the first whole pass.
    """

    def __init__(self, base: Source, window: Window, *, tail: bytes = b"") -> None:
        """``tail``: as above, where it is known."""
        self.base, self.window, self.tail = base, window, tail
        size = None if window.end is None else window.end - window.start - window.gap.size
        stored = base.properties.stored_bytes if size is None else size  # what a pass over it reads
        self._properties = replace(base.properties, size=size, stored_bytes=stored)

    @property
    def properties(self) -> SourceProperties:
        """See Source."""
        return self._properties

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:
        """See Source."""
        if self._properties.size is None:
            raise cannot_seek(self._properties.uri)
        wanted = max(min(len(buffer), self._properties.size - offset), 0)
        before = min(max(self.window.gap.start - self.window.start - offset, 0), wanted)
        filled = self.base.read_at(self.window.start + offset, buffer[:before], came) if before else 0
        if filled < before or before == wanted:
            return filled
        return before + self.base.read_at(self.window.place_of(offset + before), buffer[before:wanted], came)

    def announce(self, part: ByteRange) -> None:
        """See ``base.announce``. What lies around the gap is read in two pieces, and is not announced."""
        begin, end = self.window.place_of(part.start), self.window.place_of(part.end - 1) + 1
        if end - begin == part.size:
            announce(self.base, ByteRange(begin, end))

    def stream(self, came: Moved | None = None) -> ByteStream:
        """See Source."""
        if self._properties.seekable:
            return PositionedStream(self, came)
        inside = _Inside(self.base.stream(came), self.window)
        return inside if self.window.tail is None else _HoldsTail(inside, self.window.tail, self)

    def check_unchanged(self) -> None:
        """See Source."""
        self.base.check_unchanged()

    def close(self) -> None:
        """See Source."""
        self.base.close()


class _Inside:
    """A pass over a source, without what is before the window and in its gap."""

    def __init__(self, inner: ByteStream, window: Window) -> None:
        self._inner, self._at = inner, 0
        self._skips = [(0, window.start), (window.gap.start, window.gap.end)]

    def readinto(self, buffer: memoryview) -> int:
        """See ByteStream."""
        filled = 0
        while filled < len(buffer):
            self._skip()
            most = min([start - self._at for start, _ in self._skips] + [len(buffer) - filled])
            got = self._inner.readinto(buffer[filled : filled + most])
            filled, self._at = filled + got, self._at + got
            if got < most:
                break
        return filled

    def _skip(self) -> None:
        while self._skips and self._skips[0][0] <= self._at:
            _, end = self._skips.pop(0)
            block = memoryview(bytearray(min(_BLOCK_BYTES, max(end - self._at, 0))))
            while self._at < end:
                got = self._inner.readinto(block[: end - self._at])
                self._at += got
                if not got:
                    return

    def close(self) -> None:
        """See ByteStream."""
        self._inner.close()


class _HoldsTail(PiecewiseStream):
    """A pass that gives nothing which may be of the last lines, until it is known not to be."""

    def __init__(self, inner: ByteStream, tail: TailRule, source: WindowSource) -> None:
        super().__init__()
        self._inner, self._tail, self._source = inner, tail, source
        self._block = memoryview(bytearray(_BLOCK_BYTES))
        self._held = b""
        self._begun = False  # whether what is held is the rest of a line
        self._lost = False  # whether something was given that may have been of the last lines

    def _more(self) -> None:
        """Read a block, and let go what cannot be of the last lines."""
        count = self._inner.readinto(self._block)
        self._ended = count < len(self._block)
        data = self._held + self._block[:count]
        start, _ = self._tail.rule.tail(data, self._tail.lines, begun=self._begun)
        self._lost = self._lost and not start
        if self._ended:
            if self._lost:
                raise endless_tail(self._source.properties.uri, self._tail.lines)
            self._source.tail = data[start:]
        elif len(data) - start > MAX_TAIL_BYTES:
            start, self._lost = len(data), True
        if start:
            self._begun = data[start - 1] != LF or self._tail.rule.is_escaped(data, start)
        self._held, self._ready = data[start:], memoryview(data)[:start]

    def close(self) -> None:
        """See ByteStream."""
        super().close()
        self._inner.close()
