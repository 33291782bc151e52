"""A split as it lies in a directory or below an S3 prefix: which jobs are there, and the bytes of each chunk."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

from splitjoin_cli.core import names
from splitjoin_cli.core.bytes.codecs import DecompressedStream
from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import NotFoundError, SplitjoinError, StoreError, UsageError
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.ranges import NumberRanges
from splitjoin_cli.splitting.stored_chunks import FEW, sizes_of
from splitjoin_cli.stores.sources.positioned import PositionedStream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.model import Compression
    from splitjoin_cli.core.names import ChunkName
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.sources.base import Source
    from splitjoin_cli.stores.sources.small_files import SmallFiles

__all__ = [
    "BLOCK_BYTES",
    "ChunkError",
    "ChunkReader",
    "Inventory",
    "OpenChunk",
    "choose_job",
    "inventory",
    "read_manifest",
]

BLOCK_BYTES = 256 * 1024  # stays in a core's cache between reading, checksum and writing


class OpenChunk(Protocol):
    """Opens the objects of a place, as they are stored; they can be read at any place."""

    def __call__(self, name: str, /) -> Source:
        """The object's own bytes, never decompressed. Raises SourceError or StoreError where it is not there."""


@dataclass(slots=True)
class Inventory:
    """What lies in a place under one job's name. Memory follows what is there, never the total that a name claims.

    ``numbers``: of the chunks that are there, ascending; ``sizes``: their stored bytes, in the same order. ``others``:
    the job's chunks that do not belong to this set (another total or compression, a number twice). ``total`` is 0 where
    there is nothing.
    """

    total: int
    compression: Compression | None
    numbers: Sequence[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("q"))
    others: list[str] = field(default_factory=list)
    spelled: dict[int, str] = field(default_factory=dict)  # names that are not what ``names.format`` makes

    @property
    def missing(self) -> NumberRanges:
        """The numbers that are not there."""
        return NumberRanges.without(self.numbers, self.total)

    def size(self, number: int) -> int:
        """Stored bytes of a chunk that is there."""
        whole = len(self.numbers) == self.total
        return self.sizes[number - 1 if whole else bisect_left(self.numbers, number)]

    def found(self, file_name: str) -> Iterator[tuple[int, str]]:
        """Number and object's name of each chunk that is there."""
        job = names.parse_file_name(file_name)
        if job is None:
            return
        for number in self.numbers:
            name = names.ChunkName(job.client, job.date, number, self.total, self.compression)
            yield number, self.spelled.get(number) or names.format(name)

    def sort(self) -> None:
        """Put numbers and sizes in order: a listing is by name, and names need not be padded."""
        numbers, sizes = self.numbers, self.sizes
        order = sorted(range(len(numbers)), key=numbers.__getitem__)
        self.numbers = array("q", (numbers[place] for place in order))
        self.sizes = array("q", (sizes[place] for place in order))


def choose_job(sink: Sink, file_name: str | None, files: SmallFiles | None = None) -> str:
    """The job that is meant: ``file_name``, or the only one that lies here.

    Raises UsageError, which lists them, where several do; NotFoundError where none does. ``files``: see ``inventory``.
    """
    if file_name is not None:
        return file_name
    found: set[str] = set()
    for name in _names(sink, files):
        job = names.parse(name) or names.parse_manifest_name(name)
        if job is not None:
            found.add(job.file_name)
    if not found:
        raise NotFoundError(f"there are no chunks and no manifest in {sink.properties.uri}")
    if len(found) > 1:
        listed = ", ".join(sorted(found))
        raise UsageError(f"there are several jobs in {sink.properties.uri}: {listed}", hint="say which one with --name")
    return found.pop()


def _names(sink: Sink, files: SmallFiles | None) -> Iterator[str]:
    """The names of what lies in a place; of chunks that differ by their number alone, one stands for all."""
    if files is None:
        yield from (stored.name for stored in sink.list())
        return
    one: ChunkName | None = None
    for name in files.all_names():
        one = names.parse(name)
        if one is not None and files.is_file(name):
            yield name
            break
    yield from filter(files.is_file, files.all_names(other_than=one))


def inventory(
    sink: Sink, file_name: str, manifest: Manifest | None, files: SmallFiles | None = None, *, alone: bool = False
) -> Inventory:
    """Look at all chunks of a job. The set is the manifest's; without one it is that of the first name listed.

    ``files``: the place's, where it is a directory whose files are read many at a call. ``alone``: a listing of all of
    it has shown that there are no others; a few chunks are then looked at without another one.
    """
    if manifest is not None and files is not None:
        return _counted(sink, None if alone and manifest.total_parts <= FEW else files, file_name, manifest)
    return _listed(sink, file_name, manifest)


def _counted(sink: Sink, files: SmallFiles | None, file_name: str, manifest: Manifest) -> Inventory:
    """The same set as ``_listed`` finds, from the sizes of files by number; without ``files`` none but the set's."""
    here, others = Inventory(manifest.total_parts, manifest.compression), list[str]()
    if files is None:
        sizes = sizes_of(sink, map(manifest.name, range(1, here.total + 1)))
    else:
        sizes, others = files.sizes(file_name, here.total, here.compression)
    for other in others:
        name = names.parse(other)
        if name is not None and name.file_name == file_name:
            here.others.append(other)
    if min(sizes) >= 0:
        here.numbers, here.sizes = range(1, here.total + 1), sizes
    else:
        here.numbers = array("q", (number for number, size in enumerate(sizes, start=1) if size >= 0))
        here.sizes = array("q", (size for size in sizes if size >= 0))
    return here


