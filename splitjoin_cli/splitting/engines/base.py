"""The contract of an engine: it runs units of work somewhere else. splitjoin_cli/testing/engines.py tests each rule.

A unit is all that a worker needs to know: frozen, of plain values, and without a key, a password or a profile. It goes
as JSON text, and its answer comes as JSON text: so no handle, lock or client travels by mistake.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from splitjoin_cli.core.bytes.codecs import ChunkCompression
    from splitjoin_cli.core.model import ByteRange, Compression, StoredObject
    from splitjoin_cli.splitting.engines.pace import Pace
    from splitjoin_cli.splitting.engines.specs import ChunkSpec, HeaderSpec, SinkSpec, SourceSpec, StoredSpec
    from splitjoin_cli.splitting.engines.words import Words
    from splitjoin_cli.splitting.records.base import Alphabet
    from splitjoin_cli.splitting.records.lines import Skipped, Skips
    from splitjoin_cli.splitting.records.outcome import Outcome
    from splitjoin_cli.splitting.records.stairs import Stairs
    from splitjoin_cli.splitting.records.targets import Targets
    from splitjoin_cli.splitting.stored.bodies import BodyFacts
    from splitjoin_cli.splitting.stored.judge import ChunkFacts, Judged, SetFacts
    from splitjoin_cli.splitting.survey import Found
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = [
    "Answer",
    "CutUnit",
    "Engine",
    "Failed",
    "MergeUnit",
    "Merged",
    "PartSpec",
    "Pieces",
    "Remote",
    "ScanUnit",
    "Scanned",
    "StoreUnit",
    "Stored",
    "Unit",
    "Verified",
    "VerifyUnit",
    "Worker",
]


@dataclass(frozen=True, slots=True)
class ScanUnit:
    """Scan a range that begins where a record does. Pure: any number of them, anywhere, give the same answer.

    ``range``: places of the source. ``expected``: delimiters of a record. ``strict``: another number is an error.
    ``letters``: to be looked for after the escape character. ``encoding``: of the bytes, None where they are sure to
    be right. ``header``: lines like it are counted; None: they are not. ``version``: of splitjoin, which the worker
    MUST have. ``capacity``: bytes of a chunk, whose stairs are wanted; ``targets``: whose lead is; None: they are not.
    ``skips``: lines that are no records, which are counted, with ``header`` those like it. ``behind``: bytes of the
    body that come before the range.
    """

    version: str
    source: SourceSpec
    number: int
    range: ByteRange
    alphabet: Alphabet
    expected: int | None
    strict: bool
    letters: bytes
    encoding: str | None
    header: HeaderSpec | None
    capacity: int | None = None
    targets: Targets | None = None
    skips: Skips | None = None
    behind: int = 0

    @property
    def what(self) -> str:
        """For messages."""
        return f"scan chunk {self.number}"

    @property
    def weight(self) -> int:
        """Bytes that it is about."""
        return self.range.size


@dataclass(frozen=True, slots=True)
class StoreUnit:
    """Store some chunks, in this order: each is the header, then its range. Safe to repeat: one name, one content.

    One that fails MUST NOT keep the others from being stored. Neighbours are read one behind the other, by a request
    for all of them where the source is read by requests. ``copies``: the store may copy the ranges itself.
    """

    version: str
    source: SourceSpec
    sink: SinkSpec
    header: HeaderSpec
    chunks: tuple[ChunkSpec, ...]
    compression: ChunkCompression | None
    copies: bool

    @property
    def what(self) -> str:
        """For messages."""
        return f"store {_chunks_text(self.chunks[0].number, self.chunks[-1].number)}"

    @property
    def weight(self) -> int:
        """Bytes that it is about."""
        return sum(chunk.end - chunk.start for chunk in self.chunks)


@dataclass(frozen=True, slots=True)
class VerifyUnit:
    """Read stored chunks and judge each by what its manifest says. Pure.

    ``source``: compared with them; None: it is not.
    """

    version: str
    place: StoredSpec
    source: SourceSpec | None
    facts: SetFacts
    chunks: tuple[ChunkFacts, ...]

    @property
    def what(self) -> str:
        """For messages."""
        return f"verify {_chunks_text(self.chunks[0].number, self.chunks[-1].number)}"

    @property
    def weight(self) -> int:
        """Bytes that it is about."""
        return sum(chunk.size for chunk in self.chunks)


@dataclass(frozen=True, slots=True)
class PartSpec:
    """Where a part of a file goes: to an upload of the object ``name`` in ``sink``, or (None) to a path that is there.

    ``number``: of the part, from 1; ``start``: its place in the file.
    """

    sink: SinkSpec | None
    name: str
    upload: str
    number: int
    start: int


@dataclass(frozen=True, slots=True)
class MergeUnit:
    """Write the bodies of neighbouring chunks, one behind the other, as a part. Safe to repeat: it is the same part.

    ``first``: the first one's number; where that is 1, the header comes before. ``header``: what each chunk begins
    with, whose ``start`` means nothing. ``size``: of the part. ``copies``: it is one chunk, which the store may copy.
    """

    version: str
    place: StoredSpec
    compression: Compression | None
    header: HeaderSpec
    first: int
    chunks: tuple[BodyFacts, ...]
    size: int
    part: PartSpec
    copies: bool = False

    @property
    def what(self) -> str:
        """For messages."""
        return f"merge {_chunks_text(self.first, self.first + len(self.chunks) - 1)}"

    @property
    def weight(self) -> int:
        """Bytes that it is about."""
        return self.size


def _chunks_text(first: int, last: int) -> str:
    return f"chunk {first}" if first == last else f"chunks {first}-{last}"


@dataclass(frozen=True, slots=True)
class CutUnit:
    """Cut a range that was scanned, from one record's end to another's. Pure.

    Chunks are of so many ``rows``, or of at most ``capacity`` bytes, or end at ``targets``, of which ``done`` are cut,
    with ``room`` for the next ones, where it is known. ``before``: bytes, where there is a capacity, else rows, of the
    chunk that is open where the range begins. ``number``: of the range. ``expected``: delimiters of a record.
    ``skips``: lines that are no records; ``header``: which may be repeated.
    """

    version: str
    source: SourceSpec
    number: int
    range: ByteRange
    alphabet: Alphabet
    expected: int
    rows: int | None
    capacity: int | None
    before: int
    targets: Targets | None = None
    done: int = 0
    room: int | None = None
    skips: Skips | None = None
    header: HeaderSpec | None = None

    @property
    def what(self) -> str:
        """For messages."""
        return f"cut range {self.number}"

    @property
    def weight(self) -> int:
        """Bytes that it is about."""
        return self.range.size


Unit = CutUnit | ScanUnit | StoreUnit | VerifyUnit | MergeUnit


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a range held; places count from its start. ``outcome``: None where its bytes break the rules.

    ``large``: records that loaders refuse. ``blanks``, ``letter``: what a Watch saw. ``seen``: what a Survey did.
    ``stairs``: None where they were not asked for, or there are too many records. ``lead``: of the targets.
    ``skipped``: lines that are no records, though ``outcome`` has them; None where there are none such.
    """

    outcome: Outcome | None
    crc: int
    large: Found
    blanks: Found
    letter: int
    seen: tuple[Found, Found, Found]
    stairs: Stairs | None = None
    lead: int | None = None
    skipped: Skipped | None = None


