"""Stores a mended chunk under its name: written down where loads look, then chunk, manifest, tracker, event.

Each step is safe to repeat, and finds what an earlier one did; a command that was killed is typed again. The order is
what makes it so: before an object of other bytes can be seen, a load and a count of the old ones are refused. What is
stored goes in on condition of what was seen, so that a split that has the name meanwhile is never mixed with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from splitjoin_cli.core import names
from splitjoin_cli.core.aws.s3 import parse_uri
from splitjoin_cli.core.bytes.crc64 import tagged
from splitjoin_cli.core.errors import NoSuchJobError, ObjectChangedError, SplitjoinError, StoreError, UsageError
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.format.metadata import ChunkMetadata, encode_metadata
from splitjoin_cli.join.events import notification
from splitjoin_cli.stores.loaders.base import Expectation
from splitjoin_cli.stores.sinks.base import ABSENT, Condition
from splitjoin_cli.stores.sinks.documents import put_document
from splitjoin_cli.stores.trackers.answers import Mending
from splitjoin_cli.stores.trackers.jobs import JoinState
from splitjoin_cli.stores.trackers.rules import no_such_job

if TYPE_CHECKING:
    from splitjoin_cli.core.model import StoredObject
    from splitjoin_cli.join.operate.senders import Sender
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.stores.sinks.base import Body, Sink
    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.stores.trackers.jobs import Job

__all__ = ["Mended", "Replace", "ReplaceReport", "Standing", "standing"]


class Mended(Protocol):
    """The mended chunk: ``rows`` without its header, ``size`` before compression, ``checksum`` of ``body``."""

    @property
    def rows(self) -> int:
        """Records, the header not counted."""

    @property
    def size(self) -> int:
        """Bytes before compression, header included."""

    @property
    def checksum(self) -> int:
        """CRC-64/NVME of the bytes as stored."""

    @property
    def body(self) -> Body:
        """The bytes as stored."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What lies in the place: the manifest, and the validator of just these bytes of it."""

    manifest: Manifest
    validator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceReport:
    """What was done; with ``dry_run`` what would be. ``mended``: metadata and manifest say so of the chunk."""

    file_name: str
    run_id: str
    number: int
    uri: str
    rows_before: int | None
    rows: int
    checksum: str
    mended: bool
    sent_to: str | None
    dry_run: bool

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "file_name": self.file_name,
            "run_id": self.run_id,
            "number": self.number,
            "uri": self.uri,
            "rows_before": self.rows_before,
            "rows": self.rows,
            "checksum": self.checksum,
            "mended": self.mended,
            "sent_to": self.sent_to,
            "dry_run": self.dry_run,
        }


def standing(sink: Sink, file_name: str, number: int) -> Standing:
    """The split that a chunk is to be replaced in.

    Raises SplitjoinError where it is under way, UsageError where it has no such chunk, NoSuchJobError.
    """
    uri = sink.properties.uri
    plan, found = sink.head(names.plan_name(file_name)), sink.open_small(names.manifest_name(file_name))
    if plan is not None:
        raise SplitjoinError(
            f"{uri}{names.plan_name(file_name)} stands: the split is under way, or was interrupted",
            hint="let it end, or run the same splitjoin split again; then replace the chunk",
        )
    if found is None:
        if any(_is_of(one.name, file_name) for one in sink.list(f"{file_name}-")):
            raise SplitjoinError(
                f"{uri} has chunks of {file_name}, and no manifest", hint="run the same splitjoin split again"
            )
        raise NoSuchJobError(f"no split of {file_name} is in {uri}", hint="name the place with --dest")
    with found:
        manifest = Manifest.read(found, uri + names.manifest_name(file_name), file_name=file_name)
    if not 1 <= number <= manifest.total_parts:
        raise UsageError(f"{file_name} has no chunk {number}", hint=f"it has chunks 1 to {manifest.total_parts}")
    return Standing(manifest, found.validator)


def _is_of(name: str, file_name: str) -> bool:
    chunk = names.parse(name)
    return chunk is not None and chunk.file_name == file_name


