"""Bytes that a driver reads by a file's name: all of them, and nobody waits for a reader that is gone."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import SourceError
from splitjoin_cli.stores.loaders.pipe import Pipe

if TYPE_CHECKING:
    from collections.abc import Generator

BLOCK = bytes(range(256)) * 4096


class Blocks:
    """So many, and whether their generator was closed; ``fails``: instead of the last one."""

    def __init__(self, count: int, *, fails: bool = False) -> None:
        self.count, self.fails, self.closed = count, fails, False

    def made(self) -> Generator[bytes | memoryview, None, None]:
        try:
            for number in range(self.count):
                if self.fails and number == self.count - 1:
                    raise SourceError("the source is gone")
                buffer = bytearray(BLOCK)
                with memoryview(buffer) as view:
                    yield view
                buffer[:] = bytes(len(BLOCK))  # as who reuses its memory does
        finally:
            self.closed = True


def test_all_comes_to_the_reader() -> None:
    """However much more than a pipe holds."""
    blocks = Blocks(5)
    with Pipe(blocks.made()) as pipe, Path(pipe.path).open("rb") as file:
        assert file.read() == BLOCK * 5
    assert blocks.closed


@pytest.mark.parametrize("read", [None, 0, 10, len(BLOCK)])
def test_a_reader_that_stops_leaves_nobody_waiting(read: int | None) -> None:
    """It may not have opened the file, or hold it still; its own error is what comes out."""
    blocks = Blocks(5)
    held = []
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="the driver gave up"), Pipe(blocks.made()) as pipe:  # noqa: PT012
        if read is not None:
            held.append(Path(pipe.path).open("rb"))  # noqa: SIM115 -- a driver that forgets it
            held[0].read(read)
        raise RuntimeError("the driver gave up")
    assert blocks.closed
    assert threading.active_count() == before
    for file in held:
        file.close()


def test_a_writer_that_fails_is_told_after_the_reader_found_an_end() -> None:
    """Else a cut chunk would count as a whole one."""
    blocks = Blocks(3, fails=True)
    found = []
    with (
        pytest.raises(SourceError, match="the source is gone"),
        Pipe(blocks.made()) as pipe,
        Path(pipe.path).open("rb") as file,
    ):
        found.append(len(file.read()))
    assert found == [2 * len(BLOCK)]
