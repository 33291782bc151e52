"""What manifests and plans say of a chunk, for objects that carry no metadata themselves."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.core import names
from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import CorruptObjectError, MixupError, NotFoundError
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.format.metadata import ChunkMetadata, decode_metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.format.plan_file import PlanFile
    from splitjoin_cli.core.names import ChunkName

__all__ = ["CheckedStream", "Described", "Descriptions", "chunk_name", "described", "own_metadata"]

KEPT = 4


class Described(NamedTuple):
    """A chunk as a manifest or plan has it. ``checksum``: CRC-64/NVME of the object as stored, None if unknown."""

    metadata: ChunkMetadata
    checksum: int | None


class Descriptions:
    """The manifests and plans that were read last: one is parsed once, not once for each of its chunks. Thread-safe."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], Manifest | PlanFile] = OrderedDict()
        self._reading: dict[tuple[str, str], threading.Lock] = {}

    def get(self, uri: str, validator: str, read: Callable[[], Manifest | PlanFile]) -> Manifest | PlanFile:
        """The document at ``uri`` as it was with ``validator``; ``read`` is called when it is not at hand."""
        key = (uri, validator)
        with self._lock:
            if (kept := self._at_hand(key)) is not None:
                return kept
            alone = self._reading.setdefault(key, threading.Lock())
        with alone:  # one reads it, the others wait: of a million chunks it is 32 MB
            with self._lock:
                if (kept := self._at_hand(key)) is not None:
                    return kept
            try:
                document = read()
                with self._lock:
                    self._kept[key] = document
                    while len(self._kept) > KEPT:
                        self._kept.popitem(last=False)
            finally:
                with self._lock:
                    self._reading.pop(key, None)
        return document

    def _at_hand(self, key: tuple[str, str]) -> Manifest | PlanFile | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)


def described(document: Manifest | PlanFile, name: ChunkName, size: int) -> Described | None:
    """What ``document`` says of the object ``name`` of ``size`` bytes; None where it means another object."""
    chunks = document.chunks
    same = (document.file_name, len(chunks), document.compression) == (name.file_name, name.total, name.compression)
    if not same:
        return None
    chunk = chunks[name.number]
    checksum = chunk.checksum
    stored: int | None = document.header_bytes + chunk.range.size
    if isinstance(document, Manifest):
        stored = document.stored_bytes[name.number - 1]
    elif document.compression is not None:
        stored = checksum = None  # a plan knows the bytes before compression
    if stored not in {None, size}:
        return None
    metadata = ChunkMetadata(
        file_name=name.file_name,
        run_id=document.run_id,
        generation=document.generation,
        number=name.number,
        total=name.total,
        range=chunk.range,
        rows=chunk.rows,
        dialect=document.dialect,
        header_lines=document.header_lines,
        header_bytes=document.header_bytes,
        compression=document.compression,
        mended=document.mended.get(name.number) if isinstance(document, Manifest) else None,
    )
    return Described(metadata, checksum)


def chunk_name(uri: str) -> ChunkName:
    """The chunk that ``uri`` names. Raises NotFoundError where it names none, MixupError for a total that none has."""
    name = names.parse(uri)
    if name is None:
        raise NotFoundError(f"{uri} is not the name of a chunk")
    if name.total > names.MAX_TOTAL:
        raise MixupError(
            f"{uri} is named as one of {name.total:,} chunks; a split has at most {names.MAX_TOTAL:,}",
            hint="rename it, or remove it",
        )
    return name


def own_metadata(text: str, uri: str, name: ChunkName, size: int) -> ChunkMetadata:
    """An object's own metadata; it has ``size`` bytes.

    Raises StoreError where it holds none of ours, MixupError where it is another chunk's than the name says.
    """
    metadata = decode_metadata(text, uri, size=size)
    said = (metadata.file_name, metadata.number, metadata.total)
    if said != (name.file_name, name.number, name.total):
        raise MixupError(
            f"{uri} is named chunk {name.number} of {name.total} of {name.file_name}, and its metadata says "
            f"chunk {metadata.number} of {metadata.total} of {metadata.file_name}",
            hint="it was copied or renamed: store it under its own name",
        )
    return metadata


class CheckedStream:
    """A ByteStream that raises CorruptObjectError instead of ending where its bytes are not those of a checksum."""

    def __init__(self, stream: ByteStream, *, size: int, checksum: int, name: str) -> None:
        """``size`` and ``checksum`` are of all its bytes."""
        self._stream = stream
        self._left = size
        self._checksum = checksum
        self._crc = 0
        self._name = name

    def readinto(self, buffer: memoryview) -> int:
        """See ByteStream."""
        filled = self._stream.readinto(buffer)
        self._crc = crc64(buffer[:filled], self._crc)
        self._left -= filled
        if not self._left and self._crc != self._checksum:
            raise CorruptObjectError(
                f"{self._name} does not hold the bytes that its manifest or plan lists",
                hint="split again, or look with splitjoin verify",
            )
        return filled

    def close(self) -> None:
        """See ByteStream."""
        self._stream.close()
