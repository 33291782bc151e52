"""The end of a split whose chunks are all stored: the manifest, then what it replaces goes, then the plan."""

from __future__ import annotations

from array import array
from itertools import islice
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import NameTakenError, ObjectChangedError, StoreError
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.names import around_number, manifest_name, parse
from splitjoin_cli.splitting.claim import plan_gone, release, taken_over
from splitjoin_cli.splitting.existing import is_of, standing
from splitjoin_cli.splitting.heads import SeenHead, manifest_head, plan_head
from splitjoin_cli.splitting.result import chunk_name
from splitjoin_cli.splitting.stored_chunks import FEW, batches_of, sizes_of
from splitjoin_cli.stores.sinks.base import ABSENT, Condition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from splitjoin_cli.core.format.plan_file import PlanFile
    from splitjoin_cli.core.format.removal import Removal
    from splitjoin_cli.core.names import JobName
    from splitjoin_cli.splitting.existing import Existing
    from splitjoin_cli.splitting.result import Progress
    from splitjoin_cli.splitting.standing import MendedChunk
    from splitjoin_cli.stores.sinks.base import Batches, Sink

__all__ = ["conclude"]

STORE_TRIES = 5


def conclude(
    sink: Sink, job: JobName, plan: PlanFile, existing: Existing, progress: Progress, mended: Mapping[int, MendedChunk]
) -> None:
    """Write the manifest, look again whether all is there, remove what it replaces, then the plan.

    ``mended``: the chunks that stand as ``replace`` stored them.

    Raises NameTakenError where another split, with ``--force``, or ``rm`` took the name away while this one ran. Each
    may have looked before this one stored its last chunks: a manifest that lacks one of its chunks is taken back.
    """
    if not _stands(sink, job, plan, existing):
        manifest = _manifest(plan, progress)
        for number, one in mended.items():
            manifest = manifest.with_mended(
                number,
                rows=one.rows,
                size=one.size,
                stored=progress.stored_bytes[number - 1],
                checksum=progress.checksum(number),
            )
        _store(sink, job, plan, manifest)
        _look_again(sink, job, plan, manifest)
    if plan.generation > 1:
        for name, stored in existing.chunks.items():
            if not _is_named_by(plan, name):
                sink.delete(name, when=Condition(stored.validator))
    release(sink, job, plan)


def _is_named_by(plan: PlanFile, name: str) -> bool:
    """Whether it is the name of one of the plan's chunks."""
    chunk = parse(name)
    return chunk is not None and chunk.number <= len(plan.chunks) and name == chunk_name(plan, chunk.number)


def _stands(sink: Sink, job: JobName, plan: PlanFile, existing: Existing) -> bool:
    """Whether this run's manifest stands already. Raises NameTakenError where the name is no longer this run's."""
    held = _holder(sink, job, plan)
    if held is not None and not is_of(held, plan):
        raise taken_over(sink, plan, held)
    if held is not None and not existing.is_finished(plan.run_id):
        return False  # one that came meanwhile is met when this run's is stored
    seen = manifest_head(sink, plan.file_name)
    finished = seen is not None and seen.head.run_id == plan.run_id
    if held is None and not finished:
        raise plan_gone(sink, plan)
    return finished


def _holder(sink: Sink, job: JobName, plan: PlanFile) -> PlanFile | Removal | None:
    """What has the name now: ``plan`` itself where it is of its run, whatever else has its place, or None."""
    head = plan_head(sink, job.file_name)
    if head is None or (isinstance(head, SeenHead) and head.head.run_id == plan.run_id):
        return None if head is None else plan
    held = standing(sink, job)
    return None if held is None else held.plan


def _store(sink: Sink, job: JobName, plan: PlanFile, manifest: Manifest) -> None:
    """Store the manifest where none is; one of this run by another process is as good. Raises NameTakenError."""
    for _ in range(STORE_TRIES):
        try:
            _write(sink, manifest_name(plan.file_name), manifest)
        except ObjectChangedError:
            seen = manifest_head(sink, plan.file_name)
            if seen is None:
                continue
            if seen.head.run_id == plan.run_id:
                return
            held = _holder(sink, job, plan)
            if held is None or not is_of(held, plan):
                raise plan_gone(sink, plan) from None
            sink.delete(manifest_name(plan.file_name), when=seen.seen)
        else:
            return
    raise StoreError(
        f"{sink.properties.uri}{manifest_name(plan.file_name)} comes and goes: other processes split under this name",
        hint="wait for them, then run the same command again",
    )


