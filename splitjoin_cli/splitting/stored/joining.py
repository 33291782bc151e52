"""Copies the bodies of a whole set, in order or each to its place: byte for byte what was stored, or an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.core.parallel import in_order
from splitjoin_cli.core.progress import chunks_done
from splitjoin_cli.splitting.stored.batches import BATCH_BYTES, batches
from splitjoin_cli.splitting.stored.bodies import BodyFacts, copy_body
from splitjoin_cli.splitting.stored.chunks import BLOCK_BYTES, ChunkReader
from splitjoin_cli.stores.sources.small_files import Columns

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

    from splitjoin_cli.core.format.manifest import Manifest
    from splitjoin_cli.core.model import Compression
    from splitjoin_cli.core.progress import Moved, Observer
    from splitjoin_cli.splitting.stored.chunks import OpenChunk
    from splitjoin_cli.splitting.stored.targets import Target
    from splitjoin_cli.stores.sources.base import Source
    from splitjoin_cli.stores.sources.s3_objects import S3Objects
    from splitjoin_cli.stores.sources.small_files import SmallFiles

__all__ = ["Joining", "Joins", "WholeSet"]


@dataclass(frozen=True, slots=True)
class WholeSet:
    """A whole set of chunks. ``header``: what each begins with.

    ``starts``: where each body goes, and last where the file ends; None where the sizes of bodies are not known.
    ``stored_bytes``: of all chunks. ``regular``: whether their names are what ``names.format`` makes,
    and none is smaller than the header.
    """

    file_name: str
    names: Callable[[int], str]
    total: int
    compression: Compression | None
    header: bytes
    starts: array[int] | None
    manifest: Manifest | None
    stored_bytes: int
    regular: bool = True


@runtime_checkable
class Joins(Protocol):
    """Puts a whole set together somewhere else than in this process."""

    def join(self, whole: WholeSet, observer: Observer) -> int:
        """Write the file; its size. Raises what Joining does, UsageError and EngineError."""


class _Joined(NamedTuple):
    """The bodies of so many neighbours, one behind the other."""

    chunks: int
    bodies: memoryview


class Joining:
    """The copying of one set. ``_copy`` may run on any number of threads where the target allows it."""

    def __init__(
        self,
        open_chunk: OpenChunk,
        whole: WholeSet,
        target: Target,
        observer: Observer,
        files: SmallFiles | None = None,
        objects: S3Objects | None = None,
    ) -> None:
        """``files``: the place's, where it is a directory whose files are read many at a call; ``objects``: on S3."""
        self._objects = objects
        self._open_chunk = open_chunk
        self._set = whole
        self._target = target
        self._observer = observer
        self._alone = True
        self._came: Moved | None = None
        usable = whole.compression is None and whole.starts is not None and whole.regular
        self._files = files if usable else None

    def run(self, executor: Executor, jobs: int) -> int:
        """Copy everything; return the bytes written."""
        header, starts, files = self._set.header, self._set.starts, self._files
        self._begin()
        with self._target:
            self._target.write_at(0, memoryview(header))
            at = len(header)
            if starts is not None and self._target.at_any_place:
                self._alone = False
                at += sum(in_order(executor, lambda run: self._copy_run(run, starts), self._runs(), jobs))
            elif starts is not None and files is not None:

                def ahead(run: range) -> tuple[range, _Joined]:
                    return run, self._join(files, run, starts)

                for run, joined in in_order(executor, ahead, self._runs(), jobs):
                    at += self._copy_run(run, starts, joined)
            else:

                def one(number: int) -> tuple[int, Source | None]:
                    return number, self._whole(number)

                for number, whole in in_order(executor, one, range(1, self._set.total + 1), jobs):
                    at += self._copy(number, at, whole)
        return at

    def _runs(self) -> Iterator[range]:
        """All chunks: small ones some at a time."""
        starts, numbers = self._set.starts, range(1, self._set.total + 1)
        if self._files is None or starts is None:
            return (range(number, number + 1) for number in numbers)

        def size_of(number: int) -> int:
            size: int = starts[number] - starts[number - 1]
            return size if size <= BLOCK_BYTES else BATCH_BYTES

        return batches(numbers, size_of)

    def _copy_run(self, run: range, starts: array[int], joined: _Joined | None = None) -> int:
        """Write the bodies of neighbours, each to its place; ``joined``: those of the first ones. Return their size."""
        begin, end = starts[run.start - 1], starts[run.stop - 1]
        while run:
            if self._files is not None:
                run = self._write(run, joined or self._join(self._files, run, starts), starts)
                joined = None
            if run:  # alone, or not what it should be: who reads it says what is wrong
                self._copy(run.start, starts[run.start - 1], self._whole(run.start))
                run = run[1:]
        return end - begin

    def _join(self, files: SmallFiles, run: range, starts: array[int]) -> _Joined:
        """The bodies of neighbours, up to the first that is not what it should be; nothing of one that is alone."""
        size = starts[run.stop - 1] - starts[run.start - 1]
        if size > BATCH_BYTES or (len(run) == 1 and size > BLOCK_BYTES):
            return _Joined(0, memoryview(b""))
        manifest = self._set.manifest
        sums = None if manifest is None else manifest.chunks.checksums
        numbered = files.names(self._set.file_name, self._set.total, None)
        view = memoryview(bytearray(size))
        done = files.join(numbered, Columns(self._set.header, starts, None, None, sums), run, view)
        return _Joined(done, view[: starts[run.start - 1 + done] - starts[run.start - 1]])

    def _write(self, run: range, joined: _Joined, starts: array[int]) -> range:
        """Write the bodies of a run's first chunks; the rest of it."""
        if joined.chunks:
            self._target.write_at(starts[run.start - 1], joined.bodies)
            if self._came is not None:
                self._came(len(joined.bodies) + joined.chunks * len(self._set.header))
            chunks_done(self._observer, run[: joined.chunks], ChunkState.UPLOADED)
        return run[joined.chunks :]

    def _begin(self) -> None:
        """What counts is the file's bytes as they are sent, or else the stored bytes as they are read."""
        if self._target.tell(self._observer.advance):
            total = None if self._set.starts is None else self._set.starts[-1]
        else:
            total, self._came = self._set.stored_bytes, self._observer.advance
        self._observer.phase("merging", total, self._set.total)

    def _whole(self, number: int) -> Source | None:
        """A small chunk on S3, read by one request; None for any other, and where it is not as it should be."""
        manifest, starts = self._set.manifest, self._set.starts
        if self._objects is None or (manifest is None and starts is None):
            return None
        if manifest is not None:
            size = manifest.stored_bytes[number - 1]
        elif starts is not None:
            size = len(self._set.header) + starts[number] - starts[number - 1]
        found = self._objects.get(self._set.names(number), size)
        return None if found is None else found.source

    def _copy(self, number: int, offset: int, whole: Source | None) -> int:
        """Write one chunk's body at ``offset``; return its size. ``whole``: all of it, where it was read already."""
        open_chunk: OpenChunk = self._open_chunk if whole is None else lambda _name: whole
        name, starts = self._set.names(number), self._set.starts
        body_bytes = None if starts is None else starts[number] - starts[number - 1]
        manifest, header = self._set.manifest, self._set.header
        said = BodyFacts(name, body_bytes, self._checksum(number), in_manifest=manifest is not None)
        target = self._target

        def write(at: int, block: memoryview) -> None:
            target.write_at(offset + at, block)

        with ChunkReader(open_chunk, self._set.compression, name, alone=self._alone, came=self._came) as reader:
            size = copy_body(reader, said, lambda one: one.head(len(header)) == header, write)
        self._observer.chunk_done(number, ChunkState.UPLOADED)
        return size

    def _checksum(self, number: int) -> int | None:
        manifest = self._set.manifest
        return None if manifest is None else manifest.chunks[number].checksum
