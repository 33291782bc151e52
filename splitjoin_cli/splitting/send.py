"""Stores the chunks of a claimed plan: those written already get their names, the others are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import AccessError
from splitjoin_cli.splitting.result import chunk_name

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from splitjoin_cli.core.errors import SplitjoinError
    from splitjoin_cli.core.format.manifest import PlanFile
    from splitjoin_cli.core.model import Chunk, StoredObject
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.claim import Existing
    from splitjoin_cli.splitting.request import SplitRequest
    from splitjoin_cli.splitting.result import Progress
    from splitjoin_cli.splitting.staging import Staging
    from splitjoin_cli.stores.sinks.base import Copier, Sink
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["Sending"]


class Sending:
    """The chunks of one plan on their way. What becomes of each is in ``progress``, and the observer hears it.

    ``denied``: the first refusal for want of rights.
    """

    def __init__(self, plan: PlanFile, source: Source, sink: Sink, progress: Progress, observer: Observer) -> None:
        """``progress``: of the plan's chunks, none of which is done."""
        self._plan, self._source, self._sink = plan, source, sink
        self._progress, self._observer = progress, observer
        self.denied: AccessError | None = None

    def publish(self, staging: Staging) -> None:
        """Give the staged chunks their names."""
        plan = self._plan
        self._observer.phase("naming", None, len(plan.chunks))
        for number, chunk in enumerate(plan.chunks, 1):
            staging.publish(number, chunk_name(plan, number), metadata=self._metadata(chunk))
            self._progress.set(number, "uploaded")
            self._observer.chunk_done(number, "uploaded")

    def send(
        self, header: bytes, request: SplitRequest, existing: Existing, copier: Copier | None, executor: Executor
    ) -> None:
        """Send the chunks that are not stored yet. One that fails does not stop the others.

        ``copier``: None where the bytes must pass here. Raises what makes every chunk wrong.
        """
        from splitjoin_cli.splitting.standing import missing_chunks  # noqa: PLC0415 -- only what is used is imported
        from splitjoin_cli.splitting.transfer import Transfer, TransferJob  # noqa: PLC0415 -- the same

        plan, sink = self._plan, self._sink
        total = plan.chunks.end - plan.chunks.start + plan.header_bytes * len(plan.chunks)
        self._observer.phase("uploading", total, len(plan.chunks))
        job = TransferJob(
            self._source,
            sink,
            header,
            request.compress,
            name=lambda chunk: chunk_name(plan, chunk.number),
            metadata=self._metadata,
            done=self._done,
            failed=self._failed,
            observer=self._observer,
            copier=copier,
        )
        Transfer(job, executor, request.jobs).run(missing_chunks(sink, plan, existing, executor, self._skip))

    def _done(self, chunk: Chunk, stored: StoredObject) -> None:
        self._keep(chunk, stored)
        self._progress.set(chunk.number, "uploaded")
        self._observer.chunk_done(chunk.number, "uploaded")

    def _skip(self, chunk: Chunk, stored: StoredObject) -> None:
        self._keep(chunk, stored)
        self._progress.set(chunk.number, "skipped")
        self._observer.advance(self._plan.header_bytes + chunk.range.size)
        self._observer.chunk_done(chunk.number, "skipped")

    def _failed(self, chunk: Chunk, error: SplitjoinError) -> None:
        if self.denied is None and isinstance(error, AccessError):
            self.denied = error
        self._progress.errors[chunk.number] = error.message
        self._progress.set(chunk.number, "failed")
        self._observer.chunk_done(chunk.number, "failed")
        self._observer.warn(f"chunk {chunk.number} failed: {error.message}")

    def _keep(self, chunk: Chunk, stored: StoredObject) -> None:
        self._progress.stored_bytes[chunk.number - 1] = stored.size
        self._progress.checksums[chunk.number - 1] = stored.checksum or 0

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
            )
        )
