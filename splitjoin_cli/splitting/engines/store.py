"""Stores the chunks of a plan on an engine: neighbours in one unit, each on the condition that this process saw."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import CorruptObjectError, ObjectChangedError, UsageError
from splitjoin_cli.core.model import StoredObject
from splitjoin_cli.core.names import plan_name
from splitjoin_cli.splitting.engines.base import Failed, Stored, StoreUnit
from splitjoin_cli.splitting.engines.dispatch import TRIES, Dispatcher, Work, error_of
from splitjoin_cli.splitting.engines.specs import ChunkSpec, HeaderSpec
from splitjoin_cli.splitting.engines.wire import release
from splitjoin_cli.splitting.one_chunk import Sender
from splitjoin_cli.splitting.stretches import neighbours
from splitjoin_cli.splitting.transfer import CHANGES
from splitjoin_cli.stores.sinks.base import ABSENT
from splitjoin_cli.stores.sinks.documents import put_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from splitjoin_cli.core.model import Chunk
    from splitjoin_cli.splitting.engines.base import Answer, Remote
    from splitjoin_cli.splitting.transfer import TransferJob
    from splitjoin_cli.stores.sinks.base import Condition, OpenSmall, Sink

__all__ = ["EngineTransfer", "check_conditional", "unconditional"]

PIECE_BYTES = 1024 * 1024
MOST_CHUNKS = 32
"""Of a unit: what one costs an engine is little beside so many, and what is known here of one under way stays small."""
SHARES = 2
"""So many units, at least, for each that should be under way, as long as there are chunks."""


def check_conditional(sink: Sink, file_name: str) -> None:
    """Raise UsageError where the store takes an object though its condition does not hold.

    The plan of ``file_name`` is there: this tries to store the same bytes once more, where the name must be free.
    """
    name = plan_name(file_name)
    held = sink.open_small(name)
    if held is None:
        return
    with held:
        if held.size and _stored_again(sink, name, held):
            raise unconditional(f"{sink.properties.uri}{name}")


def _stored_again(sink: Sink, name: str, held: OpenSmall) -> bool:
    """Whether what is held under a name could be stored as if the name were free; a large one goes piece by piece."""
    if held.size <= PIECE_BYTES:
        return sink.put_small(name, held.read_at(0, held.size), when=ABSENT)
    pieces = (held.read_at(start, PIECE_BYTES) for start in range(0, held.size, PIECE_BYTES))
    return put_blocks(sink, name, pieces, when=ABSENT)


def unconditional(uri: str) -> UsageError:
    """The error for a store on which a late worker may replace what another run stored."""
    return UsageError(
        f"{uri}: the store ignores the conditions of writes, which workers need",
        hint="use --engine threads, or another store",
    )


class _Item(NamedTuple):
    """A chunk on its way. ``changes``: how often what it replaces had changed; ``tries``: how often it was sent."""

    chunk: Chunk
    spec: ChunkSpec
    changes: int = 0
    tries: int = 1


class EngineTransfer:
    """Sends chunks as Transfer does. ``run`` it once."""

    def __init__(self, remote: Remote, job: TransferJob, header_start: int) -> None:
        """``header_start``: where the header begins in the source."""
        self._remote, self._job = remote, job
        header = job.way.header
        self._header = HeaderSpec(header_start, len(header), crc64(header))
        engine, tell = remote.engine, job.way.observer.detail
        self._dispatcher = Dispatcher(engine, pace=remote.pace, check=remote.check, tell=tell)
        self._sender, self._copies = Sender(job.way), job.way.copier is not None
        self._left = 0

    @property
    def may_go_on(self) -> bool:
        """Whether a worker may still store a chunk."""
        return self._dispatcher.abandoned

    def run(self, chunks: Iterable[Chunk], count: int) -> None:
        """Send them all. Each ends in ``done`` or ``failed``; raises what makes all of them wrong, and EngineError.

        ``count``: how many there are, as far as that is known; with fewer, units are smaller.
        """
        self._left = count
        self._dispatcher.run(self._works(chunks))

    def _works(self, chunks: Iterable[Chunk]) -> Iterator[Work]:
        for together in neighbours(chunks, self._streams, most_chunks=self._most_chunks):
            self._left -= len(together)
            yield self._work([_Item(chunk, self._spec(chunk, self._job.when(chunk))) for chunk in together])

    def _streams(self, chunk: Chunk) -> bool:
        return not self._copies or self._sender.streams(chunk)

    def _most_chunks(self) -> int:
        """Of the next unit: fewer towards the end, so that no worker waits for another one's last chunks."""
        return min(max(self._left // (SHARES * max(self._remote.engine.in_flight, 1)), 1), MOST_CHUNKS)

    def _spec(self, chunk: Chunk, when: Condition) -> ChunkSpec:
        job, place = self._job, chunk.range
        name, metadata = job.name(chunk), job.metadata(chunk)
        return ChunkSpec(name, chunk.number, place.start, place.end, chunk.checksum, metadata, when)

    def _work(self, items: list[_Item], alone: tuple[_Item, ...] = ()) -> Work:
        """``alone``: what is sent one by one behind it."""
        unit = StoreUnit(
            version=release(),
            source=self._remote.source,
            sink=self._remote.sink,
            header=self._header,
            chunks=tuple(item.spec for item in items),
            compression=self._job.way.compression,
            copies=self._copies,
        )
        return Work(unit, partial(self._answered, items, alone))

    def _answered(self, items: list[_Item], alone: tuple[_Item, ...], answer: Answer) -> Work | None:
        again: list[_Item] = []
        if isinstance(answer, Stored) and answer.refused is not None:
            self._copies = False  # each chunk would begin an upload, and ask again
            self._job.way.refused(answer.refused)
        if isinstance(answer, Stored) and len(answer.chunks) == len(items):
            settled = (self._settled(item, found) for item, found in zip(items, answer.chunks, strict=True))
            again = [item for item in settled if item is not None]
        elif isinstance(answer, Failed) and not answer.fatal and len(items) > 1:
            alone = (*items, *alone)  # nobody knows which of them it was: a worker died of it, or was too slow
        else:
            for item in items:
                self._settled(item, answer if isinstance(answer, Failed) else None, is_last=True)
        if again:
            return self._work(again, alone)
        return self._work([alone[0]], alone[1:]) if alone else None

    def _settled(self, item: _Item, found: StoredObject | Failed | None, *, is_last: bool = False) -> _Item | None:
        """Take what became of a chunk; what is to be sent once more. ``is_last``: it was sent often enough."""
        chunk = item.chunk
        if isinstance(found, StoredObject) and self._is_of(item.spec, found):
            self._done(chunk, found)
            return None
        if not isinstance(found, Failed):
            who = self._remote.engine.words.one
            self._job.failed(chunk, CorruptObjectError(f"{item.spec.name}: {who} says that it stored another object"))
            return None
        error = error_of(found)
        if found.fatal:
            raise error
        if found.again and item.tries < TRIES and not is_last:
            return item._replace(tries=item.tries + 1)
        if isinstance(error, ObjectChangedError):
            place = self._job.again(chunk)
            if place.stored is not None:
                self._done(chunk, place.stored)
                return None
            if item.changes < CHANGES:
                return _Item(chunk, self._spec(chunk, place.when), item.changes + 1)
        if isinstance(error, CorruptObjectError):
            self._job.way.source.check_unchanged()
        self._job.failed(chunk, error)
        return None

    def _done(self, chunk: Chunk, stored: StoredObject) -> None:
        self._job.way.observer.advance(self._header.size + chunk.range.size)
        self._job.done(chunk, stored)

    def _is_of(self, spec: ChunkSpec, stored: StoredObject) -> bool:
        """Whether an object is what was to be stored, as far as that is known here."""
        if stored.name != spec.name:
            return False
        if self._job.way.compression is not None:
            return True
        size = self._header.size + spec.end - spec.start
        return stored.size == size and spec.checksum in (None, stored.checksum)
