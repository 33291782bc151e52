"""Judges stored chunks on an engine: neighbours that are small go together, since a unit has a price of its own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, final

from splitjoin_cli.core.errors import EngineError
from splitjoin_cli.splitting.engines.base import Failed, Verified, VerifyUnit
from splitjoin_cli.splitting.engines.dispatch import Dispatcher, Work, error_of
from splitjoin_cli.splitting.engines.wire import release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from splitjoin_cli.splitting.engines.base import Answer, Engine
    from splitjoin_cli.splitting.engines.specs import SourceSpec, StoredSpec
    from splitjoin_cli.splitting.engines.words import Words
    from splitjoin_cli.splitting.stored.judge import ChunkFacts, Judged, SetFacts

__all__ = ["EngineCheck"]

UNIT_BYTES = 64 * 1024 * 1024
UNIT_CHUNKS = 256
"""A unit has no more of either, unless one chunk alone does."""


@final
class EngineCheck:
    """An Elsewhere: an engine's workers read the chunks, and the source beside them."""

    def __init__(
        self,
        engine: Engine,
        place: StoredSpec,
        source: SourceSpec | None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """``place``: of the chunks. ``source``: None where there is nothing to compare them with. ``check``: raises."""
        self._engine, self._place, self._source, self._check = engine, place, source, check

    def stoppable(self, check: Callable[[], None]) -> EngineCheck:
        """See Elsewhere."""
        return EngineCheck(self._engine, self._place, self._source, check)

    def judge(
        self, facts: SetFacts, chunks: Iterable[ChunkFacts], took: Callable[[ChunkFacts, Judged], None], *, beside: bool
    ) -> None:
        """See Elsewhere. May be called from several threads at once, for several sets."""
        source = self._source if beside else None

        def work(run: tuple[ChunkFacts, ...]) -> Work:
            unit = VerifyUnit(version=release(), place=self._place, source=source, facts=facts, chunks=run)
            return Work(unit, partial(_answered, self._engine.words, run, took))

        Dispatcher(self._engine, check=self._check).run(map(work, _runs(chunks)))


def _answered(
    words: Words, run: tuple[ChunkFacts, ...], took: Callable[[ChunkFacts, Judged], None], answer: Answer
) -> None:
    if isinstance(answer, Failed):
        raise error_of(answer)
    if not isinstance(answer, Verified) or len(answer.chunks) != len(run):
        raise EngineError(f"{words.one} answered something else than what it found in chunks", hint=words.log)
    for said, judged in zip(run, answer.chunks, strict=True):
        took(said, judged)


def _runs(chunks: Iterable[ChunkFacts]) -> Iterator[tuple[ChunkFacts, ...]]:
    """The chunks of a unit each, in order."""
    run: list[ChunkFacts] = []
    size = 0
    for chunk in chunks:
        if run and (size + chunk.size > UNIT_BYTES or len(run) == UNIT_CHUNKS):
            yield tuple(run)
            run, size = [], 0
        run.append(chunk)
        size += chunk.size
    if run:
        yield tuple(run)
