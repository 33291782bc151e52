"""Who has a name: the plan that claims it before the first chunk is visible, and who is refused it.

Three kinds of processes meet at a plan: splits of one run, which share it; a split of another run, which takes its
place with ``--force``; and ``rm``, whose own claim stands there until all is gone, and which stops every split. Each
replaces and removes only what it saw (``Condition``): docs/model/operate_model.py has every order of their steps.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import NameTakenError, StoreError
from splitjoin_cli.core.format.removal import Removal
from splitjoin_cli.core.names import JobName, manifest_name, plan_name
from splitjoin_cli.core.words import count_text
from splitjoin_cli.splitting.existing import Existing, is_of, look, standing, take_plan
from splitjoin_cli.splitting.heads import SeenHead, manifest_head, plan_head
from splitjoin_cli.stores.sinks.base import ABSENT, Condition
from splitjoin_cli.stores.sinks.documents import put_document

if TYPE_CHECKING:
    from splitjoin_cli.core.format.manifest import Manifest
    from splitjoin_cli.core.format.plan_file import PlanFile
    from splitjoin_cli.stores.sinks.base import Sink

CLAIM_TRIES = 5
FORCE_HINT = "--force replaces it; or choose another --client, --date or destination"
SAME_CONTENT_HINT = (
    "the options of its first split go on with it; --force replaces it by another run, which is loaded anew;"
    " or choose another --client, --date or destination"
)
OVERWRITTEN_HINT = (
    "the other's chunks may be overwritten by this one's: splitjoin verify says so; "
    "if they are, run the other command again"
)


def _put_plan(sink: Sink, plan: PlanFile, when: Condition) -> bool:
    return put_document(sink, plan_name(plan.file_name), plan, len(plan.chunks), when=when)


def release(sink: Sink, job: JobName, plan: PlanFile) -> None:
    """Remove the plan where it is this run's still."""
    head = plan_head(sink, job.file_name)
    if isinstance(head, SeenHead) and head.head.run_id == plan.run_id:
        sink.delete(plan_name(job.file_name), when=head.seen)


def check_not_removed(sink: Sink, file_name: str, removal: Removal | None) -> None:
    """Raise NameTakenError where ``rm`` has the name: not even ``--force`` takes it from there."""
    if removal is not None:
        place = sink.properties.uri
        raise NameTakenError(
            f"{place}{file_name} is being removed: splitjoin rm has the name, and runs or was killed",
            hint="wait for it; if it was killed, type the same command again "
            f"(splitjoin rm {place} --name {file_name}, with its other options), then split",
        )


def check_free(sink: Sink, existing: Existing, plan: PlanFile) -> None:
    """Raise NameTakenError, naming both, where other content has the name of ``plan``."""
    check_not_removed(sink, plan.file_name, existing.removal)
    taken: str | None = None
    differs, hint = "", FORCE_HINT
    if existing.manifest is not None and existing.manifest.run_id != plan.run_id:
        other = existing.manifest
        taken = f"a finished split of {other.source.uri} (run {other.run_id}, {_chunks(other.total_parts)})"
        differs, hint = _differences(other, plan), _hint(other, plan)
    elif existing.plan is not None and existing.plan.run_id != plan.run_id:
        theirs = existing.plan
        taken = f"an unfinished split of {theirs.source.uri} (run {theirs.run_id}, {_chunks(len(theirs.chunks))})"
        differs, hint = _differences(theirs, plan), _hint(theirs, plan)
    elif existing.manifest is None and existing.plan is None and existing.chunks:
        taken = _strangers(sink, existing, plan)
    if taken is not None:
        raise NameTakenError(
            f"{sink.properties.uri}{plan.file_name} holds {taken}; this is a split of {plan.source.uri} "
            f"(run {plan.run_id}){differs}",
            hint=hint,
        )


def _hint(theirs: Manifest | PlanFile, plan: PlanFile) -> str:
    """A file that is split again without the options of the first time need not be replaced, and loaded anew."""
    return SAME_CONTENT_HINT if theirs.source.fingerprint == plan.source.fingerprint else FORCE_HINT


def _differences(theirs: Manifest | PlanFile, plan: PlanFile) -> str:
    from splitjoin_cli.splitting.differences import differences  # noqa: PLC0415 -- only what is used is imported

    return f"; {differences(theirs, plan)}"


