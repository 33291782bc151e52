"""A split in memory, as a place that verify and merge read: its objects are a dict that tests damage."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from splitjoin_cli.core import names
from splitjoin_cli.core.bytes.codecs import compressor
from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import CorruptObjectError, SourceError
from splitjoin_cli.core.format.chunk_table import ChunkTable
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.format.metadata import ChunkMetadata, encode_metadata
from splitjoin_cli.core.format.shared_fields import SourceIdentity
from splitjoin_cli.core.model import ByteRange, Dialect, StoredObject
from splitjoin_cli.stores.sinks.base import SinkProperties, SmallObject
from splitjoin_cli.stores.sinks.open_bytes import OpenBytes
from splitjoin_cli.stores.sources.memory import MemorySource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Literal

    from splitjoin_cli.core.bytes.base import Buffer
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sinks.base import Condition, Sink

FILE_NAME = "acme_20240131"
MANIFEST = f"{FILE_NAME}.manifest.json"


@dataclass
class MemoryPlace:
    """The part of a Sink that reading needs, and ``writer``."""

    objects: dict[str, bytes] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    properties: SinkProperties = field(default_factory=lambda: SinkProperties("memory:place/"))

    @property
    def sink(self) -> Sink:
        return cast("Sink", self)

    def open_chunk(self, name: str) -> MemorySource:
        if name not in self.objects:
            raise SourceError(f"cannot read {name}: no such object")
        return MemorySource(self.objects[name], f"memory:place/{name}")

    def list(self, name_prefix: str = "") -> Iterator[StoredObject]:
        for name in sorted(self.objects):
            if name.startswith(name_prefix):
                yield StoredObject(name, len(self.objects[name]))

    def head(self, name: str) -> StoredObject | None:
        data = self.objects.get(name)
        return None if data is None else StoredObject(name, len(data), metadata=self.metadata.get(name))

    def get_small(self, name: str) -> bytes | None:
        return self.objects.get(name)

    def open_small(self, name: str) -> OpenBytes | None:
        data = self.objects.get(name)
        return None if data is None else OpenBytes(SmallObject(data, "v"))

    def writer(self, name: str, *, when: Condition | None = None, sent: Moved | None = None) -> MemoryWriter:  # noqa: ARG002 -- Sink's
        return MemoryWriter(self, name)

    def replace_in(self, name: str, old: bytes, new: bytes) -> None:
        assert old in self.objects[name]
        self.objects[name] = self.objects[name].replace(old, new)


class MemoryWriter:
    def __init__(self, place: MemoryPlace, name: str) -> None:
        self._place = place
        self._name = name
        self._data = b""

    def write(self, data: Buffer) -> None:
        self._data += bytes(data)

    def commit(self, *, checksum: int | None) -> StoredObject:
        if checksum != crc64(self._data):
            raise CorruptObjectError("another checksum")
        self._place.objects[self._name] = self._data
        return StoredObject(self._name, len(self._data), checksum)

    def abort(self) -> None:
        self._data = b""


def stored_split(
    header: bytes,
    chunks: Sequence[Sequence[bytes]],
    *,
    compression: Literal["gzip", "zstd"] | None = None,
    file_name: str = FILE_NAME,
    counted: bool = True,
    dialect: Dialect | None = None,
) -> MemoryPlace:
    """A whole split, its manifest and metadata included; ``chunks`` holds the records of each."""
    place = MemoryPlace()
    client, _, date = file_name.rpartition("_")
    table, sizes = ChunkTable(len(header)), array("q")
    dialect = replace(dialect or Dialect(line_end="\n"), header=bool(header))
    for number, records in enumerate(chunks, start=1):
        plain = header + b"".join(records)
        data = plain
        if compression is not None:
            pack = compressor(compression)
            data = pack.compress(plain) + pack.flush()
        name = names.format(names.ChunkName(client, date, number, len(chunks), compression))
        start = table.end
        rows = len(records) if counted else None
        table.append(start + len(plain) - len(header), rows, crc64(data))
        sizes.append(len(data))
        place.objects[name] = data
        place.metadata[name] = encode_metadata(
            ChunkMetadata(
                file_name=file_name,
                run_id="0" * 32,
                generation=1,
                number=number,
                total=len(chunks),
                range=ByteRange(start, table.end),
                rows=rows,
                dialect=dialect,
                header_lines=1,
                header_bytes=len(header),
                compression=compression,
            )
        )
    manifest = Manifest(
        file_name=file_name,
        run_id="0" * 32,
        generation=1,
        source=SourceIdentity("/data/acme.csv", table.end, "f"),
        dialect=dialect,
        compression=compression,
        header_lines=1,
        chunks=table,
        stored_bytes=sizes,
    )
    place.objects[names.manifest_name(file_name)] = manifest.to_bytes()
    return place
