"""Is a stored chunk this run's? Then it is not sent again; another's is replaced with ``--force`` alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from splitjoin_cli.core.bytes.crc64 import tagged
from splitjoin_cli.core.errors import NameTakenError, StoreError
from splitjoin_cli.core.ranges import NumberRanges
from splitjoin_cli.splitting.claim import FORCE_HINT
from splitjoin_cli.splitting.compared import has_the_bytes
from splitjoin_cli.splitting.result import chunk_name
from splitjoin_cli.splitting.stored_chunks import StoredChunks
from splitjoin_cli.stores.sinks.base import ABSENT, Condition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Executor

    from splitjoin_cli.core.format.plan_file import PlanFile
    from splitjoin_cli.core.model import Chunk, StoredObject
    from splitjoin_cli.splitting.existing import Existing
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = ["MendedChunk", "Place", "Placing", "Repairs"]

LOOK_AHEAD = 256
"""How many stored chunks a resume looks at before it is known whether they must be sent."""


class MendedChunk(NamedTuple):
    """A chunk that ``replace`` stored: its rows, and its bytes before compression, header included."""

    rows: int
    size: int


class Repairs(Protocol):
    """What ``replace`` wrote down in the tracker for chunks of this run."""

    @property
    def expected(self) -> Mapping[int, str]:
        """By number the checksum that the stored chunk must have."""

    def take_back(self, number: int, checksum: str | None) -> bool:
        """The split stores its own chunk again, of that checksum where it is known. False where another is counted."""


class Place(NamedTuple):
    """Where a chunk goes. ``stored``: it is there already; else ``when``: what is there instead, to be replaced."""

    stored: StoredObject | None
    when: Condition = ABSENT


class Placing:
    """Decides of each chunk of a plan whether it stands, and on what condition it may be stored. Thread-safe."""

    def __init__(
        self,
        sink: Sink,
        plan: PlanFile,
        existing: Existing,
        *,
        force: bool,
        repairs: Repairs | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """``existing``: what was there when the name was claimed. ``force``: another run's chunks may be replaced.

        ``repairs``: None without a tracker. ``check``: raises NameTakenError where the name is no longer the plan's.
        """
        self._repairs, self._check = repairs, check
        self.mended: dict[int, MendedChunk] = {}
        """The chunks that stand as ``replace`` stored them, as far as they say so themselves."""
        self._sink, self._plan, self._existing, self._force = sink, plan, existing, force
        self._conditions: dict[int, Condition] = {}

    @property
    def all_free(self) -> bool:
        """Whether nothing was there of any chunk, and nothing is expected of one."""
        return not self._existing.chunks and not (self._repairs and self._repairs.expected)

    def standing(self) -> NumberRanges:
        """The chunks that are known to stand by a listing alone: where their sizes say it, as ``first`` would.

        So it is where nothing but this run's chunks can have their names: in a directory, uncompressed, of the first
        generation, none of them mended.
        """
        plan, chunks, manifest = self._plan, self._existing.chunks, self._existing.manifest
        by_size = not self._sink.properties.keeps_metadata and plan.compression is None and plan.generation == 1
        mended = (manifest is not None and manifest.mended) or (self._repairs is not None and self._repairs.expected)
        if not by_size or mended or not isinstance(chunks, StoredChunks) or self._sink.staging is None:
            return NumberRanges()
        return NumberRanges.of_flags(chunks.flags_of(plan))

    def forget(self, standing: NumberRanges) -> None:
        """Nothing is asked of these chunks any more, which ``standing`` gave and somebody else keeps.

        Where they are all, nothing more takes memory, and to forget them would take time alone.
        """
        if isinstance(self._existing.chunks, StoredChunks) and 0 < len(standing) < len(self._plan.chunks):
            self._existing.chunks.forget(standing)

    def missing(
        self,
        executor: Executor,
        skip: Callable[[Chunk, StoredObject], None],
        begin: Callable[[], None],
        standing: NumberRanges,
    ) -> Iterator[Chunk]:
        """The chunks to send: all but those that stand, which ``skip`` is told of. ``begin`` comes before the first.

        ``standing``: known to stand; nothing is told of them. Raises NameTakenError at another run's chunk, without
        ``force``.
        """
        plan = self._plan.chunks
        others = (plan[number] for number in standing.complement(len(plan)))
        if self.all_free:
            begin()
            yield from others
            return
        from splitjoin_cli.core.parallel import in_order  # noqa: PLC0415 -- only what is used is imported

        def look_at(chunk: Chunk) -> tuple[Chunk, Place]:
            return chunk, self.first(chunk)

        begun = False
        for chunk, place in in_order(executor, look_at, others, LOOK_AHEAD):
            if place.stored is not None:
                skip(chunk, place.stored)
                continue
            if not begun:
                begin()
                begun = True
            if place.when != ABSENT:
                self._conditions[chunk.number] = place.when
            yield chunk

    def when(self, chunk: Chunk) -> Condition:
        """The condition on which a chunk that ``missing`` gave is stored."""
        return self._conditions.pop(chunk.number, ABSENT)

    def first(self, chunk: Chunk) -> Place:
        """Where a chunk goes by what lay there when the name was claimed. Raises NameTakenError."""
        return self._settled(chunk, self._existing.chunks.get(chunk_name(self._plan, chunk.number)))

    def again(self, chunk: Chunk) -> Place:
        """The same by what is there now: the store said that it is not what was seen. Raises NameTakenError."""
        return self._settled(chunk, self._sink.head(chunk_name(self._plan, chunk.number)))

    def _settled(self, chunk: Chunk, found: StoredObject | None) -> Place:
        """Look at the object first, then at the claim: what is replaced was there while the name was this run's."""
        place = self._place(chunk, found)
        if place.stored is None and place.when != ABSENT:
            self._check()
        if place.stored is None and self._repairs is not None and chunk.number in self._repairs.expected:
            self._take_back(self._repairs, chunk)
        return place

    def _take_back(self, repairs: Repairs, chunk: Chunk) -> None:
        """The mended chunk is gone: what was written down for it goes, too. Raises NameTakenError if it is counted."""
        known = self._plan.compression is None and chunk.checksum is not None
        if repairs.take_back(chunk.number, tagged(chunk.checksum) if known and chunk.checksum is not None else None):
            return
        name, plan = chunk_name(self._plan, chunk.number), self._plan
        raise NameTakenError(
            f"{self._sink.properties.uri}{name} is gone, and was loaded as splitjoin replace had stored it; "
            f"this is a split of {plan.source.uri}, which has its old bytes",
            hint=f"store the mended file again: splitjoin replace {plan.file_name} --chunk {chunk.number} FILE; or "
            f"take the run out of the database: splitjoin clear {plan.file_name}; or {FORCE_HINT}",
        )

    def _place(self, chunk: Chunk, found: StoredObject | None) -> Place:
        if found is None:
            return Place(None)
        sink, plan = self._sink, self._plan
        if sink.properties.keeps_metadata or sink.staging is None:
            return self._by_metadata(chunk, found)
        stored = self._mended_by_bytes(chunk, found) or _by_bytes(sink, plan, chunk, self._existing, found)
        if stored is None and not self._existing.is_finished(plan.run_id):
            self._refuse(found.name, None)  # whose it is nothing says
        return Place(stored, Condition(found.validator))

    def _by_metadata(self, chunk: Chunk, listed: StoredObject) -> Place:
        """The object where its own metadata names this run, this chunk and this range."""
        from splitjoin_cli.core.format.metadata import decode_metadata  # noqa: PLC0415 -- only what is used is imported

        found = listed if listed.metadata is not None else self._sink.head(listed.name)
        if found is None:
            return Place(None)
        when, plan = Condition(found.validator), self._plan
        if found.metadata is None:
            return Place(None, when)
        try:
            metadata = decode_metadata(found.metadata, found.name)
        except StoreError:
            return Place(None, when)
        if metadata.run_id != plan.run_id:
            self._refuse(found.name, metadata.run_id)
        same = (metadata.run_id, metadata.number, metadata.range) == (plan.run_id, chunk.number, chunk.range)
        if same and metadata.mended is not None:
            self.mended[chunk.number] = MendedChunk(metadata.rows or 0, metadata.mended)
            return Place(found, when)
        whole = plan.compression is not None or found.checksum in (None, chunk.checksum) or chunk.checksum is None
        size = plan.compression is not None or found.size == plan.header_bytes + chunk.range.size
        return Place(found if same and whole and size else None, when)

    def _mended_by_bytes(self, chunk: Chunk, found: StoredObject) -> StoredObject | None:
        """The file, where a manifest or the tracker says that ``replace`` stored it, with its checksum."""
        manifest, number, staging = self._existing.manifest, chunk.number, self._sink.staging
        listed = manifest is not None and manifest.run_id == self._plan.run_id and number in manifest.mended
        written = self._repairs.expected.get(number) if self._repairs is not None else None
        if staging is None or not (listed or written is not None):
            return None
        checksum = staging.checksum(found.name)
        wanted = manifest.chunks[number].checksum if listed and manifest is not None else None
        if checksum is None or (checksum != wanted and tagged(checksum) != written):
            return None
        return replace(found, checksum=checksum)

    def is_mended(self, chunk: Chunk, stored: StoredObject) -> bool:
        """Whether an object that stands is other than the split would store it."""
        if chunk.number in self.mended:
            return True
        size = self._plan.header_bytes + chunk.range.size
        return self._plan.compression is None and (
            stored.size != size or (None not in {stored.checksum, chunk.checksum} and stored.checksum != chunk.checksum)
        )

    def _refuse(self, name: str, run: str | None) -> None:
        """Raise NameTakenError for another run's chunk, unless it may be replaced."""
        if self._force:
            return
        of_run = "not a chunk of this run" if run is None else f"a chunk of run {run}"
        raise NameTakenError(
            f"{self._sink.properties.uri}{name} is {of_run}; this is a split of {self._plan.source.uri} "
            f"(run {self._plan.run_id})",
            hint=FORCE_HINT,
        )


def _by_bytes(
    sink: Sink, plan: PlanFile, chunk: Chunk, existing: Existing, stored: StoredObject
) -> StoredObject | None:
    """The stored object of a chunk, if it is this run's, in a store that keeps no metadata.

    It follows from the claimed name, unless a run was replaced there: then, and for compressed chunks, whose checksum
    is of the stored bytes, the (local) file is read.
    """
    staging = sink.staging
    if staging is None or (plan.compression is None and stored.size != plan.header_bytes + chunk.range.size):
        return None
    if plan.compression is None and plan.generation == 1:
        return stored
    crc = staging.checksum(stored.name)
    wanted = chunk.checksum if plan.compression is None else None
    if existing.manifest is not None and existing.manifest.run_id == plan.run_id:
        wanted = existing.manifest.chunks[chunk.number].checksum
    elif plan.compression is not None and plan.generation > 1 and not has_the_bytes(sink, plan, chunk, stored):
        return None  # the replaced run's
    return replace(stored, checksum=crc) if wanted in (None, crc) else None
