"""A split of three chunks, its tracker and its database in memory, whose every call may be a process's last."""

from __future__ import annotations

import copy
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.format.chunk_table import ChunkTable
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.format.metadata import ChunkMetadata, encode_metadata
from splitjoin_cli.core.format.shared_fields import SourceIdentity
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.core.names import manifest_name
from splitjoin_cli.join.operate.replace import Replace, standing
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore
from splitjoin_cli.stores.sinks.s3_body import BytesBody
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.stores.trackers.memory import MemoryTable, MemoryTracker
from tests.join.memory import FILE_NAME, HEADER, RUN_ID, MemoryDatabase, MemoryLoader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from splitjoin_cli.join.operate.replace import ReplaceReport

RUN = Run(FILE_NAME, RUN_ID)
BODIES = (b"1,Ann\n", b"2,Bob\n3,x\n", b"4,Eve\n")
MENDED = HEADER + b"2,Bobby\n3,Ida\n"


class DiedError(BaseException):
    """The process is gone."""


@dataclass(slots=True)
class Life:
    """Calls until a process dies; None: it lives. ``after``: the call is done, its answer does not arrive."""

    calls: int | None = None
    after: bool = False
    made: int = 0

    def around(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401 -- whatever the call answers
        self.made += 1
        last = self.calls is not None and self.made > self.calls
        if last and not self.after:
            raise DiedError
        answer = call()
        if last:
            raise DiedError
        return answer


class Mortal:
    """Anything, whose calls are a process's: each may be its last."""

    def __init__(self, target: object, life: Life) -> None:
        self._target, self._life = target, life

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- as the target has it
        found = getattr(self._target, name)
        if not callable(found):
            return found
        return lambda *values, **named: self._life.around(lambda: found(*values, **named))


@dataclass(frozen=True, slots=True)
class Mended:
    """The mended chunk."""

    data: bytes

    @property
    def rows(self) -> int:
        return self.data.count(b"\n") - 1

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def checksum(self) -> int:
        return crc64(self.data)

    @property
    def body(self) -> BytesBody:
        return BytesBody(self.data)


@dataclass(slots=True)
class Events:
    """What was sent."""

    sent: list[str] = field(default_factory=list)
    uri: str = "sqs:events"
    batch: int = 10

    def send(self, bodies: Sequence[str]) -> list[str | None]:
        self.sent += bodies
        return [None] * len(bodies)

    def close(self) -> None:
        pass


@dataclass(slots=True)
class World:
    """What outlives processes. ``copy`` it to begin again from here."""

    store: MemoryStore = field(default_factory=MemoryStore)
    table: MemoryTable = field(default_factory=MemoryTable)
    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    events: Events = field(default_factory=Events)

    def copy(self) -> World:
        store = MemoryStore(objects=dict(self.store.objects))
        return World(store, self.table.copy(), copy.deepcopy(self.database), Events(list(self.events.sent)))

    def sink(self) -> MemorySink:
        return MemorySink(self.store, uri="s3://bucket/in/")

    def tracker(self) -> MemoryTracker:
        return MemoryTracker(self.table, clock=lambda: 1_700_000_000.0)

    def objects(self) -> dict[str, tuple[bytes, str | None]]:
        return {name: (held.data, held.stored.metadata) for name, held in self.store.objects.items()}

    def replace(
        self, life: Life, *, number: int = 2, data: bytes = MENDED, ledger: bool = True, tracker: bool = True,
        dry_run: bool = False,
    ) -> ReplaceReport:  # fmt: skip
        """One process that replaces a chunk."""
        sink: Any = Mortal(self.sink(), life)
        return Replace(
            standing(sink, FILE_NAME, number),
            number,
            Mended(data),
            sink,
            sink,
            loader=Mortal(MemoryLoader(self.database), life) if ledger else None,
            tracker=Mortal(self.tracker(), life) if tracker else None,
            sender=Mortal(self.events, life),
            dry_run=dry_run,
        ).run()


def lives() -> Iterator[Life]:
    """One that dies before, and one that dies after, each call in turn: until none is left."""
    calls = 0
    while True:
        for after in (False, True):
            life = Life(calls, after=after)
            yield life
            if life.made <= calls:
                return
        calls += 1


def manifest() -> Manifest:
    """The split's own."""
    table = ChunkTable(len(HEADER))
    for body in BODIES:
        table.append(table.end + len(body), body.count(b"\n"), crc64(HEADER + body))
    sizes = array("q", (len(HEADER + body) for body in BODIES))
    source = SourceIdentity("acme.csv", 100, "100-crc64nvme:AAAAAAAAAAA=")
    return Manifest(FILE_NAME, RUN_ID, 1, source, Dialect(line_end="\n"), None, 1, table, sizes)


def world() -> World:
    """A split whose chunk 2 failed for good; nothing is loaded."""
    made, whole = World(), manifest()
    sink = made.sink()
    for number, body in enumerate(BODIES, start=1):
        chunk = whole.chunks[number]
        metadata = ChunkMetadata(
            FILE_NAME, RUN_ID, 1, number, 3, chunk.range, chunk.rows, whole.dialect, 1, len(HEADER), None
        )
        sink.put(whole.name(number), BytesBody(HEADER + body), checksum=None, metadata=encode_metadata(metadata))
    sink.put_small(manifest_name(FILE_NAME), whole.to_bytes())
    tracker = made.tracker()
    tracker.open_job(JobSpec(RUN, 3, destination="s3://bucket/in/"))
    tracker.mark_failed(RUN, 2, error="bad row", final=True)
    return made
