"""``status --reconcile --values``: a table beside the chunks, or the source, that it was loaded from. Read only."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from splitjoin_cli.api.open import LoadRequest, open_values
from splitjoin_cli.api.places import StoredRequest, open_place
from splitjoin_cli.core.errors import (
    BadInputError,
    LoadError,
    MixupError,
    NotFoundError,
    SourceChangedError,
    UsageError,
)
from splitjoin_cli.core.places import parse_place
from splitjoin_cli.join.chunk import chunk_to_load, run_of
from splitjoin_cli.join.operate.values import Values, compare_values
from splitjoin_cli.splitting.stored.chunks import inventory, read_manifest
from splitjoin_cli.splitting.stored.comparing import Forward
from splitjoin_cli.stores.loaders.base import ChunkToLoad
from splitjoin_cli.stores.loaders.header import sniff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from splitjoin_cli.core.aws.options import AwsOptions
    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.format.manifest import Manifest
    from splitjoin_cli.splitting.stored.around import Placed
    from splitjoin_cli.stores.chunks.base import ChunkStore
    from splitjoin_cli.stores.loaders.base import Ledger
    from splitjoin_cli.stores.loaders.read_back import RowSink, TableValues
    from splitjoin_cli.stores.sources.base import Source
    from splitjoin_cli.stores.trackers.jobs import JobProgress

__all__ = ["ValuesRequest", "table_values"]

SNIFFED_BYTES = 64 * 1024
HEADER_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesRequest:
    """What is compared with what. ``dest``: None for where the tracker says that the chunks are.

    ``source``: instead of the chunks; ``encoding``: its own, None for any that keeps ASCII. ``key``: the columns that
    tell rows apart; empty for the primary key.
    """

    load: LoadRequest
    dest: str | None
    source: str | None
    encoding: str | None
    key: tuple[str, ...]
    aws: AwsOptions


def table_values(request: ValuesRequest, progress: JobProgress, ledger: Ledger) -> Values:
    """Compare the run's chunks that the ledger has, or the source, with the table that they were loaded into.

    Raises UsageError, NotFoundError, LoadError, StoreError, SourceError.
    """
    job = ledger.job
    run_id = progress.run_id or (None if job is None else job.run_id)
    if job is None or run_id is None or not job.table:
        raise LoadError(
            f"{ledger.uri} knows nothing of {progress.file_name}: there is no table to compare",
            hint="name the database that the chunks were loaded into",
        )
    reader = open_values(replace(request.load, table=job.table), request.aws)
    with ExitStack() as stack:
        table = stack.enter_context(reader.read_values(progress.file_name, run_id))
        if not table.numbers:
            raise LoadError(f"{ledger.uri} has loaded no chunk of run {run_id}", hint="look with --reconcile alone")
        chunks = _Chunks(request, progress, run_id, table.numbers, stack)
        _, first = next(chunks.begin())
        table.begin(first)
        found = compare_values(
            table.rules,
            _key(request.key, table),
            _FileSide(chunks, table),
            _TableSide(table),
            converted=table.converted,
        )
        chunks.check_unchanged()
        return replace(found, compared_parts=chunks.count)


class _FileSide:
    """See Side: the chunks' records."""

    def __init__(self, chunks: _Chunks, table: TableValues) -> None:
        """``table``: reads them as its loader does."""
        self._chunks, self._table = chunks, table
        self.number = 0

    def read(self, sink: RowSink) -> None:
        """See Side."""
        for number, chunk in self._chunks.begin():
            self.number = number
            self._table.read_records(chunk, sink)


class _TableSide:
    """See Side: the table's rows."""

    number = 0

    def __init__(self, table: TableValues) -> None:
        """They are read at one moment."""
        self._table = table

    def read(self, sink: RowSink) -> None:
        """See Side."""
        self._table.read_rows(sink)


def _key(asked: Sequence[str], table: TableValues) -> list[int]:
    """Places of the key's columns; none where the primary key holds a column that the chunks have not."""
    names = [rule.column.name for rule in table.rules]
    if not asked:
        own = table.primary_key()
        return [names.index(name) for name in own] if set(own) <= set(names) else []
    places = []
    for name in asked:
        alike = [place for place, one in enumerate(names) if one.lower() == name.lower()]
        if name not in names and len(alike) != 1:
            raise UsageError(
                f"--key: the chunks have no column {name!r}", hint=f"they have {', '.join(map(repr, names))}"
            )
        places.append(names.index(name) if name in names else alike[0])
    return list(dict.fromkeys(places))