def _strangers(sink: Sink, existing: Existing, plan: PlanFile) -> str | None:
    """Chunks without plan or manifest: ours if they say so themselves, or, where they cannot, if their bytes are."""
    name = min(existing.chunks)
    if not sink.properties.keeps_metadata:
        from splitjoin_cli.splitting.compared import holds_only  # noqa: PLC0415 -- only what is used is imported

        if holds_only(sink, plan, existing.chunks):
            return None
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
    check_not_removed(sink, plan.file_name, existing.removal)
    if not force:
        check_free(sink, existing, plan)
    for found in (existing.plan, existing.manifest):
        if found is not None and found.run_id == plan.run_id:
            return found.generation
    replaces = force and not existing.is_empty and not _is_ours(sink, existing, plan)
    return existing.generation + 1 if replaces else plan.generation


def taken_over(sink: Sink, plan: PlanFile, other: PlanFile | Removal) -> NameTakenError:
    """The error of a split whose name another process took while it ran."""
    where = f"{sink.properties.uri}{plan.file_name}"
    if isinstance(other, Removal):
        return NameTakenError(
            f"splitjoin rm took {where} while this split ran (run {plan.run_id})",
            hint="wait for it; if the split is still wanted, run the same command again",
        )
    return NameTakenError(
        f"{where} was taken over, with --force, by a split of "
        f"{other.source.uri} (run {other.run_id}) while this one ran (run {plan.run_id})",
        hint=OVERWRITTEN_HINT,
    )


def plan_gone(sink: Sink, plan: PlanFile) -> NameTakenError:
    """The error of a split whose plan was removed while it ran, by another split that ended, by ``rm`` or by hand."""
    where, seen = f"{sink.properties.uri}{plan.file_name}", manifest_head(sink, plan.file_name)
    if seen is not None and seen.head.run_id != plan.run_id:
        return NameTakenError(
            f"{where} holds a finished split (run {seen.head.run_id}) by now, which took the name while this one ran "
            f"(run {plan.run_id})",
            hint=OVERWRITTEN_HINT,
        )
    return NameTakenError(
        f"the plan of {where} (run {plan.run_id}) was removed while this split ran, by splitjoin rm or by hand",
        hint="if the split is still wanted, run the same command again",
    )


class Claim:
    """A name that a split has. ``existing``: what was there; ``plan``: the one to carry out, with its generation.

    A run whose manifest stands has the name by that. Before it sends a chunk all the same, ``place`` stores its plan.
    """

    def __init__(self, sink: Sink, job: JobName, existing: Existing, plan: PlanFile, *, placed: bool) -> None:
        """``placed``: the plan is stored."""
        self.existing, self.plan = existing, plan
        self._sink, self._job, self._placed = sink, job, placed
        self._seen: Condition | None = None  # the plan, as the last check saw it

    def check(self) -> None:
        """Raise NameTakenError where the stored plan is no longer this run's: what others stored must not be replaced.

        An object that was looked at before this, and is replaced as it was seen, is none that another run stored since.
        """
        if not self._placed:
            return
        found = self._sink.head(plan_name(self._job.file_name))
        if found is not None and Condition(found.validator) == self._seen:
            return
        held = standing(self._sink, self._job)
        if held is None:
            raise plan_gone(self._sink, self.plan)
        if not is_of(held.plan, self.plan):
            raise taken_over(self._sink, self.plan, held.plan)
        self._seen = held.seen

    def place(self) -> None:
        """Store the plan unless it is there. Raises NameTakenError where another took the name meanwhile."""
        if self._placed:
            return
        name = plan_name(self._job.file_name)
        for _ in range(CLAIM_TRIES):
            if _put_plan(self._sink, self.plan, ABSENT):
                break
            held = standing(self._sink, self._job)
            if held is not None:
                existing = Existing(chunks=self.existing.chunks)
                take_plan(existing, held)
                check_free(self._sink, existing, self.plan)
                break
        else:
            raise _comes_and_goes(self._sink, name)
        self._placed = True


@dataclass(slots=True)
class Attempt:
    """How far a claim has come: asked where a signal ends it, at whatever instruction."""

    sent: bool = False
    """This process sent its plan to a free name: it may stand there, though nobody has heard so."""


