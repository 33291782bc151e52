"""The chunks of a set that are there, against what its manifest says of them, and against the source."""

from __future__ import annotations

import threading
from array import array
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.format.left_out import LeftOut
from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.core.parallel import in_order
from splitjoin_cli.core.progress import Tally, chunks_done
from splitjoin_cli.core.words import count_text
from splitjoin_cli.splitting.stored.around import lines_between
from splitjoin_cli.splitting.stored.comparing import Forward
from splitjoin_cli.splitting.stored.judge import Judge, chunk_facts, set_facts
from splitjoin_cli.splitting.stored.problems import Problem
from splitjoin_cli.splitting.stored.quick import QuickLook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor

    from splitjoin_cli.core.format.manifest import Manifest
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.stored.around import Placed
    from splitjoin_cli.splitting.stored.chunks import Inventory
    from splitjoin_cli.splitting.stored.judge import ChunkFacts, Elsewhere, Judged, StoredPlace
    from splitjoin_cli.stores.sources.base import Source
    from splitjoin_cli.stores.sources.small_files import SmallFiles

__all__ = ["Check"]

SAMPLES = 3
"""Chunks that are read before all others: of their headers the one that most of them have is looked for in the rest."""


class _Headers:
    """Which chunks begin with which header, by its checksum. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[int, array[int]] = {}

    def add(self, checksum: int, numbers: Iterable[int]) -> None:
        """Those of ``numbers`` begin with it."""
        with self._lock:
            self._numbers.setdefault(checksum, array("q")).extend(numbers)

    def most_common(self) -> int:
        """Of several that are as common the one of the first chunk; 0 where none was read."""
        return max(self._numbers, key=lambda one: (len(self._numbers[one]), -min(self._numbers[one])), default=0)

    def others(self, checksum: int) -> Iterator[int]:
        """The chunks that begin with another one."""
        return chain.from_iterable(numbers for one, numbers in self._numbers.items() if one != checksum)


class Check:
    """The chunks that are there, against what the manifest says of them."""

    def __init__(
        self,
        place: StoredPlace,
        manifest: Manifest,
        here: Inventory,
        observer: Observer,
        files: SmallFiles | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """``files``: the place's, where it is a directory whose files are read many at a call.

        ``elsewhere``: where the chunks are read; None: here.
        """
        self._place, self._facts, self._elsewhere = place, set_facts(manifest), elsewhere
        self._manifest = manifest
        self._here = here
        self._observer = observer
        self._quick = None if files is None else QuickLook.of(files, manifest)
        self._samples: dict[int, bytes] = {}  # headers, by number
        self._headers = _Headers()
        self._lock = threading.Lock()
        self._counted = self._records = 0
        self._source: Placed | None = None

    @property
    def rows(self) -> int | None:
        """The records of all chunks; None where those of any were not counted. After ``run``."""
        return self._records if self._counted == self._manifest.total_parts else None

    def run(self, executor: Executor, jobs: int, source: Source | None) -> list[Problem]:
        """All problems of all chunks: in parallel, but beside a source that cannot seek one after another."""
        present = self._here.numbers
        self._observer.phase("verifying", sum(self._here.sizes), len(present))
        if source is None:
            problems = self._all(executor, jobs)
            return problems + list(self._header_problems(self._headers.most_common()))
        if source.properties.seekable:
            problems = self._beside(source, lambda: self._all(executor, jobs))
        else:
            stream = source.stream()
            try:
                problems = self._beside(Forward(stream), lambda: list(chain.from_iterable(map(self.chunk, present))))
            finally:
                stream.close()
        source.check_unchanged()
        return problems

    def _all(self, executor: Executor, jobs: int) -> list[Problem]:
        """All chunks, side by side: small ones many at a time."""
        if self._elsewhere is not None:
            return self._all_elsewhere(self._elsewhere)
        present, quick = self._here.numbers, self._quick
        if quick is None:
            return list(chain.from_iterable(in_order(executor, self.chunk, present, jobs)))
        samples = present[:SAMPLES]
        self._samples = dict.fromkeys(samples, b"")
        problems = list(chain.from_iterable(map(self.chunk, samples)))
        header = self._samples_header()

        def several(run: range) -> list[Problem]:
            return self._several(quick, header, run)

        runs = quick.runs(present[SAMPLES:])
        return problems + list(chain.from_iterable(in_order(executor, several, runs, jobs)))

    def _samples_header(self) -> bytes:
        """The header that most of the samples have."""
        return max(self._samples.values(), key=list(self._samples.values()).count, default=b"")

    def _several(self, quick: QuickLook, header: bytes, run: range) -> list[Problem]:
        """All problems of some neighbours: those that are not right at first sight are read again, one by one."""
        looked = quick.look(run, header, self._source)
        fine = [number for number, right in zip(run, looked.fine, strict=True) if right]
        self._headers.add(crc64(header), fine)
        self._count(looked.records, chunks=len(fine))
        if looked.size:
            self._observer.advance(looked.size)
        chunks_done(self._observer, fine, ChunkState.SKIPPED)
        if len(fine) == len(run):
            return []
        others = (number for number, right in zip(run, looked.fine, strict=True) if not right)
        return list(chain.from_iterable(map(self.chunk, others)))

    def _count(self, records: int, chunks: int = 1) -> None:
        with self._lock:
            self._records += records
            self._counted += chunks

    def _beside(self, source: Placed, chunks: Callable[[], list[Problem]]) -> list[Problem]:
        manifest = self._manifest
        before = lines_between(source, 0, manifest.header_start)
        header = memoryview(bytearray(manifest.header_bytes))
        reference = crc64(header[: source.read_at(manifest.header_start, header)])
        ruler = lines_between(source, manifest.header_start + manifest.header_bytes, manifest.chunks.start)
        self._source = source
        problems = chunks()
        problems += self._header_problems(reference)
        return problems + list(self._around_problems(source, before + ruler))

    def _around_problems(self, source: Placed, before: int) -> Iterator[Problem]:
        """What is around the records in the source must be as many lines as were left out; ``before``: at its start."""
        said, end = self._manifest.left_out or LeftOut(), self._manifest.chunks.end
        if before != said.lines:
            found = count_text(before, "line")
            yield Problem(None, "bytes", f"the source has {found} where the split left out {said.lines:,}")
        if not said.trailer_lines + said.blank_lines:
            if source.read_at(end, memoryview(bytearray(1))):
                yield Problem(None, "bytes", f"the source goes on after byte {end}, where the split ends")
            return
        behind = lines_between(source, end)
        if behind != said.trailer_lines if said.trailer_lines else behind > said.blank_lines:
            left = said.trailer_lines or said.blank_lines
            found = count_text(behind, "line")
            yield Problem(
                None, "bytes", f"the source has {found} after byte {end}, where the split ends; it left out {left:,}"
            )

    def _header_problems(self, reference: int) -> Iterator[Problem]:
        """Where no source says which header is right, one damaged chunk must not make all others look wrong."""
        for number in sorted(self._headers.others(reference)):
            yield Problem(number, "header", f"{self._manifest.name(number)} begins with another header")

    def chunk(self, number: int) -> list[Problem]:
        """All problems of one chunk that is there. May run on any number of threads where the source can seek."""
        size = self._here.size(number)
        tally = Tally(self._observer.advance)
        judge = Judge(self._place, self._facts, self._source)
        keep = partial(self._samples.__setitem__, number) if number in self._samples else None
        judged = judge.chunk(chunk_facts(self._manifest, number, size), tally.add, keep)
        tally.settle(size)
        return self._take(judged)

    def _take(self, judged: Judged) -> list[Problem]:
        """What was found in a chunk."""
        if judged.header is not None:
            self._headers.add(judged.header, (judged.number,))
        if judged.records is not None:
            self._count(judged.records)
        self._observer.chunk_done(judged.number, ChunkState.SKIPPED)
        return list(judged.problems)

    def _all_elsewhere(self, elsewhere: Elsewhere) -> list[Problem]:
        """All chunks, judged by others; problems in the chunks' order."""
        found: dict[int, list[Problem]] = {}

        def took(said: ChunkFacts, judged: Judged) -> None:
            self._observer.advance(said.size)
            if problems := self._take(judged):
                found[judged.number] = problems

        facts = (chunk_facts(self._manifest, number, self._here.size(number)) for number in self._here.numbers)
        elsewhere.judge(self._facts, facts, took, beside=self._source is not None)
        return list(chain.from_iterable(found[number] for number in sorted(found)))