@dataclass(frozen=True, slots=True)
class Pieces:
    """Where chunks end in a range; places count from its start. The last one's rest, behind the last end, is no piece.

    ``rows``, ``checksums``: of the bytes between two ends. ``excess``: delimiters more than there should be, by the
    piece's number. ``oversized``: records that are alone in a chunk. The rest: of the whole range.
    """

    ends: tuple[int, ...]
    rows: tuple[int, ...]
    checksums: tuple[int, ...]
    excess: tuple[tuple[int, int], ...]
    oversized: int
    records: int
    delimiters: int
    crc: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of each chunk: the object that is there now, less its metadata, or what went wrong.

    No failure among them is fatal: one that is, is the answer to the whole unit. ``refused``: why the store did not
    copy, though it was asked to; the worker sent the bytes then.
    """

    chunks: tuple[StoredObject | Failed, ...]
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found in each chunk of a unit."""

    chunks: tuple[Judged, ...]


@dataclass(frozen=True, slots=True)
class Merged:
    """The part that is there now. ``checksum``: its CRC-64/NVME. ``etag``: of a part of an object.

    ``copied``: by the store itself.
    """

    size: int
    checksum: int
    etag: str | None
    copied: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """What went wrong. ``code``: the name of the error's class.

    ``fatal``: it makes every other unit wrong, too. ``again``: the same unit may succeed, on another worker or later.
    """

    code: str
    message: str
    hint: str | None
    fatal: bool
    again: bool


Answer = Pieces | Scanned | Stored | Verified | Merged | Failed


class Worker(Protocol):
    """What a worker is reached by. It MUST NOT be copied into another process."""

    def __call__(self, unit: str) -> str:
        """Run a unit and answer; never raises for what a unit can meet: that is a Failed."""


class Engine(Protocol):
    """Runs units, many at once, in any order.

    It may lose a unit, run it twice, answer late or never: the coordinator sends it again, so an engine's own retries
    MUST be off. It MUST NOT change a unit or an answer.
    """

    @property
    def name(self) -> str:
        """How messages call it, such as ``dask``."""

    @property
    def words(self) -> Words:
        """How messages call its workers."""

    @property
    def in_flight(self) -> int:
        """How many units should be under way, so that no worker waits; it may change as workers come and go.

        It is asked often, and MUST answer at once. Raises EngineError where the engine, or its last worker, is gone, or
        where it has taken no unit for long.
        """

    @property
    def lost_work(self) -> bool:
        """Whether a worker died, or was given up, while it may have run a unit, whatever the unit's answer is.

        Half of the unit's work may be there, or may still go on. It stays true. An engine that runs a unit once more by
        itself, or answers for a worker, MUST set it before the unit is answered.
        """

    def submit(self, unit: str) -> Future[str]:
        """Run a unit; return at once. The answer comes from ``run_text``, called somewhere else.

        The future fails with EngineError where the engine itself is gone, and no unit can be run any more; with
        NotNowError where this unit is to be sent again in a while; with another error where it got no answer. It may
        never be done.
        """

    def cancel(self, future: Future[str]) -> None:
        """Nobody waits for it any more. What runs may go on."""

    def close(self) -> None:
        """Free threads and connections, and cancel what is under way. Safe to repeat; never waits for a worker."""


@dataclass(frozen=True, slots=True)
class Remote:
    """Where the work of one split runs, and what names its source and sink there.

    ``check`` raises what ends the split. ``opens_sink``: another sink of the same place, for what workers left.
    ``pace``: what is waited by; None for this machine's.
    """

    engine: Engine
    source: SourceSpec
    sink: SinkSpec
    check: Callable[[], None]
    opens_sink: Callable[[], Sink]
    pace: Pace | None = None
