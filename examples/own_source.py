"""A source of one's own: several files that are one export, the header in the first. Held to the contract in tests/.

    splitjoin_cli.testing.sources.SourceContract

is what any source must do; ``ConcatenatedSource`` is all that it takes for files on this machine.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import SourceChangedError
from splitjoin_cli.core.model import SourceProperties
from splitjoin_cli.stores.sources.local import LocalSource
from splitjoin_cli.stores.sources.told import read_told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.progress import Moved


class ConcatenatedSource:
    """See splitjoin_cli.stores.sources.base.Source."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Open all files. Raises SourceError where one cannot be read."""
        self._parts = [LocalSource(path) for path in paths]
        sizes = [part.properties.size or 0 for part in self._parts]
        self._starts = list(accumulate(sizes, initial=0))
        self._properties = SourceProperties(
            uri="+".join(paths),
            seekable=True,
            size=self._starts[-1],
            stored_bytes=self._starts[-1],
            compression=None,
            validator="+".join(str(part.properties.validator) for part in self._parts),
        )

    @property
    def properties(self) -> SourceProperties:
        """See Source."""
        return self._properties

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:
        """See Source: from one file after another, until the buffer is full or the last one ends."""
        filled = 0
        while filled < len(buffer) and offset + filled < self._starts[-1]:
            index = bisect_right(self._starts, offset + filled) - 1
            part, within = self._parts[index], offset + filled - self._starts[index]
            room = self._starts[index + 1] - self._starts[index] - within
            filled += part.read_at(within, buffer[filled : filled + room], came)
        if offset + filled < min(offset + len(buffer), self._starts[-1]):
            self.check_unchanged()
        return filled

    def stream(self, came: Moved | None = None) -> ByteStream:
        """See Source."""
        return _Pass(self, came)

    def check_unchanged(self) -> None:
        """See Source."""
        for part in self._parts:
            try:
                part.check_unchanged()
            except SourceChangedError as exc:
                raise SourceChangedError(f"{self._properties.uri}: {exc.message}", hint=exc.hint) from exc

    def close(self) -> None:
        """See Source."""
        for part in self._parts:
            part.close()


class _Pass:
    """A pass from the front on: reads at the next place."""

    def __init__(self, source: ConcatenatedSource, came: Moved | None) -> None:
        self._source, self._came, self._at = source, came, 0

    def readinto(self, buffer: memoryview) -> int:
        got = read_told(self._source, self._at, buffer, self._came)
        self._at += got
        return got

    def close(self) -> None:
        """Nothing is held but the source."""
