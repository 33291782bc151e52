"""What a stopped split says: how many chunks are kept, and what its resume reads again."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.errors import StoppedError
from splitjoin_cli.core.model import ChunkState, SourceProperties
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting import send
from splitjoin_cli.splitting.existing import look
from splitjoin_cli.splitting.kept import kept_text
from splitjoin_cli.splitting.request import RowCount
from splitjoin_cli.splitting.result import Progress
from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sinks.directory_batches import DirectoryBatches
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore
from splitjoin_cli.stores.sources.memory import MemorySource
from tests.splitting.runs import JOB, TwoPass, request, split, stream_of

if TYPE_CHECKING:
    from pathlib import Path

    from splitjoin_cli.stores.sources.base import Source

EXPORT = b"id,name\n1,a\n2,b\n3,c\n4,d\n"
NOTHING = "no chunk is stored yet, so the source is read again from its beginning"
ONE_BY_ONE = request(size=RowCount(1), jobs=1)


class Stops(Silent):
    """Is stopped in a phase: as it begins, or after so many chunks of it."""

    def __init__(self, phase: str, chunks: int) -> None:
        self.stops, self.left, self.name = phase, chunks, ""

    def _look(self) -> None:
        if self.name == self.stops and not self.left:
            raise StoppedError(signal.SIGTERM)

    def phase(self, name: str, total_bytes: int | None, total_chunks: int | None) -> None:  # noqa: ARG002 -- an Observer's
        self.name = name
        self._look()

    def chunk_done(self, number: int, state: ChunkState) -> None:  # noqa: ARG002 -- an Observer's
        self.left -= self.name == self.stops
        self._look()


def stopped(source: Source, sink: MemorySink, phase: str, chunks: int = 0, **options: Any) -> str | None:  # noqa: ANN401 -- any of SplitRequest's
    """What is said when a split is stopped."""
    asked = request(**{"size": RowCount(1), "jobs": 1, **options})
    with pytest.raises(StoppedError) as caught:
        split(source, sink, asked, observer=Stops(phase, chunks))
    return caught.value.kept


@pytest.mark.parametrize("made", [MemorySink, TwoPass])
def test_while_the_source_is_read_nothing_is_kept(made: type[MemorySink]) -> None:
    """Neither a directory's hidden files nor a plan: the same command begins again."""
    store = MemoryStore()
    phase = "splitting" if made is MemorySink else "scanning"
    assert stopped(MemorySource(EXPORT), made(store), phase) == NOTHING
    assert store.objects == {}


@pytest.mark.parametrize(
    ("chunks", "said"),
    [
        (0, NOTHING),
        (1, "1 of 4 chunks is kept; the source is not scanned again, and only the other 3 chunks are read"),
        (3, "3 of 4 chunks are kept; the source is not scanned again, and only the other 1 chunk is read"),
        (4, "4 of 4 chunks are kept; nothing of the source is read again"),
    ],
)
def test_while_chunks_are_sent(chunks: int, said: str) -> None:
    """What is stored is kept, with the plan that spares the scan; and it is true of the resume."""
    store = MemoryStore()
    assert stopped(MemorySource(EXPORT), TwoPass(store), "uploading", chunks) == said
    result = split(MemorySource(EXPORT), TwoPass(store), ONE_BY_ONE)
    assert result.progress.count(ChunkState.SKIPPED) == chunks


def test_a_directory_that_is_stopped_while_chunks_are_named_keeps_those() -> None:
    """The others were hidden files, and are read again."""
    store = MemoryStore()
    said = "2 of 4 chunks are kept; the source is not scanned again, and only the other 2 chunks are read"
    assert stopped(MemorySource(EXPORT), MemorySink(store), "naming", 2) == said
    assert split(MemorySource(EXPORT), MemorySink(store), ONE_BY_ONE).progress.count(ChunkState.SKIPPED) == 2


def test_what_was_kept_before_counts() -> None:
    """A resume that is stopped before it has looked at all that is there says all the same how many there are."""
    store = MemoryStore()
    stopped(MemorySource(EXPORT), TwoPass(store), "uploading", 3)
    said = "3 of 4 chunks are kept; the source is not scanned again, and only the other 1 chunk is read"
    assert stopped(MemorySource(EXPORT), TwoPass(store), "uploading", 0) == said


def test_a_stream_is_read_again_from_its_beginning() -> None:
    """Its plan spares the scan, and it has no other way to a chunk in its middle."""
    store = MemoryStore()
    assert stopped(stream_of(EXPORT), TwoPass(store), "uploading", 2) == (
        "2 of 4 chunks are kept; the source is read again from its beginning, without another scan"
    )


def test_what_cannot_be_known_again_is_scanned_again() -> None:
    """A source of which nobody says which version it is; of standard input nothing is left."""
    store = MemoryStore()
    stopped(MemorySource(EXPORT), TwoPass(store), "uploading", 2)
    existing = look(MemorySink(store), JOB)
    assert existing.plan is not None
    plan, progress = replace(existing.plan, validator=None), Progress.of(existing.plan)
    pipe = SourceProperties(
        uri="-", size=len(EXPORT), stored_bytes=len(EXPORT), seekable=True, compression=None, validator=None
    )
    assert kept_text(pipe, (plan, existing, progress)) == (
        "2 of 4 chunks are kept; standard input must be given again, and is read from its beginning"
    )
    assert kept_text(MemorySource(EXPORT).properties, (plan, existing, progress)) == (
        "2 of 4 chunks are kept; the source is read again from its beginning"
    )


@pytest.mark.parametrize("before", [0, 1])
def test_a_signal_while_many_chunks_are_named(before: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their names were given at one call, and the signal came before it was heard of."""
    publish_all = DirectoryBatches.publish_all

    def stops(batches: DirectoryBatches, *values: Any) -> int:  # noqa: ANN401 -- handed on
        publish_all(batches, *values)
        raise StoppedError(signal.SIGTERM)

    monkeypatch.setattr(DirectoryBatches, "publish_all", stops)
    monkeypatch.setattr(send, "AT_ONCE", 2 + before)
    sink = DirectorySink(tmp_path)
    with pytest.raises(StoppedError) as caught:
        split(EXPORT, sink, ONE_BY_ONE)
    left = 2 - before
    rest = "1 chunk is" if left == 1 else f"{left} chunks are"
    kept = f"{2 + before} of 4 chunks are kept"
    assert caught.value.kept == f"{kept}; the source is not scanned again, and only the other {rest} read"
