"""Who has a name: what is stored under it already, and the plan that claims it before the first chunk is visible."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.core.errors import NameTakenError, StoreError
from splitjoin_cli.core.format.manifest import Manifest, PlanFile
from splitjoin_cli.core.names import JobName, manifest_name, parse, parse_manifest_name, parse_plan_name, plan_name
from splitjoin_cli.core.words import count_text
from splitjoin_cli.stores.sinks.base import ABSENT

if TYPE_CHECKING:
    from splitjoin_cli.core.model import StoredObject
    from splitjoin_cli.stores.sinks.base import Sink

CLAIM_TRIES = 5


class Other(NamedTuple):
    """A split under another name. ``finished``: whether its manifest is there."""

    job: JobName
    finished: bool


@dataclass(slots=True)
class Existing:
    """What is at a place under one job's name. ``others``: splits of the same client, and of the one asked for."""

    manifest: Manifest | None = None
    plan: PlanFile | None = None
    chunks: dict[str, StoredObject] = field(default_factory=dict)
    others: list[Other] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether the name is free."""
        return self.manifest is None and self.plan is None and not self.chunks

    @property
    def generation(self) -> int:
        """The generation of what is there, 0 for nothing."""
        found = [each.generation for each in (self.manifest, self.plan) if each is not None]
        return max(found, default=1 if self.chunks else 0)

    def holds(self, run_id: str) -> bool:
        """Whether a plan or manifest of this run is there."""
        return any(each is not None and each.run_id == run_id for each in (self.manifest, self.plan))


def look(sink: Sink, job: JobName, *, also: str | None = None) -> Existing:
    """What is there now; ``also``: a client, named after this one, whose splits are wanted too.

    Chunks are found by parsed name, never by bare prefix: ``a_1`` is no part of ``a_1-2``.

    The listing is no snapshot: another process may finish meanwhile. Its manifest is there before its plan goes, so
    that the plan is read first: whoever sees its chunks finds one of the two.
    """
    existing, manifest, plan = Existing(), manifest_name(job.file_name), plan_name(job.file_name)
    found: set[str] = set()
    others: dict[JobName, bool] = {}
    for stored in sink.list(f"{job.client}_"):
        if stored.name in (manifest, plan):
            found.add(stored.name)
            continue
        chunk = parse(stored.name)
        if chunk is not None:
            if chunk.file_name == job.file_name:
                existing.chunks[stored.name] = stored
            continue
        finished = parse_manifest_name(stored.name)
        other = finished or parse_plan_name(stored.name)
        if other is not None and other.client in (job.client, also):
            others[other] = finished is not None or others.get(other, False)
    existing.others = [Other(*each) for each in others.items()]
    if plan in found or (existing.chunks and manifest not in found):
        existing.plan = read_plan(sink, job)
    if manifest in found or (existing.plan is None and (found or existing.chunks)):
        data = sink.get_small(manifest)
        if data is not None:
            uri = sink.properties.uri + manifest
            existing.manifest = Manifest.from_bytes(data, uri, file_name=job.file_name)
    return existing


def read_plan(sink: Sink, job: JobName) -> PlanFile | None:
    """The plan that stands for a job."""
    name = plan_name(job.file_name)
    data = sink.get_small(name)
    if data is None:
        return None
    return PlanFile.from_bytes(data, sink.properties.uri + name, file_name=job.file_name)


def check_free(sink: Sink, existing: Existing, plan: PlanFile) -> None:
    """Raise NameTakenError, naming both, where other content has the name of ``plan``."""
    uri = sink.properties.uri
    taken: str | None = None
    if existing.manifest is not None and existing.manifest.run_id != plan.run_id:
        other = existing.manifest
        taken = f"a finished split of {other.source.uri} (run {other.run_id}, {_chunks(other.total_parts)})"
    elif existing.plan is not None and existing.plan.run_id != plan.run_id:
        theirs = existing.plan
        taken = f"an unfinished split of {theirs.source.uri} (run {theirs.run_id}, {_chunks(len(theirs.chunks))})"
    elif existing.manifest is None and existing.plan is None and existing.chunks:
        taken = _strangers(sink, existing, plan)
    if taken is not None:
        raise NameTakenError(
            f"{uri}{plan.file_name} holds {taken}; this is a split of {plan.source.uri} (run {plan.run_id})",
            hint="--force replaces it; or choose another --client, --date or destination",
        )


def _strangers(sink: Sink, existing: Existing, plan: PlanFile) -> str | None:
    """Chunks without plan or manifest: ours if they say so themselves."""
    name = min(existing.chunks)
    stored = sink.head(name) if sink.properties.keeps_metadata else None
    if stored is not None and stored.metadata is not None:
        from splitjoin_cli.core.format.metadata import decode_metadata  # noqa: PLC0415 -- only what is used is imported

        try:
            run = decode_metadata(stored.metadata, name).run_id
        except StoreError:
            run = "unknown"
        return None if run == plan.run_id else f"{_chunks(len(existing.chunks))} of run {run} without a manifest"
    return f"{_chunks(len(existing.chunks))} without a manifest, the first {name}"


def _chunks(count: int) -> str:
    return count_text(count, "chunk")


def next_generation(sink: Sink, existing: Existing, plan: PlanFile, *, force: bool) -> int:
    """The generation that ``claim`` would give ``plan``. Raises NameTakenError where it would."""
    if not force:
        check_free(sink, existing, plan)
    for standing in (existing.plan, existing.manifest):
        if standing is not None and standing.run_id == plan.run_id:
            return standing.generation
    replaces = force and not existing.is_empty and not _is_ours(sink, existing, plan)
    return existing.generation + 1 if replaces else plan.generation


def claim(sink: Sink, job: JobName, plan: PlanFile, *, force: bool) -> tuple[Existing, PlanFile]:
    """Store ``plan`` under the job's name, unless it is the same run's already.

    Returns what was there and the plan that stands; its generation is at least that of ``plan``.

    Exactly one of several processes with different content gets the name. With ``force`` the plan replaces the other
    run's, and its manifest goes before any chunk is replaced. Raises NameTakenError.
    """
    name = plan_name(job.file_name)
    for _ in range(CLAIM_TRIES):
        existing = look(sink, job)
        if force and not existing.is_empty and not _is_ours(sink, existing, plan):
            return existing, _replace(sink, job, existing, plan)
        check_free(sink, existing, plan)
        if existing.plan is not None:
            return existing, _standing(plan, existing.plan)
        if existing.manifest is not None:
            return existing, replace(plan, generation=existing.manifest.generation)
        if _claimed(sink, job, plan):
            # The look and the claim are two steps: between them another process may have claimed the name, finished
            # and removed its plan. It wrote its manifest before that, so it is there by now.
            try:
                finished = sink.head(manifest_name(job.file_name)) is not None
            except StoreError:
                _withdraw(sink, name)
                raise
            if not finished:
                return existing, plan
            sink.delete(name)
    raise StoreError(
        f"{sink.properties.uri}{name} comes and goes: other processes split under this name",
        hint="wait for them, then run the same command again",
    )


def _claimed(sink: Sink, job: JobName, plan: PlanFile) -> bool:
    """Store the plan if none is there; whether it was. A signal that ends it anywhere leaves no claim."""
    try:
        return sink.put_small(plan_name(job.file_name), plan.to_bytes(), when=ABSENT)
    except StoreError:
        raise
    except BaseException:
        withdraw(sink, job, plan)
        raise


def _standing(plan: PlanFile, stored: PlanFile) -> PlanFile:
    """``plan`` as what is stored of the same run has numbered it: all else is taken from what was planned here."""
    return replace(plan, generation=stored.generation)


def withdraw(sink: Sink, job: JobName, plan: PlanFile) -> None:
    """Give the name back, as well as can be: a claim of which nothing was stored must not block other content.

    Another process may split the same, and lives: where it stored a chunk already, or ended, the plan stays as it is.
    """
    with suppress(StoreError):
        now = look(sink, job)
        if now.plan is not None and now.plan.run_id == plan.run_id and not now.chunks and now.manifest is None:
            sink.delete(plan_name(job.file_name))


def _withdraw(sink: Sink, name: str) -> None:
    with suppress(StoreError):
        sink.delete(name)


def _is_ours(sink: Sink, existing: Existing, plan: PlanFile) -> bool:
    try:
        check_free(sink, existing, plan)
    except NameTakenError:
        return False
    return True


def _replace(sink: Sink, job: JobName, existing: Existing, plan: PlanFile) -> PlanFile:
    """Put ``plan`` in the place of what is there.

    The plan comes before the manifest goes: a process that is killed between the two leaves its generation behind, and
    the next one finds it.
    """
    if existing.plan is not None and existing.plan.run_id == plan.run_id:
        newer = _standing(plan, existing.plan)
    else:
        newer = replace(plan, generation=max(plan.generation, existing.generation + 1))
        sink.put_small(plan_name(job.file_name), newer.to_bytes())
    if existing.manifest is not None:
        sink.delete(manifest_name(job.file_name))
    return newer
