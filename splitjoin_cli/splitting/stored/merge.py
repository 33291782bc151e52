"""Puts a split back together: one header, then the chunks' bodies in order, byte for byte what was split."""

from __future__ import annotations

import os
import secrets
import stat
from array import array
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from splitjoin_cli.core import names
from splitjoin_cli.core.bytes.crc64 import crc64, tagged
from splitjoin_cli.core.errors import CorruptObjectError, NameTakenError, NotFoundError, StoreError, UsageError
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.model import ChunkState, Dialect
from splitjoin_cli.core.parallel import in_order
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.core.ranges import ranges_text
from splitjoin_cli.core.words import count_text
from splitjoin_cli.splitting.stored.chunks import BLOCK_BYTES, ChunkReader, choose_job, inventory
from splitjoin_cli.splitting.stored.records import RecordCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor
    from io import RawIOBase

    from splitjoin_cli.core.model import Compression
    from splitjoin_cli.core.progress import Moved, Observer
    from splitjoin_cli.splitting.stored.chunks import Inventory, OpenChunk
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = ["FileTarget", "Merged", "ObjectTarget", "StreamTarget", "Target", "merge"]

RANGES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Merged:
    """What was put together. ``rows`` is ``None`` where no manifest says how many."""

    file_name: str
    total_parts: int
    size_bytes: int
    rows: int | None


class Target(Protocol):
    """Where the file goes. A context manager: leaving it by an exception leaves nothing behind.

    ``at_any_place``: ``write_at`` may be called from any thread for any place; otherwise from front to back.
    """

    @property
    def at_any_place(self) -> bool:
        """See above."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: object) -> None: ...

    def tell(self, sent: Moved) -> bool:
        """Let ``sent`` hear of the file's bytes as they leave; False where ``write_at`` writes them."""

    def write_at(self, offset: int, data: memoryview) -> None:
        """Write all of ``data``, which may be reused afterwards. Raises StoreError."""


class FileTarget:
    """A file that appears under its name when it is whole: until then it has a hidden name beside it.

    A device, pipe or socket is written in place, from front to back.
    """

    def __init__(self, path: Path, *, force: bool) -> None:
        """Raises NameTakenError where the file is there, without ``force``; UsageError where it is a directory."""
        self._shown = path
        self._force = force
        mode = path.stat().st_mode if path.exists() else None
        if mode is not None and stat.S_ISDIR(mode):
            raise UsageError(f"{path} is a directory", hint="name the file to write")
        self.at_any_place = mode is None or stat.S_ISREG(mode)
        # A link keeps leading to the file; that of a pipe (/dev/stdout) leads to no path.
        self._path = Path(os.path.realpath(path)) if self.at_any_place else path
        if mode is not None and self.at_any_place and not force:
            raise self._taken()
        self._temporary: Path | None = None
        self._descriptor = -1

    def _taken(self) -> NameTakenError:
        return NameTakenError(f"{self._shown} is there already", hint="--force replaces it")

    def __enter__(self) -> Self:
        flags = os.O_WRONLY | os.O_CLOEXEC
        place = self._path
        if self.at_any_place:
            place = self._temporary = self._path.with_name(f".splitjoin-{secrets.token_hex(8)}.part")
            flags |= os.O_CREAT | os.O_EXCL
        try:
            self._descriptor = os.open(place, flags, 0o666)
        except OSError as exc:
            raise self._refused(exc) from exc
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: object) -> None:
        try:
            os.close(self._descriptor)
            if kind is None and self._temporary is not None:
                self._appear(self._temporary)
        except OSError as error:
            raise self._refused(error) from error
        finally:
            if self._temporary is not None:
                self._temporary.unlink(missing_ok=True)

    def tell(self, sent: Moved) -> bool:  # noqa: ARG002 -- see Target
        """See Target."""
        return False

    def _appear(self, temporary: Path) -> None:
        """Rename; without ``force`` by a link, which never replaces what came meanwhile, where links are to be had."""
        if not self._force:
            try:
                os.link(temporary, self._path)
            except FileExistsError as exc:
                raise self._taken() from exc
            except OSError:
                pass
            else:
                return
        temporary.replace(self._path)

    def write_at(self, offset: int, data: memoryview) -> None:
        """See Target."""
        try:
            while data:
                wrote = (
                    os.pwrite(self._descriptor, data, offset) if self.at_any_place else os.write(self._descriptor, data)
                )
                offset += wrote
                data = data[wrote:]
        except OSError as exc:
            raise self._refused(exc) from exc

    def _refused(self, exc: OSError) -> StoreError:
        hint = "OUT's directory must exist, and you must be allowed to write to it"
        return StoreError(f"cannot write {self._shown}: {exc.strerror or exc}", hint=hint)


