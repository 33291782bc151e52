"""Stores the chunks of a plan on an engine: each in one unit, on the condition that this process saw."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import CorruptObjectError, ObjectChangedError, UsageError
from splitjoin_cli.core.names import plan_name
from splitjoin_cli.splitting.engines.base import Failed, HeaderSpec, Stored, StoreUnit
from splitjoin_cli.splitting.engines.dispatch import Dispatcher, Work, error_of
from splitjoin_cli.splitting.engines.wire import release
from splitjoin_cli.splitting.transfer import CHANGES
from splitjoin_cli.stores.sinks.base import ABSENT
from splitjoin_cli.stores.sinks.documents import put_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from splitjoin_cli.core.model import Chunk, StoredObject
    from splitjoin_cli.splitting.engines.base import Answer, Remote
    from splitjoin_cli.splitting.transfer import TransferJob
    from splitjoin_cli.stores.sinks.base import Condition, OpenSmall, Sink

__all__ = ["EngineTransfer", "check_conditional", "unconditional"]

PIECE_BYTES = 1024 * 1024


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


class EngineTransfer:
    """Sends chunks as Transfer does. ``run`` it once."""

    def __init__(self, remote: Remote, job: TransferJob, header_start: int) -> None:
        """``header_start``: where the header begins in the source."""
        self._remote, self._job = remote, job
        header = job.way.header
        self._header = HeaderSpec(header_start, len(header), crc64(header))
        self._dispatcher = Dispatcher(remote.engine, pace=remote.pace, check=remote.check)

    @property
    def may_go_on(self) -> bool:
        """Whether a worker may still store a chunk."""
        return self._dispatcher.abandoned

    def run(self, chunks: Iterable[Chunk]) -> None:
        """Send them all. Each ends in ``done`` or ``failed``; raises what makes all of them wrong, and EngineError."""
        self._dispatcher.run(self._work(chunk, self._job.when(chunk), 0) for chunk in chunks)

    def _work(self, chunk: Chunk, when: Condition, changes: int) -> Work:
        job = self._job
        unit = StoreUnit(
            version=release(),
            source=self._remote.source,
            sink=self._remote.sink,
            name=job.name(chunk),
            number=chunk.number,
            header=self._header,
            range=chunk.range,
            checksum=chunk.checksum,
            metadata=job.metadata(chunk),
            compression=job.way.compression,
            when=when,
            copies=job.way.copier is not None,
        )
        return Work(unit, partial(self._answered, chunk, unit, changes))

    def _answered(self, chunk: Chunk, unit: StoreUnit, changes: int, answer: Answer) -> Work | None:
        if isinstance(answer, Stored) and self._is_of(unit, answer.object):
            self._done(chunk, answer.object)
            return None
        if not isinstance(answer, Failed):
            who = self._remote.engine.words.one
            self._job.failed(chunk, CorruptObjectError(f"{unit.name}: {who} says that it stored another object"))
            return None
        error = error_of(answer)
        if answer.fatal:
            raise error
        if isinstance(error, ObjectChangedError):
            place = self._job.again(chunk)
            if place.stored is not None:
                self._done(chunk, place.stored)
                return None
            if changes < CHANGES:
                return self._work(chunk, place.when, changes + 1)
        if isinstance(error, CorruptObjectError):
            self._job.way.source.check_unchanged()
        self._job.failed(chunk, error)
        return None

    def _done(self, chunk: Chunk, stored: StoredObject) -> None:
        self._job.way.observer.advance(self._header.size + chunk.range.size)
        self._job.done(chunk, stored)

    def _is_of(self, unit: StoreUnit, stored: StoredObject) -> bool:
        """Whether an object is what a unit was to store, as far as that is known here."""
        if stored.name != unit.name:
            return False
        if unit.compression is not None:
            return True
        size = self._header.size + unit.range.size
        return stored.size == size and unit.checksum in (None, stored.checksum)
