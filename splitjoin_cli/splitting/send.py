"""Stores the chunks of a claimed plan: those written already get their names, the others are sent."""

from __future__ import annotations

from array import array
from contextlib import suppress
from itertools import repeat
from operator import add, sub
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import AccessError, ObjectChangedError, StoreError
from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.core.names import around_number
from splitjoin_cli.core.progress import chunks_done, skip
from splitjoin_cli.splitting.result import chunk_name
from splitjoin_cli.splitting.standing import MendedChunk, Placing, Repairs
from splitjoin_cli.stores.sinks.base import Numbering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Executor

    from splitjoin_cli.core.errors import SplitjoinError
    from splitjoin_cli.core.model import Chunk, StoredObject
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.claim import Claim
    from splitjoin_cli.splitting.engines.base import Remote
    from splitjoin_cli.splitting.notify import Events
    from splitjoin_cli.splitting.request import SplitRequest
    from splitjoin_cli.splitting.result import Progress
    from splitjoin_cli.splitting.staging import StagedChunks
    from splitjoin_cli.splitting.transfer import TransferJob
    from splitjoin_cli.stores.sinks.base import Copier, Sink
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["Sending"]

AT_ONCE = 1000
"""Chunks that are given their names between two looks at what else is to be heard, a signal for one."""
CHANGES = 4
"""How often a chunk that was written before its name was known is tried, where others store under that name."""


