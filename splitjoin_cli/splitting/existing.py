"""What is stored under a job's name now: manifest, plan or the claim of ``rm``, chunks, and splits of other names."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.format.plan_file import PlanFile
from splitjoin_cli.core.format.removal import Removal
from splitjoin_cli.core.names import JobName, manifest_name, parse_manifest_name, parse_plan_name, plan_name
from splitjoin_cli.splitting.stored_chunks import StoredChunks
from splitjoin_cli.stores.sinks.base import ABSENT, Condition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from splitjoin_cli.core.model import StoredObject
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = ["Existing", "Other", "Standing", "is_of", "look", "look_at_documents", "read_plan", "standing", "take_plan"]


class Standing(NamedTuple):
    """What has a name now, and the condition that it still does."""

    plan: PlanFile | Removal
    seen: Condition


class Other(NamedTuple):
    """A split under another name. ``planned``: whether its plan is there, so that it is not at its end."""

    job: JobName
    planned: bool


@dataclass(slots=True)
class Existing:
    """What is at a place under one job's name. ``others``: splits of the same client, and of the one asked for.

    ``plan_seen`` and ``manifest_seen``: the conditions that plan (or ``removal``) and manifest are what is here.
    """

    manifest: Manifest | None = None
    plan: PlanFile | None = None
    removal: Removal | None = None
    chunks: Mapping[str, StoredObject] = field(default_factory=dict)
    others: list[Other] = field(default_factory=list)
    plan_seen: Condition = ABSENT
    manifest_seen: Condition = ABSENT

    @property
    def is_empty(self) -> bool:
        """Whether the name is free."""
        return self.manifest is None and self.plan is None and self.removal is None and not self.chunks

    def share(self, plan: PlanFile) -> None:
        """Let manifest and plan have the chunks of ``plan`` where theirs are equal: a million of them are 24 MB."""
        if self.manifest is not None and self.manifest.chunks == plan.chunks:
            self.manifest = replace(self.manifest, chunks=plan.chunks)
        if self.plan is not None and self.plan.chunks == plan.chunks:
            self.plan = replace(self.plan, chunks=plan.chunks)

    @property
    def generation(self) -> int:
        """The generation of what is there, 0 for nothing."""
        found = [each.generation for each in (self.manifest, self.plan) if each is not None]
        return max(found, default=1 if self.chunks else 0)

    @property
    def total(self) -> int:
        """How many chunks there are, or are to be."""
        of_manifest = 0 if self.manifest is None else self.manifest.total_parts
        return max(len(self.chunks), of_manifest, 0 if self.plan is None else len(self.plan.chunks))

    def holds(self, run_id: str) -> bool:
        """Whether a plan or manifest of this run is there."""
        return any(each is not None and each.run_id == run_id for each in (self.manifest, self.plan))

    def is_finished(self, run_id: str) -> bool:
        """Whether a manifest of this run is there."""
        return self.manifest is not None and self.manifest.run_id == run_id


def look_at_documents(sink: Sink, job: JobName) -> Existing | None:
    """The job's plan and manifest alone; None where neither is there, or the claim of ``rm`` is: ``look`` says more."""
    existing = Existing()
    take_plan(existing, standing(sink, job))
    if existing.removal is not None:
        return None
    _take_manifest(existing, sink, job, None)
    return None if existing.plan is None and existing.manifest is None else existing


def look(
    sink: Sink, job: JobName, *, also: str | None = None, sizes: bool = True, before: Existing | None = None
) -> Existing:
    """What is there now; ``also``: a client, named after this one, whose splits are wanted too.

    Without ``sizes`` of the chunks nothing but the names is known. ``before``: what an earlier look saw; its plan and
    manifest are not read again where they are the same objects still.

    Chunks are found by parsed name, never by bare prefix: ``a_1`` is no part of ``a_1-2``.

    The listing is no snapshot: another process may finish meanwhile. Its manifest is there before its plan goes, so
    that the plan is read first: whoever sees its chunks finds one of the two.
    """
    chunks = StoredChunks(job.file_name)
    existing, manifest, plan = Existing(chunks=chunks), manifest_name(job.file_name), plan_name(job.file_name)
    found: set[str] = set()
    others: dict[JobName, bool] = {}
    about = 0 if before is None else before.total
    for stored in chunks.fill(sink, f"{job.client}_", sizes=sizes, about=about):
        if stored.name in (manifest, plan):
            found.add(stored.name)
            continue
        planned = parse_plan_name(stored.name)
        other = planned or parse_manifest_name(stored.name)
        if other is not None and other.client in (job.client, also):
            others[other] = planned is not None or others.get(other, False)
    existing.others = [Other(*each) for each in others.items()]
    if plan in found or (existing.chunks and manifest not in found):
        take_plan(existing, standing(sink, job, before))
    nobodys = existing.plan is None and existing.removal is None
    if manifest in found or (nobodys and (found or existing.chunks)):
        _take_manifest(existing, sink, job, before)
    return existing


def _take_manifest(existing: Existing, sink: Sink, job: JobName, before: Existing | None) -> None:
    name = manifest_name(job.file_name)
    small = sink.open_small(name)
    if small is None:
        return
    with small:
        existing.manifest_seen = Condition(small.validator)
        if before is not None and before.manifest_seen == existing.manifest_seen:
            existing.manifest = before.manifest
        else:
            existing.manifest = Manifest.read(small, sink.properties.uri + name, file_name=job.file_name)


def take_plan(existing: Existing, held: Standing | None) -> None:
    """Note what has the name, a plan or the claim of ``rm``; nothing where it is None."""
    if held is None:
        return
    existing.plan_seen = held.seen
    if isinstance(held.plan, Removal):
        existing.removal = held.plan
    else:
        existing.plan = held.plan


def standing(sink: Sink, job: JobName, before: Existing | None = None) -> Standing | None:
    """The plan, or the claim of ``rm``, that has a job's name; ``before`` as in ``look``."""
    name = plan_name(job.file_name)
    small = sink.open_small(name)
    if small is None:
        return None
    with small:
        if before is not None and before.plan is not None and before.plan_seen == Condition(small.validator):
            return Standing(before.plan, before.plan_seen)
        removal = Removal.in_document(small)
        plan = removal or PlanFile.read(small, sink.properties.uri + name, file_name=job.file_name)
        return Standing(plan, Condition(small.validator))


def read_plan(sink: Sink, job: JobName) -> PlanFile | None:
    """The plan that stands for a job; None also where ``rm`` has the name."""
    held = standing(sink, job)
    return held.plan if held is not None and isinstance(held.plan, PlanFile) else None


def is_of(held: PlanFile | Removal, plan: PlanFile) -> bool:
    """Whether what has a name is a plan of the same run."""
    return isinstance(held, PlanFile) and held.run_id == plan.run_id