class StreamTarget:
    """Standard output, or any other stream: what was written before an error stays written."""

    at_any_place = False

    def __init__(self, stream: RawIOBase) -> None:
        """``stream`` has no buffer, so that nothing is left to be written when it takes no more. It stays open."""
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: object) -> None:
        pass

    def tell(self, sent: Moved) -> bool:  # noqa: ARG002 -- see Target
        """See Target."""
        return False

    def write_at(self, offset: int, data: memoryview) -> None:  # noqa: ARG002 -- it is always the next place
        """See Target."""
        try:
            while data:
                data = data[self._stream.write(data) or 0 :]
        except OSError as exc:
            raise StoreError(f"cannot write to the output: {exc.strerror or exc}") from exc


class ObjectTarget:
    """An object in a sink, visible when it is whole."""

    at_any_place = False

    def __init__(self, sink: Sink, name: str, *, force: bool) -> None:
        """Raises NameTakenError where the object is there, without ``force``."""
        if not force and sink.head(name) is not None:
            raise NameTakenError(f"{sink.properties.uri}{name} is there already", hint="--force replaces it")
        self._sink = sink
        self._name = name
        self._checksum = 0
        self._sent: Moved | None = None

    def __enter__(self) -> Self:
        self._writer = self._sink.writer(self._name, sent=self._sent)
        return self

    def tell(self, sent: Moved) -> bool:
        """See Target."""
        self._sent = sent
        return True

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: object) -> None:
        if kind is None:
            self._writer.commit(checksum=self._checksum)
        else:
            self._writer.abort()

    def write_at(self, offset: int, data: memoryview) -> None:  # noqa: ARG002 -- it is always the next place
        """See Target."""
        self._checksum = crc64(data, self._checksum)
        self._writer.write(data)


@dataclass(frozen=True, slots=True)
class _Set:
    """A whole set of chunks. ``header``: what each begins with.

    ``starts``: where each body goes, and last where the file ends; None where the sizes of bodies are not known.
    ``stored_bytes``: of all chunks.
    """

    file_name: str
    names: Callable[[int], str]
    total: int
    compression: Compression | None
    header: bytes
    starts: Sequence[int] | None
    manifest: Manifest | None
    stored_bytes: int


def merge(
    sink: Sink,
    open_chunk: OpenChunk,
    target: Target,
    *,
    executor: Executor,
    jobs: int,
    file_name: str | None = None,
    dialect: Dialect | None = None,
    observer: Observer | None = None,
) -> Merged:
    """Write all chunks of a job to ``target``, decompressed, with the header once.

    With a manifest each chunk's size and checksum are compared as its bytes pass. Sets of others, who follow the
    published naming, have none: then the header is the first record of chunk 1 by ``dialect`` (none, if that has no
    header), and every chunk must begin with it. Bodies are written in parallel where their places are known and the
    target takes them.

    Raises StoreError, naming the missing numbers, for a set that is not whole; CorruptObjectError for a chunk that is
    not what was stored; UsageError where several jobs lie there and none is named.
    """
    whole = _whole_set(sink, open_chunk, choose_job(sink, file_name), dialect or Dialect())
    heard = observer or Silent()
    if (
        whole.manifest is not None
        and dialect is not None
        and _header_rule(dialect) != _header_rule(whole.manifest.dialect)
    ):
        heard.warn(f"the manifest of {whole.file_name} says how its records are written: the dialect given is not used")
    merging = _Merging(open_chunk, whole, target, heard)
    size = merging.run(executor, jobs)
    rows = None if whole.manifest is None else whole.manifest.rows
    return Merged(whole.file_name, whole.total, size, rows)


def _header_rule(dialect: Dialect) -> tuple[str, str | None, str | None, bool]:
    """What finds a header."""
    return dialect.delimiter, dialect.quotechar, dialect.escapechar, dialect.header


def _whole_set(sink: Sink, open_chunk: OpenChunk, file_name: str, dialect: Dialect) -> _Set:
    manifest_name = names.manifest_name(file_name)
    data = sink.get_small(manifest_name)
    manifest = None if data is None else Manifest.from_bytes(data, manifest_name, file_name=file_name)
    here = inventory(sink, file_name, manifest)
    if not here.total:
        raise NotFoundError(f"there are no chunks of {file_name} in {sink.properties.uri}")
    if here.missing:
        word = "chunk" if len(here.missing) == 1 else "chunks"
        raise StoreError(
            f"{file_name} is not whole: {word} {ranges_text(here.missing, most=RANGES_SHOWN)} of {here.total} missing",
            hint="run the split again: it stores what is missing",
        )
    if manifest is not None:
        return _set_of_manifest(open_chunk, manifest, sum(here.sizes))
    if sink.head(names.plan_name(file_name)) is not None:
        raise StoreError(f"{file_name} is not whole: its split was interrupted", hint="run the split again")
    if here.others:
        raise StoreError(f"{file_name} is mixed: {here.others[0]} is not one of its {count_text(here.total, 'chunk')}")
    return _set_of_names(open_chunk, file_name, here, dialect)


def _set_of_manifest(open_chunk: OpenChunk, manifest: Manifest, stored_bytes: int) -> _Set:
    name = manifest.name(1)
    with ChunkReader(open_chunk, manifest.compression, name) as reader:
        header = reader.head(manifest.header_bytes)
    return _Set(
        manifest.file_name,
        manifest.name,
        manifest.total_parts,
        manifest.compression,
        header,
        _starts(manifest),
        manifest,
        stored_bytes,
    )


