"""The simulated store: it keeps the sizes of chunks, and of a plan and a manifest their beginning and size."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, Self

from splitjoin_cli.core.errors import ObjectChangedError
from splitjoin_cli.core.model import StoredObject
from splitjoin_cli.core.names import chunk_names
from splitjoin_cli.stores.sinks.base import SinkProperties, SmallObject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.scale.coordinator.cluster import Cluster
    from splitjoin_cli.core.bytes.base import Buffer
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sinks.base import Condition

__all__ = ["SimulatedSink"]

KEPT_BYTES = 1024 * 1024
URI = "s3://chunks/simulated/"


@dataclass(frozen=True, slots=True)
class _Document:
    start: bytes
    size: int
    validator: str


class _Writer:
    """An ObjectWriter; it is an OpenSmall of what it wrote, too, but for what was dropped."""

    def __init__(self, sink: SimulatedSink, name: str, when: Condition | None) -> None:
        self._sink, self._name, self._when = sink, name, when
        self._start, self._size, self._hash = bytearray(), 0, hashlib.blake2b(digest_size=8)

    def write(self, data: Buffer) -> None:
        """As in ObjectWriter."""
        with self._sink.cluster.meter:
            self._start += memoryview(data)[: max(KEPT_BYTES - self._size, 0)]
            self._size += len(data)
            self._hash.update(data)

    def commit(self, *, checksum: int | None) -> StoredObject:  # noqa: ARG002 -- as in ObjectWriter
        """As in ObjectWriter."""
        document = _Document(bytes(self._start), self._size, self._hash.hexdigest())
        if not self._sink.keep(self._name, document, self._when):
            raise ObjectChangedError(f"{URI}{self._name}: another object has this name by now")
        return StoredObject(self._name, self._size, validator=document.validator)

    def abort(self) -> None:
        """As in ObjectWriter."""


class _Open:
    """An OpenSmall; what was dropped of it is zeros."""

    def __init__(self, document: _Document) -> None:
        self._document, self.size, self.validator = document, document.size, document.validator

    def read_at(self, offset: int, size: int) -> bytes:
        """As in OpenSmall."""
        size = max(min(size, self.size - offset), 0)
        return self._document.start[offset : offset + size].ljust(size, b"\0")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""


class SimulatedSink:
    """A Sink of a cluster's store. Chunks come to it from workers alone."""

    staging = None
    copier = None
    prober = None
    properties = SinkProperties(URI)

    def __init__(self, cluster: Cluster, file_name: str) -> None:
        """``file_name``: whose chunks the cluster stores."""
        self.cluster, self._file_name = cluster, file_name
        self._documents: dict[str, _Document] = {}

    def put(self, name: str, *_: object, **__: object) -> NoReturn:
        """As in Sink: chunks are the workers' to store."""
        raise NotImplementedError(f"{name} was not stored by a worker")

    def writer(
        self,
        name: str,
        *,
        metadata: str | None = None,  # noqa: ARG002 -- as in Sink
        when: Condition | None = None,
        sent: Moved | None = None,  # noqa: ARG002 -- as in Sink
    ) -> _Writer:
        """As in Sink."""
        return _Writer(self, name, when)

    def put_small(self, name: str, data: bytes, *, when: Condition | None = None) -> bool:
        """As in Sink."""
        return self.keep(name, _Document(data, len(data), hashlib.blake2b(data, digest_size=8).hexdigest()), when)

    def get_small(self, name: str) -> bytes | None:
        """As in Sink."""
        held = self._documents.get(name)
        return None if held is None else _Open(held).read_at(0, held.size)

    def check_writable(self, name: str) -> None:
        """As in Sink."""

    def read_small(self, name: str, *, most: int | None = None) -> SmallObject | None:
        """As in Sink."""
        held = self._documents.get(name)
        return None if held is None else SmallObject(_Open(held).read_at(0, most or held.size), held.validator)

    def open_small(self, name: str) -> _Open | None:
        """As in Sink."""
        held = self._documents.get(name)
        return None if held is None else _Open(held)

    def head(self, name: str) -> StoredObject | None:
        """As in Sink."""
        held = self._documents.get(name)
        return None if held is None else StoredObject(name, held.size, validator=held.validator)

    def list(self, name_prefix: str = "") -> Iterator[StoredObject]:
        """As in Sink; a thousand come at once."""
        total = len(self.cluster.sizes)
        self.cluster.pages(total)
        for name, held in sorted(self._documents.items()):
            if name.startswith(name_prefix):
                yield StoredObject(name, held.size, validator=held.validator)
        name_of = chunk_names(self._file_name, total, None) if total else str
        for number, size in enumerate(self.cluster.sizes, 1):
            if size:
                yield StoredObject(name_of(number), size, validator='"simulated"')

    def delete(self, name: str, *, when: Condition | None = None) -> bool:
        """As in Sink."""
        held = self._documents.get(name)
        if held is not None and when is not None and when.validator != held.validator:
            return False
        self._documents.pop(name, None)
        return True

    def sweep(self, name_prefix: str, *, only: Callable[[str], bool] | None = None, count: bool = False) -> int:  # noqa: ARG002 -- as in Sink
        """As in Sink: nothing is left."""
        return 0

    def close(self) -> None:
        """As in Sink."""

    def keep(self, name: str, document: _Document, when: Condition | None) -> bool:
        """Store it, if the condition holds."""
        held = self._documents.get(name)
        if when is not None and when.validator != (None if held is None else held.validator):
            return False
        self._documents[name] = document
        return True
