"""Writes one part of a merged file, on a worker: into its place of a file, or as a part of an upload."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.splitting.engines.base import Merged
from splitjoin_cli.splitting.engines.part_copy import copied_part
from splitjoin_cli.splitting.stored.bodies import copy_body
from splitjoin_cli.splitting.stored.chunks import ChunkReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.splitting.engines.base import MergeUnit, PartSpec
    from splitjoin_cli.splitting.engines.place import Place
    from splitjoin_cli.splitting.engines.specs import SinkSpec
    from splitjoin_cli.splitting.stored.judge import StoredPlace
    from splitjoin_cli.stores.sinks.s3 import S3Sink

__all__ = ["write_part"]

IN_MEMORY_BYTES = 32 * 1024 * 1024
"""A part is read before it is sent; of a larger one the bytes wait on the disk."""


class _Out(Protocol):
    def write_at(self, offset: int, data: memoryview) -> None:
        """At a place of the part, from front to back."""


class _Bodies:
    """The bytes of a part: the header, if it is the first, and the bodies. ``checksum``: of all that was written."""

    def __init__(self, unit: MergeUnit, out: _Out) -> None:
        self._unit, self._out = unit, out
        self.size = self.checksum = 0

    def copy(self, stored: StoredPlace) -> None:
        """Write them. Raises CorruptObjectError, StoreError."""
        for number, said in enumerate(self._unit.chunks, self._unit.first):
            with ChunkReader(stored.open_chunk, self._unit.compression, said.name) as reader:
                begin = self._first if number == 1 else self._header
                copy_body(reader, said, begin, lambda _, block: self._write(block))

    def _header(self, reader: ChunkReader) -> bool:
        return reader.head_checksum(self._unit.header.size) == self._unit.header.checksum

    def _first(self, reader: ChunkReader) -> bool:
        header = reader.head(self._unit.header.size)
        if crc64(header) != self._unit.header.checksum:
            return False
        self._write(memoryview(header))
        return True

    def _write(self, data: memoryview) -> None:
        self._out.write_at(self.size, data)
        self.checksum = crc64(data, self.checksum)
        self.size += len(data)


def write_part(unit: MergeUnit, place: Place) -> Merged:
    """Write the part of a unit. Raises CorruptObjectError, and StoreError, also where its disk has too little room."""
    with place.stored(unit.place) as stored:
        if unit.part.sink is None:
            place.check_path(unit.part.name)
            with _opened(unit.part) as out:
                bodies = _Bodies(unit, out)
                bodies.copy(stored.place)
            return Merged(bodies.size, bodies.checksum, None)
        copied = copied_part(unit, unit.part.sink, stored.place, place) if unit.copies else None
        if copied is not None:
            return copied
        with _room(unit.size, place), tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as file:
            waiting = _Waiting(cast("BinaryIO", file), unit.size)
            bodies = _Bodies(unit, waiting)
            bodies.copy(stored.place)
            etag = _send(unit.part, unit.part.sink, waiting, place)
    return Merged(bodies.size, bodies.checksum, etag)


@contextmanager
def _room(size: int, place: Place) -> Iterator[None]:
    """Raise StoreError where a part does not fit on the disk: at once, or when it is full by what others keep there."""
    directory = tempfile.gettempdir()
    free = shutil.disk_usage(directory).free
    what = f"{place.worker} has no room for a part of {size} bytes: {directory} has"
    if size > max(free, IN_MEMORY_BYTES):
        raise StoreError(f"{what} {free} bytes free", hint=place.room)
    try:
        yield
    except OSError as exc:
        if exc.errno != errno.ENOSPC:
            raise
        raise StoreError(f"{what} no bytes left", hint=place.room) from exc


def _send(part: PartSpec, spec: SinkSpec, body: _Waiting, place: Place) -> str:
    from splitjoin_cli.core.model import ByteRange  # noqa: PLC0415 -- beside the sink, which is slow to import

    with place.sink(spec) as sink:
        upload = cast("S3Sink", sink).upload(part.name, part.upload)
        return upload.send(part.number, body, ByteRange(0, body.size)).etag


class _Waiting:
    """A part on its way: written from the front, then read at any place, by one thread. A Body."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self.size = file, size

    def write_at(self, offset: int, data: memoryview) -> None:  # noqa: ARG002 -- it is always the next place
        self._file.write(data)

    def read_at(self, offset: int, buffer: memoryview) -> int:
        self._file.seek(offset)
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Placed:
    """A place in a file."""

    def __init__(self, descriptor: int, start: int) -> None:
        self._descriptor, self._start = descriptor, start

    def write_at(self, offset: int, data: memoryview) -> None:
        at = self._start + offset
        while data:
            wrote = os.pwrite(self._descriptor, data, at)
            at, data = at + wrote, data[wrote:]


@contextmanager
def _opened(part: PartSpec) -> Iterator[_Placed]:
    """The file of a part, which must be there: whoever comes late makes none."""
    try:
        descriptor = os.open(part.name, os.O_WRONLY | os.O_CLOEXEC)
        try:
            yield _Placed(descriptor, part.start)
        finally:
            os.close(descriptor)
    except OSError as exc:
        raise StoreError(
            f"cannot write {part.name}: {exc.strerror or exc}", hint="OUT's directory must be there on every worker"
        ) from exc
