"""Ranges of an object, by those who read chunks one behind the other: few requests, and none for nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core.model import ByteRange
from tests.stores.sources.counted import Pinned, cursors_of

if TYPE_CHECKING:
    from splitjoin_cli.stores.sources.s3_ranges import Cursors

DATA = bytes(range(256)) * 4


def read(cursors: Cursors, start: int, end: int) -> bytes:
    """In pieces of ten bytes."""
    out = bytearray(end - start)
    for at in range(start, end, 10):
        cursors.read(at, memoryview(out)[at - start : min(at + 10, end) - start])
    return bytes(out)


def test_neighbours_are_one_request_and_one_that_is_read_again_goes_on() -> None:
    """A chunk whose upload failed at its end, and one that failed midway: the chunks behind it need no request."""
    pinned = Pinned(DATA)
    cursors = cursors_of(pinned)
    for start in range(0, 800, 100):
        cursors.announce(ByteRange(start, 800))
        if start == 300:
            assert read(cursors, start, start + 100) == DATA[start : start + 100]
        if start == 500:
            read(cursors, start, start + 40)
        assert read(cursors, start, start + 100) == DATA[start : start + 100]
    assert pinned.asked == [(0, 800), (300, 800), (500, 800)]


def test_where_another_reader_has_begun_the_rest_is_dropped() -> None:
    """Its connection, too; and who comes there first goes on with what is open."""
    pinned = Pinned(DATA)
    cursors = cursors_of(pinned)
    cursors.announce(ByteRange(0, 400))
    read(cursors, 0, 100)
    cursors.announce(ByteRange(200, 400))
    read(cursors, 200, 300)
    assert pinned.open == 2
    assert read(cursors, 100, 200) == DATA[100:200]
    assert pinned.open == 1
    assert read(cursors, 300, 400) == DATA[300:400]
    assert pinned.asked == [(0, 400), (200, 400)]
    cursors.announce(ByteRange(500, 700))
    read(cursors, 500, 600)
    cursors.announce(ByteRange(600, 700))
    read(cursors, 600, 700)
    assert pinned.asked[2:] == [(500, 700)]
    assert pinned.open == 0
