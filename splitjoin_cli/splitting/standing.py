"""Is a stored chunk this run's? Then it is not sent again; another's is replaced with ``--force`` alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.core.errors import NameTakenError, StoreError
from splitjoin_cli.splitting.claim import FORCE_HINT
from splitjoin_cli.splitting.compared import has_the_bytes
from splitjoin_cli.splitting.result import chunk_name
from splitjoin_cli.stores.sinks.base import ABSENT, Condition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

    from splitjoin_cli.core.format.manifest import PlanFile
    from splitjoin_cli.core.model import Chunk, StoredObject
    from splitjoin_cli.splitting.claim import Existing
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = ["Place", "Placing"]

LOOK_AHEAD = 256
"""How many stored chunks a resume looks at before it is known whether they must be sent."""


class Place(NamedTuple):
    """Where a chunk goes. ``stored``: it is there already; else ``when``: what is there instead, to be replaced."""

    stored: StoredObject | None
    when: Condition = ABSENT


class Placing:
    """Decides of each chunk of a plan whether it stands, and on what condition it may be stored. Thread-safe."""

    def __init__(self, sink: Sink, plan: PlanFile, existing: Existing, *, force: bool) -> None:
        """``existing``: what lay there when the name was claimed. ``force``: another run's chunks may be replaced."""
        self._sink, self._plan, self._existing, self._force = sink, plan, existing, force
        self._conditions: dict[int, Condition] = {}

    def missing(
        self, executor: Executor, skip: Callable[[Chunk, StoredObject], None], begin: Callable[[], None]
    ) -> Iterator[Chunk]:
        """The chunks to send: all but those that stand, which ``skip`` is told of. ``begin`` comes before the first.

        Raises NameTakenError at another run's chunk, without ``force``.
        """
        if not self._existing.chunks:
            begin()
            yield from self._plan.chunks
            return
        from splitjoin_cli.core.parallel import in_order  # noqa: PLC0415 -- only what is used is imported

        def look_at(chunk: Chunk) -> tuple[Chunk, Place]:
            return chunk, self.first(chunk)

        begun = False
        for chunk, place in in_order(executor, look_at, self._plan.chunks, LOOK_AHEAD):
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
        return self._place(chunk, self._existing.chunks.get(chunk_name(self._plan, chunk.number)))

    def again(self, chunk: Chunk) -> Place:
        """The same by what is there now: the store said that it is not what was seen. Raises NameTakenError."""
        return self._place(chunk, self._sink.head(chunk_name(self._plan, chunk.number)))

    def _place(self, chunk: Chunk, found: StoredObject | None) -> Place:
        if found is None:
            return Place(None)
        sink, plan = self._sink, self._plan
        if sink.properties.keeps_metadata or sink.staging is None:
            return self._by_metadata(chunk, found)
        stored = _by_bytes(sink, plan, chunk, self._existing, found)
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
        whole = plan.compression is not None or found.checksum in (None, chunk.checksum) or chunk.checksum is None
        size = plan.compression is not None or found.size == plan.header_bytes + chunk.range.size
        same = (metadata.run_id, metadata.number, metadata.range) == (plan.run_id, chunk.number, chunk.range)
        return Place(found if same and whole and size else None, when)

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
