"""The parts of a file that are looked at: its beginning, places between, its end; at most 16 MiB together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import BadInputError

if TYPE_CHECKING:
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["MOST_BYTES", "Pieces", "read_pieces"]

MOST_BYTES = 16 * 1024 * 1024
"""As much as is read at most of one file, first block included."""

_PHASE = "inspecting"
_BEFORE = 128 * 1024  # two first blocks, which opening the source has read
_HEAD_BYTES = 4 * 1024 * 1024
_TAIL_BYTES = 1024 * 1024
_PLACES = 12
_PLACE_BYTES = 256 * 1024


@dataclass(slots=True)
class Pieces:
    """What was read. ``head``: from the front; ``whole``: it is all of the file.

    ``between``: further pieces and where they begin, in order. ``tail``: the last bytes and where they begin; None
    where the end was not read (``whole``: it is the head's). ``size``: the bytes in all, None where unknown.
    """

    head: bytes
    whole: bool
    size: int | None
    between: list[tuple[int, bytes]] = field(default_factory=list)
    tail: tuple[int, bytes] | None = None


def read_pieces(source: Source, observer: Observer, *, from_front: bool = False) -> Pieces:
    """Read some of ``source``, by ranges where it has them, else from the front. Raises what reading raises.

    ``observer`` hears of a phase, and of the bytes as they are read. ``from_front``: the source was cut (a pipe's first
    bytes), so that its end is not the file's.
    """
    size = source.properties.size
    if from_front or not source.properties.seekable or size is None:
        observer.phase(_PHASE, None, None)
        head, whole = _front(source, MOST_BYTES - _BEFORE, observer)
        whole = whole and not from_front
        return Pieces(head, whole, len(head) if whole else None)
    if size <= MOST_BYTES - _BEFORE:
        observer.phase(_PHASE, size, None)
        return Pieces(_range(source, 0, size, observer), True, size)  # noqa: FBT003
    tail_start = size - _TAIL_BYTES
    step = (tail_start - _HEAD_BYTES - _PLACE_BYTES) // (_PLACES - 1)
    offsets = [_HEAD_BYTES + n * step for n in range(_PLACES)]
    if offsets[0] + _PLACE_BYTES > offsets[1]:  # a file hardly larger than what is read: all between at once
        offsets = []
    observer.phase(_PHASE, _HEAD_BYTES + len(offsets) * _PLACE_BYTES + _TAIL_BYTES, None)
    return Pieces(
        head=_range(source, 0, _HEAD_BYTES, observer),
        whole=False,
        size=size,
        between=[(offset, _range(source, offset, _PLACE_BYTES, observer)) for offset in offsets],
        tail=(tail_start, _range(source, tail_start, _TAIL_BYTES, observer)),
    )


def _range(source: Source, offset: int, size: int, observer: Observer) -> bytes:
    buffer = bytearray(size)
    filled = source.read_at(offset, memoryview(buffer))
    observer.advance(filled)
    return bytes(buffer[:filled])


def _front(source: Source, most: int, observer: Observer) -> tuple[bytes, bool]:
    """The first bytes, and whether they are all. What is damaged further on is not reached."""
    beginning = getattr(source, "beginning", source.stream)
    stream = beginning()
    try:
        buffer = memoryview(bytearray(most + 1))
        filled = 0
        while filled < len(buffer):
            try:
                more = stream.readinto(buffer[filled : min(len(buffer), filled + 1024 * 1024)])
            except BadInputError:
                if not filled:
                    raise
                return bytes(buffer[:filled]), False
            if not more:
                break
            observer.advance(more)
            filled += more
    finally:
        stream.close()
    return bytes(buffer[: min(filled, most)]), filled <= most