class Sending:
    """The chunks of one plan on their way. What becomes of each is in ``progress``, and the observer hears it.

    ``denied``: the first refusal for want of rights. ``may_go_on``: a worker of an engine may still store a chunk.
    """

    def __init__(  # noqa: PLR0913 -- what a split's parts give it
        self,
        claim: Claim,
        source: Source,
        sink: Sink,
        progress: Progress,
        observer: Observer,
        *,
        force: bool,
        repairs: Repairs | None = None,
        events: Events | None = None,
        refused: Callable[[str], object] = lambda _: None,
    ) -> None:
        """``claim``: of the name. ``progress``: of the plan's chunks, none of which is done.

        ``force``: chunks of another run may be replaced. ``repairs``: None without a tracker. ``events``: None where
        the store sends them. ``refused``: see Way.
        """
        self._events, self._refused = events, refused
        self._claim, self._plan, self._source, self._sink = claim, claim.plan, source, sink
        self._progress, self._observer = progress, observer
        self._placing = Placing(sink, claim.plan, claim.existing, force=force, repairs=repairs, check=claim.check)
        self.denied: AccessError | None = None
        self.may_go_on = False

    @property
    def mended(self) -> Mapping[int, MendedChunk]:
        """The chunks that ``replace`` stored and that stand, as far as they say so themselves."""
        return self._placing.mended

    def publish(self, staging: StagedChunks) -> None:
        """Give the staged chunks their names, but those that stand by now: another process may split the same."""
        plan = self._plan
        self._observer.phase("naming", None, len(plan.chunks))
        total, first = len(plan.chunks), 1
        names = Numbering(*around_number(plan.file_name, total, plan.compression), len(str(total)))
        free = self._placing.all_free and not self._sink.properties.keeps_metadata
        while first <= total:
            if free:
                self._claim.place()
                count = min(AT_ONCE, total + 1 - first)
                try:
                    named = staging.publish_some(first, count, names)
                    self._all_done(first, named, ChunkState.UPLOADED)
                except BaseException:
                    self._note_named(first, count)
                    raise
                first += named
                if named:
                    continue
            self._publish_one(staging, plan.chunks[first])
            first += 1

    def _note_named(self, first: int, count: int) -> None:
        """A signal came while chunks were named, before it was heard how many: those that are there are kept."""
        with suppress(StoreError):
            for number in range(first, first + count):
                if self._sink.head(chunk_name(self._plan, number)) is None:
                    break
                self._progress.set(number, ChunkState.UPLOADED)

    def _all_done(self, first: int, count: int, state: ChunkState) -> None:
        """So many chunks from ``first`` on are in ``state``."""
        if count:
            self._progress.set_all(first, count, state)
            chunks_done(self._observer, range(first, first + count), state)

    def _publish_one(self, staging: StagedChunks, chunk: Chunk) -> None:
        mended = self._publish(staging, chunk)
        if mended is not None:
            self._keep(chunk, mended)
        state = ChunkState.UPLOADED if mended is None else ChunkState.SKIPPED
        self._progress.set(chunk.number, state)
        self._observer.chunk_done(chunk.number, state)

    def _publish(self, staging: StagedChunks, chunk: Chunk) -> StoredObject | None:
        """The object that stands as ``replace`` stored it; None for the split's own."""
        name, place = chunk_name(self._plan, chunk.number), self._placing.first(chunk)
        for _ in range(CHANGES):
            if place.stored is not None:
                return place.stored if self._placing.is_mended(chunk, place.stored) else None
            self._claim.place()
            try:
                staging.publish(chunk.number, name, metadata=self._metadata(chunk), when=place.when)
            except ObjectChangedError:
                place = self._placing.again(chunk)
            else:
                return None
        raise StoreError(
            f"{self._sink.properties.uri}{name}: other processes keep replacing it",
            hint="wait for them, then run the same command again",
        )

    def send(
        self,
        header: bytes,
        request: SplitRequest,
        copier: Copier | None,
        executor: Executor,
        remote: Remote | None = None,
    ) -> None:
        """Send the chunks that are not stored yet. One that fails does not stop the others.

        ``copier``: None where the bytes must pass here. ``remote``: None for threads here. Raises what makes every
        chunk wrong.
        """
        from splitjoin_cli.splitting.one_chunk import Way  # noqa: PLC0415 -- the same
        from splitjoin_cli.splitting.transfer import Transfer, TransferJob  # noqa: PLC0415 -- only what is used is imported

        plan, sink = self._plan, self._sink
        total = plan.chunks.end - plan.chunks.start + plan.header_bytes * len(plan.chunks)
        self._observer.phase("uploading", total, len(plan.chunks))
        job = TransferJob(
            Way(self._source, sink, header, request.compress, self._observer, copier, self._refused),
            name=lambda chunk: chunk_name(plan, chunk.number),
            metadata=self._metadata,
            when=self._placing.when,
            again=self._placing.again,
            done=self._done,
            failed=self._failed,
        )
        standing = self._placing.standing()
        for first, last in standing.ranges():
            self._skip_all(first, last)
        self._placing.forget(standing)
        missing = self._placing.missing(executor, self._skip, self._claim.place, standing)
        if remote is None:
            Transfer(job, executor, request.at_once).run(missing, total)
        else:
            listed = len(self._claim.existing.chunks)  # most of them stand, if it is a resume
            self._send_elsewhere(job, missing, max(len(plan.chunks) - listed, 0), remote)
        self._end_events()

    def _send_elsewhere(self, job: TransferJob, missing: Iterable[Chunk], count: int, remote: Remote) -> None:
        from splitjoin_cli.splitting.engines.store import EngineTransfer  # noqa: PLC0415 -- only what is used is imported

        transfer = EngineTransfer(remote, job, self._plan.header_start)
        try:
            transfer.run(missing, count)
        finally:
            self.may_go_on = transfer.may_go_on

    def _end_events(self) -> None:
        """A chunk whose event was not taken counts as failed: the same command sends it again."""
        if self._events is None:
            return
        self._events.flush()
        for number, error in sorted(self._events.errors.items()):
            self._progress.errors[number] = f"it is stored, and its event was not sent: {error}"
            self._progress.set(number, ChunkState.FAILED)
            self._observer.warn(f"chunk {number} is stored, and its event was not sent: {error}")

    def _skip_all(self, first: int, last: int) -> None:
        """Chunks that stand as the listing shows them."""
        starts, header, sizes = self._plan.chunks.starts, self._plan.header_bytes, self._progress.stored_bytes
        for at in range(first - 1, last, AT_ONCE):
            to = min(at + AT_ONCE, last)
            ends = starts[at + 1 : to + 1]
            sizes[at:to] = array("q", map(add, map(sub, ends, starts[at:to]), repeat(header)))
            skip(self._observer, starts[to] - starts[at] + header * (to - at))
            self._all_done(at + 1, to - at, ChunkState.SKIPPED)

    def _done(self, chunk: Chunk, stored: StoredObject) -> None:
        self._keep(chunk, stored)
        self._progress.set(chunk.number, ChunkState.UPLOADED)
        self._observer.chunk_done(chunk.number, ChunkState.UPLOADED)
        if self._events is not None:
            self._events.stored(chunk.number, stored.name)

    def _skip(self, chunk: Chunk, stored: StoredObject) -> None:
        self._keep(chunk, stored)
        self._progress.set(chunk.number, ChunkState.SKIPPED)
        skip(self._observer, self._plan.header_bytes + chunk.range.size)
        self._observer.chunk_done(chunk.number, ChunkState.SKIPPED)
        if self._events is not None and not self._claim.existing.is_finished(self._plan.run_id):
            self._events.stored(chunk.number, stored.name)  # whether an earlier run came to send it is not known

    def _failed(self, chunk: Chunk, error: SplitjoinError) -> None:
        if self.denied is None and isinstance(error, AccessError):
            self.denied = error
        self._progress.errors[chunk.number] = error.message
        self._progress.set(chunk.number, ChunkState.FAILED)
        self._observer.chunk_done(chunk.number, ChunkState.FAILED)
        self._observer.warn(f"chunk {chunk.number} failed: {error.message}")

    def _keep(self, chunk: Chunk, stored: StoredObject) -> None:
        self._progress.keep(chunk.number, stored.size, stored.checksum)

    def _metadata(self, chunk: Chunk) -> str | None:
        """What the chunk says of itself, where its store keeps that."""
        if not self._sink.properties.keeps_metadata:
            return None
        from splitjoin_cli.core.format.metadata import ChunkMetadata, encode_metadata  # noqa: PLC0415 -- as above

        plan = self._plan
        return encode_metadata(
            ChunkMetadata(
                file_name=plan.file_name,
                run_id=plan.run_id,
                generation=plan.generation,
                number=chunk.number,
                total=len(plan.chunks),
                range=chunk.range,
                rows=chunk.rows,
                dialect=plan.dialect,
                header_lines=plan.header_lines,
                header_bytes=plan.header_bytes,
                compression=plan.compression,
                left_out=plan.left_out is not None,
            )
        )