def _look_again(sink: Sink, job: JobName, plan: PlanFile, manifest: Manifest) -> None:
    """Take the manifest back, and raise NameTakenError, where a chunk is not there or the name is another's."""
    number = _first_missing(sink, plan, manifest)
    held = _holder(sink, job, plan)
    ours = held is None or is_of(held, plan)
    if number is None and ours:
        return
    seen = manifest_head(sink, plan.file_name)
    if seen is not None and seen.head.run_id == plan.run_id:
        sink.delete(manifest_name(plan.file_name), when=seen.seen)
    if held is not None and not ours:
        raise taken_over(sink, plan, held)
    raise NameTakenError(
        f"chunk {number} of {sink.properties.uri}{plan.file_name} (run {plan.run_id}) was removed or replaced "
        "while this split ran",
        hint="if the split is still wanted, run the same command again",
    )


def _first_missing(sink: Sink, plan: PlanFile, manifest: Manifest) -> int | None:
    """The first chunk that is not there with its size; None where all are. A listing is in the order of names."""
    total = len(plan.chunks)
    batches = batches_of(sink)
    if batches is not None:
        own = (chunk_name(plan, number) for number in range(1, total + 1))
        found = sizes_of(sink, own) if total <= FEW else _sizes(batches, plan)
        return _first_other(found, manifest.stored_bytes)
    number = 1
    for stored in sink.list(f"{plan.file_name}-"):
        if number > total:
            break
        if stored.name == chunk_name(plan, number):
            if stored.size != manifest.stored_bytes[number - 1]:
                break
            number += 1
    return number if number <= total else None


def _sizes(batches: Batches, plan: PlanFile) -> array[int]:
    """The size of each chunk of ``plan`` that is there, -1 of one that is not."""
    total = len(plan.chunks)
    prefix, suffix = around_number(plan.file_name, total, plan.compression)
    sizes = array("q", [-1]) * total
    for listed in batches.list_all(prefix, prefix):
        if (f"-{listed.total}{listed.suffix}") == suffix:
            for number, size in zip(listed.numbers, listed.sizes, strict=True):
                sizes[number - 1] = size
        for other in listed.others:
            chunk = parse(other.name)
            if chunk is not None and chunk.total == total and other.name == chunk_name(plan, chunk.number):
                sizes[chunk.number - 1] = other.size
    return sizes


def _first_other(found: array[int], wanted: array[int]) -> int | None:
    if found == wanted:
        return None
    return next(number for number, (here, there) in enumerate(zip(found, wanted, strict=True), 1) if here != there)


def _write(sink: Sink, name: str, manifest: Manifest) -> None:
    """Store the manifest as it is made: that of a million chunks is 200 MB."""
    writer = sink.writer(name, when=ABSENT)
    try:
        for block in manifest.blocks():
            writer.write(block)
        writer.commit(checksum=None)
    except BaseException:
        writer.abort()
        raise


def _manifest(plan: PlanFile, progress: Progress) -> Manifest:
    chunks, header = plan.chunks, plan.header_bytes
    sizes = progress.stored_bytes
    if plan.compression is None and min(sizes, default=-1) < 0:  # those of staged chunks were not written down
        starts = chunks.starts
        sizes = array("q", (header + end - start for start, end in zip(starts, islice(starts, 1, None), strict=False)))
    table = chunks
    if plan.compression is not None or 0 in chunks.checksums:
        table = chunks.with_checksums(progress.checksums)
    return Manifest(
        file_name=plan.file_name,
        run_id=plan.run_id,
        generation=plan.generation,
        source=plan.source,
        dialect=plan.dialect,
        compression=plan.compression,
        header_lines=plan.header_lines,
        chunks=table,
        stored_bytes=sizes,
        warnings=plan.warnings,
        header_start=plan.header_start,
        ruler_bytes=plan.ruler_bytes,
        left_out=plan.left_out,
    )