def claim(
    sink: Sink,
    job: JobName,
    plan: PlanFile,
    attempt: Attempt,
    *,
    force: bool,
    before: Existing | None = None,
    free: bool = False,
) -> Claim:
    """Store ``plan`` under the job's name, unless it is the same run's already, and number it if need be.

    Exactly one of several processes with different content gets the name. With ``force`` the plan replaces the other
    run's, and its manifest goes before any chunk is replaced. Raises NameTakenError. Where something else ends it, the
    caller withdraws a plan that was sent (``attempt``). ``before``: as in ``look``.
    ``free``: nothing is there, as far as anybody saw (free_names.py); whoever was faster is found as after a look.
    """
    name = plan_name(job.file_name)
    for again in range(CLAIM_TRIES):
        existing = Existing() if free and not again else look(sink, job, before=before)
        check_not_removed(sink, job.file_name, existing.removal)
        if force and not existing.is_empty and not _is_ours(sink, existing, plan):
            newer = _replace(sink, job, existing, plan)
            if newer is None:
                continue
            return Claim(sink, job, existing, newer, placed=True)
        check_free(sink, existing, plan)
        if existing.plan is not None:
            return Claim(sink, job, existing, _numbered(plan, existing.plan), placed=True)
        if existing.manifest is not None:
            numbered = replace(plan, generation=existing.manifest.generation)
            return Claim(sink, job, existing, numbered, placed=False)
        if _claimed(sink, plan, attempt):
            # The look and the claim are two steps: between them another process may have claimed the name, finished
            # and removed its plan. It wrote its manifest before that, so it is there by now.
            try:
                finished = sink.head(manifest_name(job.file_name)) is not None
            except StoreError:
                with suppress(StoreError):
                    release(sink, job, plan)
                raise
            if not finished:
                return Claim(sink, job, existing, plan, placed=True)
            release(sink, job, plan)
            attempt.sent = False
    raise _comes_and_goes(sink, name)


def _comes_and_goes(sink: Sink, name: str) -> StoreError:
    return StoreError(
        f"{sink.properties.uri}{name} comes and goes: other processes split under this name",
        hint="wait for them, then run the same command again",
    )


def _claimed(sink: Sink, plan: PlanFile, attempt: Attempt) -> bool:
    """Store the plan if none is there; whether it was."""
    attempt.sent = True
    try:
        attempt.sent = _put_plan(sink, plan, ABSENT)
    except StoreError:
        attempt.sent = False  # the store failed: the same command goes on with whatever stands
        raise
    return attempt.sent


def _numbered(plan: PlanFile, stored: PlanFile) -> PlanFile:
    """``plan`` as what is stored of the same run has numbered it: all else is taken from what was planned here."""
    return replace(plan, generation=stored.generation)


def withdraw(sink: Sink, job: JobName, plan: PlanFile) -> None:
    """Give the name back, as well as can be: a claim of which nothing was stored must not block other content.

    Another process may split the same, and lives: where it stored a chunk already, or ended, the plan stays as it is.
    """
    with suppress(StoreError):
        now = look(sink, job)
        if now.plan is not None and now.plan.run_id == plan.run_id and not now.chunks and now.manifest is None:
            sink.delete(plan_name(job.file_name), when=now.plan_seen)


def _is_ours(sink: Sink, existing: Existing, plan: PlanFile) -> bool:
    try:
        check_free(sink, existing, plan)
    except NameTakenError:
        return False
    return True


def _replace(sink: Sink, job: JobName, existing: Existing, plan: PlanFile) -> PlanFile | None:
    """Put ``plan`` in the place of what is there; None where that is no longer what was seen.

    The plan comes before the manifest goes: a process that is killed between the two leaves its generation behind, and
    the next one finds it.
    """
    if existing.plan is not None and existing.plan.run_id == plan.run_id:
        newer = _numbered(plan, existing.plan)
    else:
        newer = replace(plan, generation=max(plan.generation, existing.generation + 1))
        if not _put_plan(sink, newer, existing.plan_seen):
            return None
    if existing.manifest is not None and not sink.delete(manifest_name(job.file_name), when=existing.manifest_seen):
        return None
    return newer