def _starts(manifest: Manifest) -> array[int]:
    """Where each chunk's body begins in the merged file, and where the last one ends."""
    head = manifest.header_bytes
    before = manifest.chunks.start - head
    if not manifest.mended:
        starts = manifest.chunks.starts
        return array("q", (start - before for start in starts)) if before else starts
    bodies = (manifest.chunk_bytes(number) - head for number in range(1, manifest.total_parts + 1))
    return array("q", accumulate(bodies, initial=head))


def _set_of_names(open_chunk: OpenChunk, file_name: str, here: Inventory, dialect: Dialect) -> _Set:
    client, _, date = file_name.rpartition("_")

    def name(number: int) -> str:
        usual = names.ChunkName(client, date, number, here.total, here.compression)
        return here.spelled.get(number) or names.format(usual)

    first = b""
    if dialect.header:
        with ChunkReader(open_chunk, here.compression, name(1)) as reader:
            first = _first_record(reader, dialect)
    starts: array[int] | None = None
    if here.compression is None:
        starts = array("q", accumulate((size - len(first) for size in here.sizes), initial=len(first)))
    return _Set(file_name, name, here.total, here.compression, first, starts, None, sum(here.sizes))


def _first_record(reader: ChunkReader, dialect: Dialect) -> bytes:
    """A chunk's first record with its line end, a byte order mark before it included."""
    pieces: list[bytes] = []
    counter = RecordCounter(dialect)
    for block in reader.blocks(memoryview(bytearray(BLOCK_BYTES))):
        end = counter.feed(block)
        if end >= 0:
            return b"".join([*pieces, bytes(block[:end])])
        pieces.append(bytes(block))
    return b"".join(pieces)


class _Merging:
    """The copying of one set. ``_copy`` may run on any number of threads where the target allows it."""

    def __init__(self, open_chunk: OpenChunk, whole: _Set, target: Target, observer: Observer) -> None:
        self._open_chunk = open_chunk
        self._set = whole
        self._target = target
        self._observer = observer
        self._alone = True
        self._came: Moved | None = None

    def run(self, executor: Executor, jobs: int) -> int:
        """Copy everything; return the bytes written."""
        header, starts = self._set.header, self._set.starts
        self._begin()
        numbers = range(1, self._set.total + 1)
        with self._target:
            self._target.write_at(0, memoryview(header))
            at = len(header)
            if starts is not None and self._target.at_any_place:
                self._alone = False
                at += sum(in_order(executor, lambda number: self._copy(number, starts[number - 1]), numbers, jobs))
            else:
                for number in numbers:
                    at += self._copy(number, at)
        return at

    def _begin(self) -> None:
        """What counts is the file's bytes as they are sent, or else the stored bytes as they are read."""
        if self._target.tell(self._observer.advance):
            total = None if self._set.starts is None else self._set.starts[-1]
        else:
            total, self._came = self._set.stored_bytes, self._observer.advance
        self._observer.phase("merging", total, self._set.total)

    def _copy(self, number: int, offset: int) -> int:
        """Write one chunk's body at ``offset``; return its size."""
        name, starts = self._set.names(number), self._set.starts
        body_bytes = None if starts is None else starts[number] - starts[number - 1]
        at = offset
        alone, came = self._alone, self._came
        with ChunkReader(self._open_chunk, self._set.compression, name, alone=alone, came=came) as reader:
            self._check_header(name, reader.head(len(self._set.header)))
            for block in reader.blocks(memoryview(bytearray(BLOCK_BYTES))):
                if body_bytes is not None and at + len(block) > offset + body_bytes:
                    raise _corrupt(f"{name} holds more than the {body_bytes} bytes of its body")
                self._target.write_at(at, block)
                at += len(block)
            if body_bytes is not None and at < offset + body_bytes:
                raise _corrupt(f"{name} ends after {at - offset} of the {body_bytes} bytes of its body")
            self._check_checksum(name, number, reader.checksum)
        self._observer.chunk_done(number, ChunkState.UPLOADED)
        return at - offset

    def _check_header(self, name: str, header: bytes) -> None:
        if header == self._set.header:
            return
        if self._set.manifest is not None:
            raise _corrupt(f"{name} does not begin with the header of chunk 1")
        hint = "where the chunks have no header, say --no-header"
        raise StoreError(f"{name} does not begin with the first record of chunk 1, as its header", hint=hint)

    def _check_checksum(self, name: str, number: int, found: int) -> None:
        said = None if self._set.manifest is None else self._set.manifest.chunks[number].checksum
        if said is not None and said != found:
            raise _corrupt(f"{name} has the checksum {tagged(found)}, the manifest says {tagged(said)}")


def _corrupt(message: str) -> CorruptObjectError:
    return CorruptObjectError(message, hint="splitjoin verify says what else is wrong; then split again with --force")
