"""The example of a source of one's own, held to the contract as a user would hold his."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from examples.own_source import ConcatenatedSource
from splitjoin_cli.testing.sources import DATA, SourceContract, SourcePlace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARTS = 3


class TestConcatenatedSource(SourceContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Iterator[SourcePlace]:
        """Three files that are DATA together; a change is of the last one."""
        size = len(DATA) // PARTS
        paths = [tmp_path / f"part-{number}" for number in range(PARTS)]
        ticks = iter(range(1, 100))

        def write(content: bytes) -> None:
            for number, path in enumerate(paths):
                last = number == PARTS - 1
                path.write_bytes(content[number * size :] if last else content[number * size : (number + 1) * size])
                os.utime(path, ns=(0, next(ticks) * 10**9))

        write(DATA)
        source = ConcatenatedSource([str(path) for path in paths])
        yield SourcePlace(source, write)
        source.close()