class Replace:
    """One chunk to be replaced. ``run`` it once."""

    def __init__(  # noqa: PLR0913 -- what is replaced, and whom to tell
        self,
        before: Standing,
        number: int,
        mended: Mended,
        sink: Sink,
        manifest_sink: Sink,
        *,
        loader: Loader | None,
        tracker: Tracker | None,
        sender: Sender | None,
        dry_run: bool,
    ) -> None:
        """``sink`` stores the chunk with its old object's settings, ``manifest_sink`` the manifest with its own.

        ``loader``: of the database whose ledger is asked, else ``tracker`` is: one of them is needed.
        """
        self._before, self._number, self._mended = before, number, mended
        self._sink, self._manifest_sink = sink, manifest_sink
        self._loader, self._tracker, self._sender = loader, tracker, sender
        self._dry_run = dry_run
        manifest = before.manifest
        self._name = manifest.name(number)
        listed = manifest.chunks[number].checksum
        self._is_listed = listed == mended.checksum and manifest.stored_bytes[number - 1] == mended.body.size
        self._marks = not self._is_listed or number in manifest.mended
        self._checksum = tagged(mended.checksum)

    def run(self) -> ReplaceReport:
        """Do it, or go on with it. Raises SplitjoinError where it is not to be done."""
        seen = self._sink.head(self._name)
        is_stored = seen is not None and self._is_file(seen)
        job = self._job()
        self._ask(job, is_stored=is_stored)
        if not self._dry_run:
            if not is_stored:
                self._store(seen)
            self._list()
            self._take_back(job)
            self._send()
        manifest = self._before.manifest
        return ReplaceReport(
            file_name=manifest.file_name,
            run_id=manifest.run_id,
            number=self._number,
            uri=self._sink.properties.uri + self._name,
            rows_before=manifest.chunks[self._number].rows,
            rows=self._mended.rows,
            checksum=self._checksum,
            mended=self._marks,
            sent_to=None if self._sender is None else self._sender.uri,
            dry_run=self._dry_run,
        )

    def _is_file(self, seen: StoredObject) -> bool:
        """Whether the object is the mended chunk already, with the metadata that it must have."""
        if seen.size != self._mended.body.size:
            return False
        if self._sink.properties.keeps_metadata and seen.metadata != self._metadata():
            return False
        checksum = seen.checksum
        if checksum is None and self._sink.staging is not None:
            checksum = self._sink.staging.checksum(self._name)
        return checksum == self._mended.checksum

    def _metadata(self) -> str | None:
        if not self._sink.properties.keeps_metadata:
            return None
        manifest = self._before.manifest
        return encode_metadata(
            ChunkMetadata(
                file_name=manifest.file_name,
                run_id=manifest.run_id,
                generation=manifest.generation,
                number=self._number,
                total=manifest.total_parts,
                range=manifest.chunks[self._number].range,
                rows=self._mended.rows if self._marks else manifest.chunks[self._number].rows,
                dialect=manifest.dialect,
                header_lines=manifest.header_lines,
                header_bytes=manifest.header_bytes,
                compression=manifest.compression,
                mended=self._mended.size if self._marks else None,
            )
        )

    # Is it loaded? And, in the same act: what must be loaded from now on.

    def _job(self) -> Job | None:
        """The job in the tracker, which must be this run's."""
        if self._tracker is None:
            return None
        manifest = self._before.manifest
        job = self._tracker.job(manifest.file_name)
        if job is None:
            if self._loader is None:
                raise no_such_job(manifest.file_name, self._tracker.uri)
            return None
        if (job.run_id, job.generation) != (manifest.run_id, manifest.generation):
            raise SplitjoinError(
                f"{manifest.file_name}: the tracker has {job.run or 'no run'}, and the manifest is of run"
                f" {manifest.run_id} (generation {manifest.generation})",
                hint="replace a chunk of the run that the tracker has",
            )
        return job

    def _ask(self, job: Job | None, *, is_stored: bool) -> None:
        same = self._loader is not None and self._ask_ledger(self._loader, job, is_stored=is_stored)
        if job is not None and self._tracker is not None:
            self._ask_tracker(self._tracker, job, mine=is_stored or same)

    def _ask_ledger(self, loader: Loader, job: Job | None, *, is_stored: bool) -> bool:
        """Whether the chunk is loaded with the file's own bytes; raises where it is with others."""
        manifest, number = self._before.manifest, self._number
        own = self._is_listed and number not in manifest.mended
        key = (manifest.file_name, manifest.run_id, manifest.generation, number, self._checksum)
        nothing_loads_it = self._is_joined(job) and not is_stored
        found = loader.expect(*key, own=own, write=not (self._dry_run or nothing_loads_it))
        if found is Expectation.SAME and nothing_loads_it and not self._dry_run:
            found = loader.expect(*key, own=own)
        if found is Expectation.OTHER_RUN:
            raise SplitjoinError(
                f"{manifest.file_name}: the ledger has a newer run than the manifest's, {manifest.run_id}",
                hint="replace a chunk of the run that stands; splitjoin status says which",
            )
        if found is Expectation.LOADED:
            raise self._refused("it is loaded already, with other bytes")
        if found is Expectation.NOTED and nothing_loads_it:
            raise self._refused("the run is joined")
        return found is Expectation.SAME

    def _ask_tracker(self, tracker: Tracker, job: Job, *, mine: bool) -> None:
        run, number, total = job.run, self._number, job.total_parts
        if run is None or self._dry_run:
            if self._loader is None and not mine:
                self._look(tracker, job)
            return
        answer = tracker.expect(run, number, self._checksum, total_parts=total, asked=self._loader is None)
        if answer is Mending.SUPERSEDED:
            raise SplitjoinError(
                f"{job.file_name}: a newer run has the job", hint="replace a chunk of the run that stands"
            )
        if answer is not Mending.NOTED and not mine:
            raise self._refused("the run is joined" if answer is Mending.JOINED else "it is counted already")

    def _look(self, tracker: Tracker, job: Job) -> None:
        """What a dry run says of the tracker."""
        progress = tracker.progress(job.file_name)
        if self._is_joined(job):
            raise self._refused("the run is joined")
        if progress.missing is not None and self._number not in progress.missing:
            raise self._refused("it is counted already")

    def _is_joined(self, job: Job | None) -> bool:
        return job is not None and job.join.state == JoinState.JOINED

    def _refused(self, why: str) -> SplitjoinError:
        name = self._before.manifest.file_name
        return SplitjoinError(
            f"chunk {self._number} of {name} cannot be replaced: {why}",
            hint=f"take the run out of the database first: splitjoin clear {name} --into DATABASE_URL --tracker URL",
        )

    # What is stored, on condition of what was seen.

    def _store(self, seen: StoredObject | None) -> None:
        when = ABSENT if seen is None else Condition(seen.validator)
        try:
            self._sink.put(
                self._name, self._mended.body, checksum=self._mended.checksum, metadata=self._metadata(), when=when
            )
        except ObjectChangedError as exc:
            raise SplitjoinError(
                f"{self._sink.properties.uri}{self._name} was stored by something else meanwhile; it was left alone",
                hint="run the same command again, if the chunk is still to be replaced",
            ) from exc

    def _list(self) -> None:
        """The manifest of the set as it is now. One that says so already is left alone."""
        before, number, mended = self._before.manifest, self._number, self._mended
        if self._is_listed:
            return
        after = before.with_mended(
            number, rows=mended.rows, size=mended.size, stored=mended.body.size, checksum=mended.checksum
        )
        name, when = names.manifest_name(before.file_name), Condition(self._before.validator)
        if put_document(self._manifest_sink, name, after, after.total_parts, when=when):
            return
        if not self._is_stored(name, after):  # else an earlier try of ours arrived, its answer did not
            raise SplitjoinError(
                f"{self._sink.properties.uri}{name} was changed by something else meanwhile; it was left alone",
                hint="run the same command again, if the chunk is still to be replaced",
            )

    def _is_stored(self, name: str, manifest: Manifest) -> bool:
        found = self._manifest_sink.open_small(name)
        if found is None:
            return False
        with found:
            try:
                return Manifest.read(found, self._sink.properties.uri + name, file_name=manifest.file_name) == manifest
            except StoreError:
                return False

    # Who is to load it.

    def _take_back(self, job: Job | None) -> None:
        """A failure that was final is none any more: the chunk is on its way again."""
        if self._tracker is None or job is None or job.run is None:
            return
        for failure in self._tracker.progress(job.file_name).failures:
            if failure.number == self._number and failure.final:
                self._tracker.mark_retried(job.run, failure)

    def _send(self) -> None:
        if self._sender is None:
            return
        place = parse_uri(self._sink.properties.uri)
        (error,) = self._sender.send([json.dumps(notification(place.bucket, place.key + self._name))])
        if error is not None:
            raise SplitjoinError(
                f"{self._sender.uri} did not take the chunk's event: {error}", hint="run the same command again"
            )
