"""The end of a split whose chunks are all stored: the manifest, then what it replaces goes, then the plan."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import NameTakenError
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.names import manifest_name, plan_name
from splitjoin_cli.splitting.claim import read_plan
from splitjoin_cli.splitting.result import chunk_name

if TYPE_CHECKING:
    from splitjoin_cli.core.format.manifest import PlanFile
    from splitjoin_cli.core.names import JobName
    from splitjoin_cli.splitting.claim import Existing
    from splitjoin_cli.splitting.result import Progress
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = ["conclude"]


def conclude(sink: Sink, job: JobName, plan: PlanFile, existing: Existing, progress: Progress) -> None:
    """Write the manifest, then remove what it replaces, then the plan.

    Raises NameTakenError where a split with ``--force`` took the name away while this one ran.
    """
    if existing.manifest is None or existing.manifest.run_id != plan.run_id:
        _check_still_ours(sink, job, plan)
        _write(sink, manifest_name(plan.file_name), _manifest(plan, progress))
    if plan.generation > 1 and existing.chunks:
        ours = {chunk_name(plan, number) for number in range(1, len(plan.chunks) + 1)}
        for other in existing.chunks:
            if other not in ours:
                sink.delete(other)
    sink.delete(plan_name(plan.file_name))


def _write(sink: Sink, name: str, manifest: Manifest) -> None:
    """Store the manifest as it is made: that of a million chunks is 200 MB."""
    writer = sink.writer(name)
    try:
        for block in manifest.blocks():
            writer.write(block)
        writer.commit(checksum=None)
    except BaseException:
        writer.abort()
        raise


def _check_still_ours(sink: Sink, job: JobName, plan: PlanFile) -> None:
    standing = read_plan(sink, job)
    if standing is not None and standing.run_id != plan.run_id:
        raise NameTakenError(
            f"{sink.properties.uri}{plan.file_name} was taken over, with --force, by a split of "
            f"{standing.source.uri} (run {standing.run_id}) while this one ran (run {plan.run_id})",
            hint="the other's chunks may be overwritten by this one's: splitjoin verify says so; "
            "if they are, run the other command again",
        )


def _manifest(plan: PlanFile, progress: Progress) -> Manifest:
    chunks, header = plan.chunks, plan.header_bytes
    if plan.compression is None:
        sizes = array("q", (header + end - start for start, end in zip(chunks.starts, chunks.starts[1:], strict=False)))
    else:
        sizes = progress.stored_bytes
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
    )