class _Chunks:
    """The chunks that are compared: as they are stored, or as the source has them. They can be read several times."""

    def __init__(
        self, request: ValuesRequest, progress: JobProgress, run_id: str, numbers: Sequence[int], stack: ExitStack
    ) -> None:
        """``stack``: closes what is opened here."""
        from splitjoin_cli.stores.chunks.any import Chunks

        self._run_id, self._numbers, self._file_name = run_id, numbers, progress.file_name
        self._encoding = request.encoding
        self._store: ChunkStore = stack.enter_context(closing(Chunks(request.aws)))
        self._uris: dict[int, str] = {}
        self._manifest: Manifest | None = None
        dest = request.dest or progress.destination
        if dest is None and request.source is None:
            raise UsageError(
                "--values needs the chunks, and the tracker does not know where they are", hint="give --dest"
            )
        if dest is not None:
            self._look(dest, request)
        self._source: Source | None = None
        if request.source is not None:
            self._source = _opened(request.source, request.encoding, request.aws)
            stack.callback(self._source.close)
        self.count = len(numbers) if self._source is None or self._manifest is not None else 1

    def begin(self) -> Iterator[tuple[int, ChunkToLoad]]:
        """Each chunk with its number, ascending; a chunk is done with when the next one is asked for."""
        if self._source is None:
            return self._stored(self._numbers)
        if self._manifest is None:
            return iter([(1, _whole(self._source, self._encoding, self._file_name, self._run_id))])
        return self._of_source(self._source, self._manifest)

    def check_unchanged(self) -> None:
        """Raise SourceChangedError where the source is another now."""
        if self._source is not None:
            self._source.check_unchanged()

    def _look(self, dest: str, request: ValuesRequest) -> None:
        """Find the manifest, and the chunks' names. A source needs neither."""
        wanted = set(self._numbers)
        stored = StoredRequest(place=parse_place(dest), file_name=self._file_name, jobs=1, aws=request.aws)
        try:
            with open_place(stored) as place:
                found = read_manifest(place.sink, self._file_name)
                self._manifest = found if found is not None and found.run_id == self._run_id else None
                if request.source is not None and (self._manifest is None or not self._manifest.mended):
                    return
                here = inventory(place.sink, self._file_name, self._manifest, place.files)
                uri = place.sink.properties.uri
                self._uris = {number: uri + name for number, name in here.found(self._file_name) if number in wanted}
        except NotFoundError:
            if request.source is None:
                raise

    def _stored(self, numbers: Sequence[int]) -> Iterator[tuple[int, ChunkToLoad]]:
        for number in numbers:
            uri = self._uris.get(number)
            if uri is None:
                raise NotFoundError(
                    f"chunk {number} of {self._file_name} is loaded, and not stored any more",
                    hint="compare with the source: --source SOURCE",
                )
            with closing(self._store.open_chunk(uri)) as stored:
                run_id = run_of(stored).run_id
                if run_id != self._run_id:
                    raise MixupError(
                        f"{uri} is of run {run_id}, and run {self._run_id} is loaded",
                        hint="compare with the source: --source SOURCE",
                    )
                yield number, chunk_to_load(stored)

    def _of_source(self, source: Source, manifest: Manifest) -> Iterator[tuple[int, ChunkToLoad]]:
        """By the manifest's ranges; a mended chunk is not the source's any more, and read as it is stored."""
        with ExitStack() as stack:
            placed: Placed = source
            if not source.properties.seekable:
                stream = source.stream()
                stack.callback(stream.close)
                placed = Forward(stream)
            header = _header(placed, manifest)
            for number in self._numbers:
                if number in manifest.mended:
                    yield from self._stored([number])
                    continue
                part = manifest.chunks[number]
                yield (
                    number,
                    ChunkToLoad(
                        file_name=manifest.file_name,
                        run_id=manifest.run_id,
                        generation=manifest.generation,
                        number=number,
                        total=manifest.total_parts,
                        rows=part.rows,
                        dialect=manifest.dialect,
                        header_bytes=len(header),
                        header_lines=manifest.header_lines,
                        compression=None,
                        open=_opening(placed, header, part.range.start, part.range.end, source.properties.uri),
                    ),
                )


def _opening(placed: Placed, header: bytes, start: int, end: int, name: str) -> Callable[[], ByteStream]:
    return lambda: _Part(placed, header, start, end, name)


class _Part:
    """The header, then a range of the source. A ByteStream."""

    def __init__(self, placed: Placed, header: bytes, start: int, end: int, name: str) -> None:
        """``name``: how messages call the source."""
        self._placed, self._header, self._at, self._end, self._name = placed, header, start, end, name

    def readinto(self, buffer: memoryview) -> int:
        """See ByteStream."""
        if self._header:
            got = min(len(buffer), len(self._header))
            buffer[:got] = self._header[:got]
            self._header = self._header[got:]
            return got
        done, view = 0, buffer[: self._end - self._at]
        while done < len(view):
            got = self._placed.read_at(self._at, view[done:])
            if not got:
                raise SourceChangedError(f"{self._name} ends at byte {self._at:,}, within a chunk of its split")
            self._at += got
            done += got
        return done

    def close(self) -> None:
        """See ByteStream: the source stays open."""


def _header(placed: Placed, manifest: Manifest) -> bytes:
    header = bytearray()
    while len(header) < manifest.header_bytes:
        block = memoryview(bytearray(min(manifest.header_bytes - len(header), HEADER_BLOCK)))
        got = placed.read_at(manifest.header_start + len(header), block)
        if not got:
            raise SourceChangedError("the source ends within its header")
        header += block[:got]
    return bytes(header)


def _opened(spec: str, encoding: str | None, aws: AwsOptions) -> Source:
    from splitjoin_cli.stores.sources.open import open_source

    try:
        return open_source(os.fspath(spec), encoding=encoding, aws=aws)
    except BadInputError as exc:
        exc.hint = f"{exc.hint}; or compare with the chunks: leave --source out"
        raise


def _whole(source: Source, encoding: str | None, file_name: str, run_id: str) -> ChunkToLoad:
    """The whole source as one chunk, its dialect guessed: no manifest says it. ``encoding``: that was typed."""
    from splitjoin_cli.stores.sources.transcode import chunk_encoding

    buffer, filled = memoryview(bytearray(SNIFFED_BYTES)), 0
    with closing(source.stream()) as stream:
        while filled < len(buffer) and (got := stream.readinto(buffer[filled:])):
            filled += got
    found = sniff(bytes(buffer[:filled]))
    return ChunkToLoad(
        file_name=file_name,
        run_id=run_id,
        generation=1,
        number=1,
        total=1,
        rows=None,
        dialect=found.dialect if encoding is None else replace(found.dialect, encoding=chunk_encoding(encoding)),
        header_bytes=found.header_bytes,
        header_lines=found.header_lines,
        compression=None,
        open=source.stream,
    )
