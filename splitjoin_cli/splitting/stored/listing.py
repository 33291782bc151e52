"""Which splits are in a place, and whether each is whole: from one listing, and the heads of manifests and plans."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from splitjoin_cli.core import names
from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.parallel import in_order
from splitjoin_cli.core.times import iso_time
from splitjoin_cli.splitting.heads import SeenHead, manifest_head, plan_head

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from splitjoin_cli.core.format.heads import Head
    from splitjoin_cli.core.model import Compression, StoredObject
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = ["ListedSplit", "SplitState", "list_splits"]

SplitState = Literal["whole", "under way", "damaged", "without manifest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSplit:
    """One split of a place. What nothing there says is None.

    ``stored_parts``: its chunks that are there. ``size_bytes``: of all chunks before compression, each with its header.
    ``at``: when its manifest was stored, else its plan, else its latest chunk (seconds since 1970).
    """

    file_name: str
    run_id: str | None
    state: SplitState
    total_parts: int | None
    stored_parts: int
    rows: int | None
    size_bytes: int | None
    at: float | None
    alone: bool = False
    """Whether nothing lies there under its name but chunks of one total and compression, called as they should be."""

    def to_json(self) -> dict[str, Any]:
        """The document of ``--json``."""
        return {
            "file_name": self.file_name,
            "run_id": self.run_id,
            "state": self.state,
            "total_parts": self.total_parts,
            "stored_parts": self.stored_parts,
            "rows": self.rows,
            "bytes": self.size_bytes,
            "at": iso_time(self.at),
        }


Set = tuple[int, "Compression | None"]
"""What the names of one split's chunks have in common: total and compression."""


@dataclass(slots=True)
class _Found:
    """What a listing shows of one job. ``counts``, ``sizes``: of its chunks, by set; ``odd``: with unusual names."""

    manifest: StoredObject | None = None
    plan: StoredObject | None = None
    counts: Counter[Set] = field(default_factory=Counter)
    sizes: Counter[Set] = field(default_factory=Counter)
    odd: int = 0
    latest: float | None = None

    def take(self, stored: StoredObject, chunk: names.ChunkName) -> None:
        """One chunk."""
        own = (chunk.total, chunk.compression)
        if names.format(chunk) == stored.name:
            self.counts[own] += 1
            self.sizes[own] += stored.size
        else:
            self.odd += 1
        if stored.stored_at is not None:
            self.latest = max(stored.stored_at, self.latest or stored.stored_at)


def list_splits(sink: Sink, *, executor: Executor, jobs: int, observer: Observer) -> list[ListedSplit]:
    """All splits that have an object directly in the place, by name. ``executor`` runs ``jobs`` calls at once.

    A manifest or plan that cannot be read is a warning, and its split damaged. Raises StoreError.
    """
    found: dict[str, _Found] = {}
    for stored in sink.list():
        chunk = names.parse(stored.name)
        if chunk is not None:
            found.setdefault(chunk.file_name, _Found()).take(stored, chunk)
        elif (job := names.parse_manifest_name(stored.name)) is not None:
            found.setdefault(job.file_name, _Found()).manifest = stored
        elif (job := names.parse_plan_name(stored.name)) is not None:
            found.setdefault(job.file_name, _Found()).plan = stored

    def look(file_name: str) -> ListedSplit:
        return _split(sink, file_name, found[file_name], observer)

    return list(in_order(executor, look, sorted(found), 2 * jobs))


def _split(sink: Sink, file_name: str, found: _Found, observer: Observer) -> ListedSplit:
    head: Head | None = None
    try:
        if found.plan is not None:
            under_way = plan_head(sink, file_name)
            head = under_way.head if isinstance(under_way, SeenHead) else None
        elif found.manifest is not None:
            seen = manifest_head(sink, file_name)
            head = None if seen is None else seen.head
    except StoreError as exc:
        observer.warn(exc.told)
    stands = found.plan or found.manifest
    if head is None:
        return _unknown(file_name, found, stands)
    own = (head.total_parts, head.compression)
    whole = found.counts[own] == head.total_parts and (
        head.compression is not None or found.sizes[own] == head.size_bytes
    )
    state: SplitState = "under way" if found.plan is not None else "whole" if whole else "damaged"
    return ListedSplit(
        file_name=file_name,
        run_id=head.run_id,
        state=state,
        total_parts=head.total_parts,
        stored_parts=found.counts[own],
        rows=head.rows,
        size_bytes=head.size_bytes,
        at=None if stands is None else stands.stored_at,
        alone=set(found.counts) <= {own} and not found.odd,
    )


def _unknown(file_name: str, found: _Found, stands: StoredObject | None) -> ListedSplit:
    """A split of which no head can be read: the chunks' names alone say something."""
    state: SplitState = "without manifest"
    if found.plan is not None:
        state = "under way"
    elif found.manifest is not None:
        state = "damaged"
    one = next(iter(found.counts)) if len(found.counts) == 1 and not found.odd else None
    return ListedSplit(
        file_name=file_name,
        run_id=None,
        state=state,
        total_parts=None if one is None else one[0],
        stored_parts=found.counts.total() + found.odd,
        rows=None,
        size_bytes=found.sizes[one] if one is not None and one[1] is None else None,
        at=found.latest if stands is None else stands.stored_at,
    )
