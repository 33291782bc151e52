"""Puts a set back together on an engine: each unit makes one part of the file, from the bodies of some neighbours."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, final

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import EngineError, UsageError
from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.core.progress import chunks_done
from splitjoin_cli.splitting.engines.base import Failed, Merged, MergeUnit, PartSpec
from splitjoin_cli.splitting.engines.dispatch import Dispatcher, Work, error_of
from splitjoin_cli.splitting.engines.specs import HeaderSpec
from splitjoin_cli.splitting.engines.wire import release
from splitjoin_cli.splitting.stored.bodies import BodyFacts
from splitjoin_cli.splitting.stored.targets import FileTarget, PartsTarget

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator, Sequence

    from splitjoin_cli.core.errors import SplitjoinError
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.engines.base import Answer, Engine
    from splitjoin_cli.splitting.engines.specs import SinkSpec, StoredSpec
    from splitjoin_cli.splitting.engines.words import Words
    from splitjoin_cli.splitting.stored.joining import WholeSet

__all__ = ["EngineMerge"]

MIB = 1024 * 1024
PART_BYTES = 16 * MIB
"""A part has as much or more, but for the last one: S3 wants 5 MiB, and a unit has a price of its own."""
MOST_PARTS = 9_000
"""Parts of a file, a little fewer than S3 takes: they end where chunks do."""
MOST_PART_BYTES = 5 * 1024 * MIB
PART_CHUNKS, MOST_CHUNKS = 4096, 20_000
"""A part with so many is full as soon as it has what S3 wants; and with so many it cannot be one unit."""
LEAST_PART_BYTES = 5 * MIB
MOST_COPIED_BYTES = 1024 * MIB
"""A chunk with so many or fewer, and as many as a part has at least, is a part that the store may copy: at the 85
MB/s of one request (AWS, "Best practices design patterns: optimizing Amazon S3 performance") that takes 13 seconds."""
WAY_OUT = "use --engine threads"


@final
class EngineMerge:
    """A Joins. ``run`` it once."""

    def __init__(
        self,
        engine: Engine,
        place: StoredSpec,
        target: PartsTarget | FileTarget,
        sink: SinkSpec | None,
        *,
        copies: bool = False,
    ) -> None:
        """``place``: of the chunks. ``sink``: where ``target`` is on S3; None: it is a file that all workers see.

        ``copies``: chunks and target are in one store, which may copy parts.
        """
        self._engine, self._place, self._target, self._sink = engine, place, target, sink
        self._copies = copies
        self._errors: dict[int, SplitjoinError] = {}
        self._parts: dict[int, Merged] = {}

    def join(self, whole: WholeSet, observer: Observer) -> int:
        """See Joins."""
        starts, words = whole.starts, self._engine.words
        if starts is None:
            raise UsageError(
                f"without a manifest the sizes of compressed chunks are not known, and {words.all} need them",
                hint=WAY_OUT,
            )
        self._copies = self._copies and whole.compression is None
        runs = list(_runs(starts, whole.total, words, copies=self._copies))
        observer.phase("merging", starts[-1], whole.total)
        header = HeaderSpec(0, len(whole.header), crc64(whole.header))
        with self._target as target:
            works = self._works(whole, starts, runs, header, observer)
            Dispatcher(self._engine, tell=observer.detail).run(works)
            if self._errors:
                raise self._errors[min(self._errors)]
            if isinstance(target, PartsTarget):
                self._finish(target)
        return starts[-1]

    def _works(
        self, whole: WholeSet, starts: array[int], runs: Sequence[range], header: HeaderSpec, observer: Observer
    ) -> Iterator[Work]:
        """All of them; none any more once one has failed: those before it are under way, and may say more."""
        for number, run in enumerate(runs, 1):
            if self._errors:
                return
            yield self._work(whole, starts, number, run, header, observer)

    def _work(
        self,
        whole: WholeSet,
        starts: array[int],
        number: int,
        run: range,
        header: HeaderSpec,
        observer: Observer,
    ) -> Work:
        at = 0 if run.start == 1 else starts[run.start - 1]
        size = starts[run.stop - 1] - at
        unit = MergeUnit(
            version=release(),
            place=self._place,
            compression=whole.compression,
            header=header,
            first=run.start,
            chunks=tuple(_facts(whole, starts, chunk) for chunk in run),
            size=size,
            part=self._part(number, at),
            copies=self._copies and len(run) == 1 and LEAST_PART_BYTES <= size <= MOST_COPIED_BYTES,
        )
        return Work(unit, partial(self._answered, unit, run, observer))

    def _part(self, number: int, at: int) -> PartSpec:
        target = self._target
        if isinstance(target, PartsTarget):
            return PartSpec(self._sink, target.name, target.upload_id, number, at)
        return PartSpec(None, str(target.writing_to), "", number, at)

    def _answered(self, unit: MergeUnit, run: range, observer: Observer, answer: Answer) -> None:
        number = unit.part.number
        if isinstance(answer, Merged) and answer.size == unit.size:
            self._parts[number] = answer
            if self._copies and unit.copies and not answer.copied:
                all_of_them = self._engine.words.all
                observer.detail(f"the store did not copy a chunk: {all_of_them} send the bytes of the others")
                self._copies = False
            observer.advance(unit.size)
            chunks_done(observer, run, ChunkState.UPLOADED)
            return
        if not isinstance(answer, Failed):
            words = self._engine.words
            raise EngineError(f"{words.one} answered something else than what it wrote", hint=words.log)
        self._errors[number] = error_of(answer)
        if answer.fatal:
            raise self._errors[number]

    def _finish(self, target: PartsTarget) -> None:
        from splitjoin_cli.stores.sinks.s3_multipart import Part  # noqa: PLC0415 -- botocore is slow to import

        parts = sorted(self._parts.items())
        target.finish([Part(number, merged.etag or "", merged.size, merged.checksum) for number, merged in parts])


def _facts(whole: WholeSet, starts: array[int], number: int) -> BodyFacts:
    manifest = whole.manifest
    checksum = None if manifest is None else manifest.chunks[number].checksum
    size = starts[number] - starts[number - 1]
    return BodyFacts(whole.names(number), size, checksum, in_manifest=manifest is not None)


def _runs(starts: array[int], total: int, words: Words, *, copies: bool = False) -> Iterator[range]:
    """The chunks of a part each, in order. Raises UsageError for one that fits into no part.

    ``copies``: one that may be copied is a part of its own.
    """
    least = max(PART_BYTES, starts[-1] // MOST_PARTS)
    alone = max(LEAST_PART_BYTES, starts[-1] // MOST_PARTS) if copies else least
    first, begin = 1, 0
    for number in range(1, total + 1):
        size = starts[number] - begin
        if size > MOST_PART_BYTES:
            raise UsageError(f"chunk {number} has more than 5 GiB, which is the most that a part has", hint=WAY_OUT)
        if number - first == MOST_CHUNKS:
            raise UsageError(f"the chunks are too small to be merged by {words.all}", hint=WAY_OUT)
        full = size >= (alone if number == first else least) or (
            number - first + 1 >= PART_CHUNKS and size >= LEAST_PART_BYTES
        )
        if number == total or full:
            yield range(first, number + 1)
            first, begin = number + 1, starts[number]
