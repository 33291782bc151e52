"""Checks a stored split against its manifest, and against its source where that is at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.core import names
from splitjoin_cli.core.errors import NotAFileError
from splitjoin_cli.core.format.documents import DamagedError
from splitjoin_cli.core.format.manifest import CoverageError
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.core.words import count_text
from splitjoin_cli.splitting.stored.checking import Check
from splitjoin_cli.splitting.stored.chunks import choose_job, inventory, read_manifest
from splitjoin_cli.splitting.stored.judge import StoredPlace
from splitjoin_cli.splitting.stored.problems import KINDS, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

    from splitjoin_cli.core.format.manifest import Manifest
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.stored.chunks import Inventory, OpenChunk
    from splitjoin_cli.splitting.stored.judge import Elsewhere
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.sources.base import Source
    from splitjoin_cli.stores.sources.s3_objects import S3Objects
    from splitjoin_cli.stores.sources.small_files import SmallFiles

__all__ = ["KINDS", "Kind", "Problem", "VerifyReport", "verify"]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was found. ``total_parts`` is the manifest's, ``None`` without one.

    ``rows``: the records that were counted in the chunks, the header not; ``None`` unless every chunk could be counted.
    ``mended``: the chunks that ``replace`` stored: they are not the source's any more, and not compared with it.
    ``under_way``: the split is, so nothing was checked.
    """

    file_name: str
    problems: tuple[Problem, ...]
    total_parts: int | None = None
    rows: int | None = None
    mended: tuple[int, ...] = ()
    under_way: bool = False

    @property
    def ok(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    def to_json(self) -> dict[str, object]:
        """The JSON result."""
        problems = [{"number": p.number, "kind": p.kind, "message": p.message} for p in self.problems]
        return {"file_name": self.file_name, "ok": self.ok, "problems": problems, "mended": list(self.mended)}


def verify(  # noqa: PLR0913 -- a place, a source, and how it is done
    sink: Sink,
    open_chunk: OpenChunk,
    *,
    executor: Executor,
    jobs: int,
    file_name: str | None = None,
    source: Source | None = None,
    observer: Observer | None = None,
    files: SmallFiles | None = None,
    objects: S3Objects | None = None,
    elsewhere: Elsewhere | None = None,
    alone: bool = False,
) -> VerifyReport:
    """Read every chunk of a job once and report all that is not right.

    Checksums are computed from the bytes read, never taken from the store's word: that the bytes can still be read is
    what is asked. With ``source`` its body is compared byte for byte, in parallel where it can seek, else in one pass.
    At most ``jobs`` chunks are under way, or runs of small ones where the place is a directory, whose ``files`` are at
    hand; memory is bounded by them. ``objects``: of a place on S3, where a small chunk is then one request.
    ``elsewhere``: who reads the chunks instead, and a source that can seek. ``alone``: a listing showed no chunk of the
    job that is not of its set.

    Raises UsageError where several jobs lie there and none is named, NotFoundError where none lies there,
    SourceChangedError where the source changes meanwhile.
    """
    file_name = choose_job(sink, file_name, files)
    manifest, problems = _manifest(sink, file_name)
    if sink.head(names.plan_name(file_name)) is not None:
        problems.append(Problem(None, "plan", f"{names.plan_name(file_name)} is there: {KINDS['plan']}"))
    here = inventory(sink, file_name, manifest, files, alone=alone)
    problems += _missing(here)
    problems += _extra(here.others)
    if manifest is None:
        return VerifyReport(file_name, tuple(problems))
    place = StoredPlace(sink, open_chunk, objects)
    check = Check(place, manifest, here, observer or Silent(), files, elsewhere)
    problems += check.run(executor, jobs, source)
    problems.sort(key=lambda problem: problem.number or 0)
    return VerifyReport(file_name, tuple(problems), manifest.total_parts, check.rows, tuple(sorted(manifest.mended)))


def _missing(here: Inventory) -> Iterator[Problem]:
    """One problem for each run of chunks that are not there: an object's name may claim ten million."""
    for first, last in here.missing.ranges():
        which = f"chunk {first} of {here.total} is" if first == last else f"chunks {first}-{last} of {here.total} are"
        yield Problem(first, "missing", f"{which} not there")


def _extra(others: list[str]) -> Iterator[Problem]:
    """One problem for each run of chunks of another split: a replacement that was interrupted may leave a million."""
    runs: dict[tuple[object, ...], list[tuple[int, str]]] = {}
    for name in others:
        chunk = names.parse(name)
        if chunk is None or names.format(chunk) != name:
            yield Problem(None if chunk is None else chunk.number, "extra", f"{name} is not of this split")
        else:
            runs.setdefault((chunk.total, chunk.compression), []).append((chunk.number, name))
    for run in runs.values():
        run.sort()
        begin = 0
        for end, (number, last) in enumerate(run, start=1):
            if end < len(run) and run[end][0] == number + 1:
                continue
            first = run[begin]
            count = end - begin
            which = f"{last} is" if count == 1 else f"{first[1]} to {last}, {count_text(count, 'chunk')}, are"
            yield Problem(first[0], "extra", f"{which} not of this split")
            begin = end


def _manifest(sink: Sink, file_name: str) -> tuple[Manifest | None, list[Problem]]:
    try:
        manifest = read_manifest(sink, file_name)
    except CoverageError as exc:
        return None, [Problem(None, "coverage", exc.message)]
    except (DamagedError, NotAFileError) as exc:
        return None, [Problem(None, "manifest", exc.message)]
    if manifest is None:
        name = names.manifest_name(file_name)
        return None, [Problem(None, "manifest", f"{name} is not there: the split is not whole")]
    return manifest, []