def _listed(sink: Sink, file_name: str, manifest: Manifest | None) -> Inventory:
    here = Inventory(0, None) if manifest is None else Inventory(manifest.total_parts, manifest.compression)
    numbers = array("q")
    seen = bytearray(here.total // 8 + 1)  # a bit for each number
    ascending, last = True, 0
    for stored in sink.list(f"{file_name}-"):
        name = names.parse(stored.name)
        if name is None or name.file_name != file_name:
            continue
        if not here.total and manifest is None and name.total <= names.MAX_TOTAL:
            here.total, here.compression = name.total, name.compression
            seen = bytearray(here.total // 8 + 1)
        usual = stored.name == names.format(name)
        belongs = (name.total, name.compression) == (here.total, here.compression)
        place, bit = divmod(name.number, 8)
        if not belongs or (manifest is not None and not usual) or seen[place] >> bit & 1:
            here.others.append(stored.name)
            continue
        seen[place] |= 1 << bit
        ascending, last = ascending and name.number > last, name.number
        numbers.append(name.number)
        here.sizes.append(stored.size)
        if not usual:
            here.spelled[name.number] = stored.name
    here.numbers = numbers
    if not ascending:
        here.sort()
    return here


def read_manifest(sink: Sink, file_name: str, *, name: str | None = None) -> Manifest | None:
    """A job's manifest, of which no more than some blocks is in memory as it is read; None where there is none.

    ``name``: what an error calls it, its own name by default. Raises CoverageError, StoreError.
    """
    own = names.manifest_name(file_name)
    document = sink.open_small(own)
    if document is None:
        return None
    with document:
        return Manifest.read(document, name or own, file_name=file_name)


class ChunkError(StoreError):
    """A chunk that is there cannot be opened, read or decompressed."""


class ChunkReader:
    """One chunk from front to back, decompressed; ``stored_bytes`` and ``checksum`` are of the bytes as they lie there.

    Both are whole once ``read`` has returned fewer bytes than asked. A context manager; not thread-safe. Every
    failure is a ChunkError, so that it is never taken for one of the export that the chunk is compared with.
    """

    def __init__(
        self,
        open_chunk: OpenChunk,
        compression: Compression | None,
        name: str,
        *,
        alone: bool = False,
        came: Moved | None = None,
    ) -> None:
        """Open the chunk ``name``. ``alone``: no other is read meanwhile, so that reading ahead is worth its memory.

        ``came``: hears of its stored bytes as they come.
        """
        self.stored_bytes = 0
        self.checksum = 0
        self._name = name
        try:
            self._source = open_chunk(name)
            self._raw: ByteStream = self._source.stream(came) if alone else PositionedStream(self._source, came)
        except SplitjoinError as exc:
            raise self._unreadable(exc) from exc
        self._stream: ByteStream = self if compression is None else DecompressedStream(self, compression, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()
        self._source.close()

    def read(self, buffer: memoryview) -> int:
        """Fill ``buffer``; return the bytes filled, fewer only at the end."""
        try:
            return self._stream.readinto(buffer)
        except SplitjoinError as exc:
            raise self._unreadable(exc) from exc

    def readinto(self, buffer: memoryview) -> int:
        """The stored bytes, counted and summed as they pass: what a decompressor reads. See ByteStream."""
        got = self._raw.readinto(buffer)
        self.checksum = crc64(buffer[:got], self.checksum)
        self.stored_bytes += got
        return got

    def close(self) -> None:
        """See ByteStream."""
        self._raw.close()

    def head(self, size: int) -> bytes:
        """The next ``size`` bytes, or as many as there are: no more memory than they take."""
        pieces: list[bytes] = []
        while size > 0:
            piece = bytearray(min(size, BLOCK_BYTES))
            got = self.read(memoryview(piece))
            pieces.append(bytes(piece[:got]))
            if got < len(piece):
                break
            size -= got
        return b"".join(pieces)

    def head_checksum(self, size: int) -> int:
        """CRC-64/NVME of the next ``size`` bytes, or of as many as there are; they are passed over."""
        checksum, buffer = 0, memoryview(bytearray(min(size, BLOCK_BYTES)))
        while size > 0 and (got := self.read(buffer[: min(size, len(buffer))])):
            checksum = crc64(buffer[:got], checksum)
            size -= got
        return checksum

    def blocks(self, buffer: memoryview) -> Iterator[memoryview]:
        """The rest of the chunk, a block at a time, each in ``buffer`` and gone with the next."""
        got = len(buffer)
        while got == len(buffer):
            got = self.read(buffer)
            if got:
                yield buffer[:got]

    def _unreadable(self, exc: SplitjoinError) -> ChunkError:
        return ChunkError(f"chunk {self._name}: {exc.message}", hint=exc.hint if isinstance(exc, StoreError) else None)
