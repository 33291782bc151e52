"""What a split says of itself when it ends."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from splitjoin_cli.core.bytes.crc64 import tagged
from splitjoin_cli.core.format.chunk_table import UNKNOWN_CHECKSUM, UNKNOWN_ROWS
from splitjoin_cli.core.format.dialects import dialect_fields
from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.core.names import chunk_names

if TYPE_CHECKING:
    from splitjoin_cli.core.format.plan_file import PlanFile

STATES = tuple(ChunkState)


@dataclass(slots=True)
class Progress:
    """What became of each chunk, as columns, index 0 for chunk 1.

    Unknown: -1 in ``stored_bytes``, 0 in ``checksums``, a column that is there only where ``planned``, the plan's own,
    does not have them all; ``others``: checksums that are not the planned ones.
    """

    states: bytearray
    stored_bytes: array[int]
    checksums: array[int]
    planned: array[int] | None = None
    others: dict[int, int] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: PlanFile) -> Progress:
        """Nothing done yet of a plan's chunks."""
        total, planned = len(plan.chunks), plan.chunks.checksums
        states, sizes = bytearray(total), array("q", [-1]) * total
        if plan.compression is None and UNKNOWN_CHECKSUM not in planned:
            return cls(states, sizes, array("Q"), planned)
        return cls(states, sizes, array("Q", [0]) * total)

    def keep(self, number: int, size: int, checksum: int | None) -> None:
        """The object of chunk ``number`` is there, so large."""
        self.stored_bytes[number - 1] = size
        if self.planned is None:
            self.checksums[number - 1] = checksum or 0
        elif checksum != self.planned[number - 1]:
            self.others[number] = checksum or 0

    def checksum(self, number: int) -> int:
        """Of the object of chunk ``number``; 0 where it is not known."""
        if self.planned is None:
            return self.checksums[number - 1]
        return self.others.get(number, self.planned[number - 1] if self.stored_bytes[number - 1] >= 0 else 0)

    def set(self, number: int, state: ChunkState) -> None:
        """Chunk ``number`` is in ``state`` now."""
        self.states[number - 1] = STATES.index(state)

    def set_all(self, first: int, count: int, state: ChunkState) -> None:
        """So are ``count`` chunks, the first of them ``first``."""
        self.states[first - 1 : first - 1 + count] = bytes([STATES.index(state)]) * count

    def state(self, number: int) -> ChunkState:
        """The state of chunk ``number``."""
        return STATES[self.states[number - 1]]

    def count(self, state: ChunkState) -> int:
        """How many chunks are in ``state``."""
        return self.states.count(STATES.index(state))

    def any_stored(self) -> bool:
        """Whether a chunk was stored now, also one that failed because its event was not sent."""
        return self.count(ChunkState.UPLOADED) > 0 or any(self.stored_bytes[number - 1] >= 0 for number in self.errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitResult:
    """A split that ended, done, partial or only planned.

    ``options``: those that shape it, as they were given (``SplitRequest.shaping``). ``resume``: the command to type
    when some chunks failed.
    """

    plan: PlanFile
    destination: str
    progress: Progress
    options: Mapping[str, int | str | bool | None]
    seconds: float
    resume: str | None

    @property
    def file_name(self) -> str:
        """The job, CLIENT_DATE."""
        return self.plan.file_name

    @property
    def run_id(self) -> str:
        """The run: 32 hexadecimal digits."""
        return self.plan.run_id

    @property
    def total_parts(self) -> int:
        """How many chunks there are."""
        return len(self.plan.chunks)

    @property
    def rows(self) -> int | None:
        """Records in all chunks, headers not included; None where the split did not count them."""
        return self.plan.chunks.total_rows

    @property
    def failed(self) -> int:
        """How many chunks could not be stored; the same call resumes."""
        return self.progress.count(ChunkState.FAILED)

    def to_json(self) -> dict[str, Any]:
        """The document of ``--json``; its ``chunks`` are made as they are asked for."""
        plan, progress = self.plan, self.progress
        chunks = plan.chunks
        return {
            "file_name": self.file_name,
            "run_id": self.run_id,
            "generation": plan.generation,
            "source": {
                "uri": plan.source.uri,
                "bytes": plan.source.stored_bytes,
                "fingerprint": plan.source.fingerprint,
            },
            "destination": self.destination,
            "dialect": dialect_fields(plan.dialect),
            "compression": plan.compression,
            "header_start": plan.header_start,
            "header_bytes": plan.header_bytes,
            "header_lines": plan.header_lines,
            "left_out": None if plan.left_out is None else plan.left_out.to_json(),
            "options": dict(self.options),
            "total_parts": self.total_parts,
            "rows": self.rows,
            "bytes": chunks.end - chunks.start + plan.header_bytes * len(chunks),
            "chunks": ChunkDocuments(self),
            "uploaded": progress.count(ChunkState.UPLOADED),
            "skipped": progress.count(ChunkState.SKIPPED) + progress.count(ChunkState.STORED),
            "failed": self.failed,
            "warnings": list(plan.warnings),
            "seconds": round(self.seconds, 3),
            "resume": self.resume,
        }

    def chunk_document(self, number: int) -> dict[str, Any]:
        """What ``chunks`` says of chunk ``number``."""
        table, index, progress = self.plan.chunks, number - 1, self.progress
        start, end, rows = table.starts[index], table.starts[number], table.rows[index]
        stored, checksum = progress.stored_bytes[index], progress.checksum(number)
        size, name = self.plan.header_bytes + end - start, chunk_name(self.plan, number)
        if self.plan.compression is None:
            stored, checksum = size, checksum or table.checksums[index]
        return {
            "number": number,
            "name": name,
            "uri": self.destination + name,
            "start": start,
            "end": end,
            "bytes": size,
            "stored_bytes": None if stored < 0 else stored,
            "rows": None if rows == UNKNOWN_ROWS else rows,
            "checksum": tagged(checksum) if checksum else None,
            "state": progress.state(number),
            "error": progress.errors.get(number),
        }


class ChunkDocuments(Sequence[dict[str, Any]]):
    """The ``chunks`` of a result: a million of them are columns until one is looked at."""

    __slots__ = ("_result",)

    def __init__(self, result: SplitResult) -> None:
        """Those of ``result``."""
        self._result = result

    def __len__(self) -> int:
        return len(self._result.plan.chunks)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        numbers = range(1, len(self) + 1)
        if isinstance(index, slice):
            return [self._result.chunk_document(number) for number in numbers[index]]
        return self._result.chunk_document(numbers[index])


def chunk_name(plan: PlanFile, number: int) -> str:
    """The object's name of chunk ``number`` of a plan."""
    return chunk_names(plan.file_name, len(plan.chunks), plan.compression)(number)
