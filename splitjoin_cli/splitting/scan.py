"""Runs the scanner over a whole source: blocks read and scanned on several threads, put together in order.

Memory is threads x block, whatever the source's size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from splitjoin_cli.core.parallel import run_workers
from splitjoin_cli.splitting.blocks import Blocks
from splitjoin_cli.splitting.intake import Intake
from splitjoin_cli.splitting.records.open import best_block_bytes, new_scanner
from splitjoin_cli.splitting.stripes import Stripes
from splitjoin_cli.splitting.survey import Survey, SurveyForm

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.intake import BlockConsumer, Scanned
    from splitjoin_cli.splitting.plan import PlanBuilder
    from splitjoin_cli.splitting.records.base import Alphabet
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["Scan", "ScanOptions"]


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """What bytes mean, and how hard to look. ``threads`` at once; ``strict``: every record's fields are counted.

    ``has_trailer``: lines follow the source's end, which no record may reach into. ``stripe``: so many blocks are read
    by one request, and ``rooms`` are in memory for each thread; 0: each block is read by itself. Not with a consumer.
    """

    alphabet: Alphabet
    threads: int
    strict: bool = False
    has_trailer: bool = False
    block_bytes: int = field(default_factory=best_block_bytes)
    stripe: int = 0
    rooms: int = 1


class Scan:
    """One pass over a source. ``run`` it once."""

    def __init__(
        self,
        source: Source,
        builder: PlanBuilder,
        options: ScanOptions,
        *,
        observer: Observer,
        consumer: BlockConsumer | None = None,
        header: bytes = b"",
        survey: Survey | None = None,
    ) -> None:
        """``builder`` takes the blocks and holds the chunks; ``consumer`` hears of them after it, in the same turn.

        The scan begins where ``builder`` stands: at the source's start, or (where it can seek) at that of a record;
        ``header``: the header's bytes, where it is behind that place. ``survey``: what was seen up to there.
        """
        self._options = options
        self._intake = Intake(
            source,
            builder,
            options.alphabet,
            survey or Survey(SurveyForm(None)),
            strict=options.strict,
            has_trailer=options.has_trailer,
            consumer=consumer,
            header=header,
        )
        self._errors: list[BaseException] = []
        self._reader: Blocks | Stripes
        if options.stripe and consumer is None and source.properties.seekable:
            most = options.rooms * options.threads
            self._reader = Stripes(
                source, self._intake, builder.position, options.block_bytes, options.stripe, most, observer.advance
            )
        else:
            self._reader = Blocks(source, self._intake, builder.position, options.block_bytes, observer.advance)

    def run(self, executor: Executor) -> Scanned:
        """Scan to the end. Raises BadInputError, at the first byte that breaks the rules, and what the source raises.

        ``executor`` must run ``options.threads`` calls at once, on threads.
        """
        try:
            run_workers(executor, self._options.threads, self._work, self._fail)
        finally:
            self._reader.close()
        if self._errors:
            raise self._errors[0]
        return self._intake.finish()

    def _fail(self, exc: BaseException) -> None:
        self._errors.append(exc)
        self._reader.stop()

    def _work(self) -> None:
        try:
            self._reader.work(new_scanner(self._options.alphabet, self._options.block_bytes))
        except BaseException as exc:  # noqa: BLE001 -- raised again by run(), on the caller's thread
            self._fail(exc)
