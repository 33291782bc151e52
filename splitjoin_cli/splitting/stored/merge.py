"""Puts a split back together: one header, then the chunks' bodies in order, byte for byte what was split."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from splitjoin_cli.core import names
from splitjoin_cli.core.errors import NotFoundError, StoreError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.core.ranges import ranges_text
from splitjoin_cli.core.words import count_text
from splitjoin_cli.splitting.stored.chunks import BLOCK_BYTES, ChunkReader, choose_job, inventory, read_manifest
from splitjoin_cli.splitting.stored.joining import Joining, Joins, WholeSet
from splitjoin_cli.splitting.stored.records import RecordCounter
from splitjoin_cli.splitting.stored.targets import FileTarget, ObjectTarget, StreamTarget, Target

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from splitjoin_cli.core.format.manifest import Manifest
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.stored.chunks import Inventory, OpenChunk
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.sources.s3_objects import S3Objects
    from splitjoin_cli.stores.sources.small_files import SmallFiles

__all__ = ["FileTarget", "Merged", "ObjectTarget", "StreamTarget", "Target", "merge"]

RANGES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Merged:
    """What was put together. ``rows`` is ``None`` where no manifest says how many."""

    file_name: str
    total_parts: int
    size_bytes: int
    rows: int | None


def merge(  # noqa: PLR0913 -- a place, a target, and how it is done
    sink: Sink,
    open_chunk: OpenChunk,
    target: Target | Joins,
    *,
    executor: Executor,
    jobs: int,
    file_name: str | None = None,
    dialect: Dialect | None = None,
    observer: Observer | None = None,
    files: SmallFiles | None = None,
    objects: S3Objects | None = None,
) -> Merged:
    """Write all chunks of a job to ``target`` (or let it do so), decompressed, with the header once.

    With a manifest each chunk's size and checksum are compared as its bytes pass. Sets of others, who follow the
    published naming, have none: then the header is the first record of chunk 1 by ``dialect`` (none, if that has no
    header), and every chunk must begin with it. Bodies are written in parallel where their places are known and the
    target takes them. ``files``: the place's, where it is a directory: small chunks are then read many at a call.
    ``objects``: the place's on S3, where a small chunk is then one request, and read ahead.

    Raises StoreError, naming the missing numbers, for a set that is not whole; CorruptObjectError for a chunk that is
    not what was stored; UsageError where several jobs lie there and none is named.
    """
    whole = _whole_set(sink, open_chunk, choose_job(sink, file_name, files), dialect or Dialect(), files)
    heard = observer or Silent()
    if (
        whole.manifest is not None
        and dialect is not None
        and _header_rule(dialect) != _header_rule(whole.manifest.dialect)
    ):
        heard.warn(f"the manifest of {whole.file_name} says how its records are written: the dialect given is not used")
    if isinstance(target, Joins):
        size = target.join(whole, heard)
    else:
        size = Joining(open_chunk, whole, target, heard, files, objects).run(executor, jobs)
    rows = None if whole.manifest is None else whole.manifest.rows
    return Merged(whole.file_name, whole.total, size, rows)


def _header_rule(dialect: Dialect) -> tuple[str, str | None, str | None, bool]:
    """What finds a header."""
    return dialect.delimiter, dialect.quotechar, dialect.escapechar, dialect.header


def _whole_set(
    sink: Sink, open_chunk: OpenChunk, file_name: str, dialect: Dialect, files: SmallFiles | None
) -> WholeSet:
    manifest = read_manifest(sink, file_name)
    here = inventory(sink, file_name, manifest, files)
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


def _set_of_manifest(open_chunk: OpenChunk, manifest: Manifest, stored_bytes: int) -> WholeSet:
    name = manifest.name(1)
    with ChunkReader(open_chunk, manifest.compression, name) as reader:
        header = reader.head(manifest.header_bytes)
    return WholeSet(
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


def _set_of_names(open_chunk: OpenChunk, file_name: str, here: Inventory, dialect: Dialect) -> WholeSet:
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
    regular = not here.spelled and min(here.sizes) >= len(first)
    return WholeSet(file_name, name, here.total, here.compression, first, starts, None, sum(here.sizes), regular)


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
