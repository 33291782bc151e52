"""Many small files of one directory at a call of the kernel: listed, looked at, put one behind the other.

Calls of Python's for each would cost more than the files. What a call says is only which files are all that was
expected of them; the others are read again, one by one, by who can say what is wrong.
"""

from __future__ import annotations

import ctypes
import os
import stat
from array import array
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.core import names
from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.files import status_of
from splitjoin_cli.core.native import Bytes, kernel
from splitjoin_cli.core.native.files import Expected, Numbered
from splitjoin_cli.core.native.listing import listed
from splitjoin_cli.core.switches import SCANNER, switched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from splitjoin_cli.core.model import Compression
    from splitjoin_cli.core.names import ChunkName
    from splitjoin_cli.core.native import Kernel
    from splitjoin_cli.core.native.listing import Piece

__all__ = ["Columns", "Looked", "SmallFiles", "open_small_files"]

MOST_BYTES = 1024 * 1024
"""Larger files are not small: what Python takes for one of them is little beside its bytes."""
_ABSENT = -1


class Columns(NamedTuple):
    """What files are held against, by number, from 1: see ``struct expected`` in files.h.

    ``starts``: one entry more than files; a file is ``header`` and the bytes between its two. ``sizes``: their bytes
    once more, as somebody says. Columns that are None are of no interest.
    """

    header: bytes
    starts: array[int]
    sizes: array[int] | None
    rows: array[int] | None
    sums: array[int] | None


class Looked(NamedTuple):
    """Files that were looked at. ``fine``: a 1 for each that is right; ``records`` and ``size`` are of those."""

    fine: bytearray
    records: int
    size: int


@contextmanager
def open_small_files(path: Path) -> Iterator[SmallFiles | None]:
    """Of a directory, until the block is left; None where the kernel is not to be had, or the directory not opened."""
    compiled = None if switched(SCANNER) else kernel()
    if compiled is None:
        yield None
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # who lists it says why
        yield None
        return
    try:
        yield SmallFiles(compiled, path, descriptor)
    finally:
        os.close(descriptor)


class SmallFiles:
    """The files of a directory. Thread-safe."""

    def __init__(self, compiled: Kernel, path: Path, descriptor: int, check: Callable[[], None] = lambda: None) -> None:
        """``descriptor``: of the directory. ``check``: is called before each call, and raises where all shall end."""
        self._kernel, self._path, self._descriptor, self._check = compiled, path, descriptor, check

    def stoppable(self, check: Callable[[], None]) -> SmallFiles:
        """The same, with another ``check``."""
        return SmallFiles(self._kernel, self._path, self._descriptor, check)

    def names(self, file_name: str, total: int, compression: Compression | None) -> Numbered:
        """The names of a job's chunks."""
        prefix, suffix = names.around_number(file_name, total, compression)
        return Numbered.of(os.fsencode(prefix), os.fsencode(suffix), total, self._descriptor)

    def sizes(self, file_name: str, total: int, compression: Compression | None) -> tuple[array[int], list[str]]:
        """The size of each chunk's file of a job, by number, -1 where there is none; and other names.

        Those are the ones that begin as theirs do, in order. Raises StoreError where the directory cannot be listed.
        """
        sizes, others = array("q", [_ABSENT]) * total, list[str]()
        for piece in self._listed(f"{file_name}-", f"{file_name}-", (total, compression)):
            for number, size in zip(piece.numbers, piece.sizes, strict=True):
                sizes[number - 1] = size
            others += piece.others
        return sizes, sorted(others)

    def all_names(self, other_than: ChunkName | None = None) -> Iterator[str]:
        """The names in the directory, of whatever they are, in no order, but for those that differ from one by number.

        Raises StoreError.
        """
        job = "/"
        chunks: tuple[int, Compression | None] = (0, None)
        if other_than is not None:
            job, chunks = f"{other_than.file_name}-", (other_than.total, other_than.compression)
        for piece in self._listed("", job, chunks, sizes=False):
            yield from piece.others

    def is_file(self, name: str) -> bool:
        """Whether it is an ordinary file, or a link to one. Raises StoreError."""
        try:
            found = status_of(name, directory=self._descriptor)
            return found is not None and stat.S_ISREG(found.st_mode)
        except OSError as exc:
            raise StoreError(f"looking at {self._path / name} failed: {exc.strerror or exc}") from exc

    def _listed(
        self, client: str, job: str, chunks: tuple[int, Compression | None], *, sizes: bool = True
    ) -> Iterator[Piece]:
        """See ``listed``. Raises StoreError."""
        self._check()
        try:
            for piece in listed(self._kernel.functions, self._descriptor, client, job, chunks, sizes=sizes, every=True):
                yield piece
                self._check()
        except OSError as exc:
            raise StoreError(f"listing {self._path} failed: {exc.strerror or exc}") from exc

    def look(
        self,
        numbered: Numbered,
        columns: Columns,
        rules: ctypes.Structure | ctypes.Array[ctypes.c_int32],
        run: range,
        source: tuple[memoryview, int] | None = None,
    ) -> Looked:
        """Read the files of a run of numbers, each whole.

        ``rules``: the dialect that sj_scan takes, or the table that sj_table takes. ``source``: the bytes that the
        bodies must be, and where they begin.
        """
        self._check()
        fine = bytearray(len(run))
        room = bytearray(MOST_BYTES)  # of which no more is touched than the largest file has
        with Bytes(fine) as flags, Bytes(room) as place, Bytes(columns.header) as header:
            expected = _expected(columns, header, place)
            if isinstance(rules, ctypes.Structure):
                expected.table = ctypes.addressof(rules)
            else:
                expected.dialect = ctypes.addressof(rules)
            if source is None:
                self._run("sj_check_files", numbered, expected, run, flags.address)
            else:
                with Bytes(source[0]) as there:
                    expected.source, expected.source_start = there.address, source[1]
                    self._run("sj_check_files", numbered, expected, run, flags.address)
        return Looked(fine, expected.records, expected.bytes)

    def join(self, numbered: Numbered, columns: Columns, run: range, out: memoryview) -> int:
        """The bodies of a run of numbers into ``out``, up to the first file that is not right; of how many they are."""
        self._check()
        room = bytearray(max(len(columns.header), 1))
        with Bytes(out) as there, Bytes(room) as place, Bytes(columns.header) as header:
            expected = _expected(columns, header, place)
            return self._run("sj_join_files", numbered, expected, run, there.address)

    def _run(self, function: str, numbered: Numbered, expected: Expected, run: range, address: int) -> int:
        level, functions = self._kernel.level, self._kernel.functions
        done: int = getattr(functions, function)(level, numbered, expected, run.start, len(run), address)
        return done


def _expected(columns: Columns, header: Bytes, room: Bytes) -> Expected:
    return Expected(
        starts=columns.starts.buffer_info()[0],
        sizes=None if columns.sizes is None else columns.sizes.buffer_info()[0],
        rows=None if columns.rows is None else columns.rows.buffer_info()[0],
        sums=None if columns.sums is None else columns.sums.buffer_info()[0],
        header=header.address,
        header_size=header.size,
        buffer=room.address,
        room=room.size,
    )
