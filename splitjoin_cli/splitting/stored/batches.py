"""Runs of small chunks that are handled at once: a million chunks are some thousand pieces of work."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["BATCH_BYTES", "batches"]

BATCH_BYTES = 1024 * 1024
BATCH_COUNT = 1024


def batches(numbers: Iterable[int], size_of: Callable[[int], int]) -> Iterator[range]:
    """Ascending ``numbers`` as runs of neighbours, each of at most BATCH_BYTES and BATCH_COUNT chunks.

    ``size_of``: a chunk's bytes; one of at least BATCH_BYTES is alone.
    """
    first = following = size = 0
    for number in numbers:
        own = max(size_of(number), 1)
        if number == following and size + own <= BATCH_BYTES and number - first < BATCH_COUNT:
            size += own
        else:
            if following:
                yield range(first, following)
            first, size = number, own
        following = number + 1
    if following:
        yield range(first, following)
