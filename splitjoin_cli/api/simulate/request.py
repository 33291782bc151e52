"""Runs both flows here: the file split where SOURCE is one, then loaded and joined, with all that is to go wrong."""

# Each implementation is imported only when a URL asks for it: botocore and the databases' drivers are slow to import.

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from splitjoin_cli.api import arguments
from splitjoin_cli.api.open import LoadRequest, check_apart, check_file_name, open_loader, open_tracker
from splitjoin_cli.api.places import StoredRequest, open_place
from splitjoin_cli.core.errors import NameTakenError, UsageError
from splitjoin_cli.core.files import is_directory
from splitjoin_cli.core.names import parse_file_name
from splitjoin_cli.core.places import DirectoryPlace, S3Place, is_s3, parse_place
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.core.units import LARGE_RECORD_BYTES, MAX_WORKERS

if TYPE_CHECKING:
    from splitjoin_cli.api.simulate.report import SimulateReport
    from splitjoin_cli.api.simulate.run import SimulationOptions
    from splitjoin_cli.core.aws.options import AwsOptions, Session
    from splitjoin_cli.core.model import Dialect, Skip
    from splitjoin_cli.core.places import Place
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.request import Size
    from splitjoin_cli.stores.loaders.urls import DatabaseUrl
    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.stores.trackers.urls import TrackerUrl

__all__ = ["SimulateRequest", "run_simulate", "simulate"]

LOOKS_AT_ONCE = 8
DEFAULT_WORKERS = 4


def simulate(
    source: arguments.Path,
    *,
    into: str | None = None,
    table: str | None = None,
    create_table: bool = False,
    run_column: str | None = None,
    beside_other_run: bool = False,
    max_record: arguments.Bytes = LARGE_RECORD_BYTES,
    exact_values: bool = False,
    secret: str | None = None,
    on_join: str | None = None,
    tracker: str | None = None,
    workers: int = DEFAULT_WORKERS,
    name: str | None = None,
    shuffle: bool = False,
    duplicates: float = 0.0,
    failures: float = 0.0,
    crashes: float = 0.0,
    seed: int = 0,
    chunk_size: arguments.Bytes | None = None,
    chunks: int | None = None,
    rows: int | None = None,
    encoding: str | None = None,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: Session | None = None,
    observer: Observer | None = None,
    **keywords: Unpack[arguments.DialectKeywords],
) -> SimulateReport:
    """Load the chunks in ``source``, count and join them: the worker's own code, in this process.

        report = splitjoin_cli.simulate("export.csv", rows=1000, duplicates=0.3, crashes=0.1, seed=7)
        assert report.ok, report.problems

    ``source``: a directory or ``s3://`` prefix of chunks, or one CSV file, which is split first. The options are those
    of the command (``splitjoin simulate --help``). Raises UsageError, BadInputError, NameTakenError, StoreError.
    """
    from splitjoin_cli.api.simulate.faults import FaultRates
    from splitjoin_cli.api.simulate.run import SimulationOptions

    try:
        rates = FaultRates(duplicates, failures, crashes, seed)
    except ValueError as exc:
        raise UsageError(str(exc)) from exc
    written, skip = arguments.dialect(keywords)
    sizes = {"chunk_size": chunk_size, "chunks": chunks, "rows": rows, "encoding": encoding}
    for_files = (*(name for name, value in sizes.items() if value is not None), *_typed(keywords))
    database = None if into is None else arguments.database(into)
    request = SimulateRequest(
        source=os.fspath(source),
        into=database,
        table=table,
        create_table=create_table,
        run_column=run_column,
        beside_other_run=beside_other_run,
        max_record_bytes=arguments.record_bytes(max_record),
        exact_values=exact_values,
        secret=arguments.secret(secret, database),
        tracker=None if tracker is None else arguments.tracker(tracker),
        on_join=on_join,
        file_name=name,
        options=SimulationOptions(
            workers=arguments.at_once("workers", workers, MAX_WORKERS), shuffle=shuffle, rates=rates
        ),
        size=arguments.size(chunk_size, chunks, rows),
        dialect=written,
        dialect_typed=keywords.get("dialect_typed", False),
        delimiter_typed=keywords.get("delimiter_typed", "delimiter" in keywords),
        encoding=encoding,
        skip=skip,
        for_files=for_files,
        aws=arguments.aws(profile, region, endpoint_url, session),
    )
    return run_simulate(request, observer or Silent())


def _typed(keywords: arguments.DialectKeywords) -> set[str]:
    """Which options of a dialect were given."""
    return keywords.keys() - arguments.TYPED - ({"dialect"} if keywords.get("dialect") is None else set())


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateRequest:
    """One simulation, as it was asked for.

    ``source``: a directory or ``s3://`` prefix of chunks, or one CSV file, which is split first, as ``size``,
    ``dialect``, ``encoding`` and what is to be skipped say. ``into``, ``tracker``: None for SQLite files in a
    temporary place. ``table``: None for the client's name. ``file_name``: None where only one job lies there.
    ``on_join``: None where nothing follows. ``secret``: the ARN of the database's login, None for the variable.
    ``for_files``: options that were given and mean something only where SOURCE is a file.
    """

    source: str
    into: DatabaseUrl | None
    table: str | None
    create_table: bool
    run_column: str | None
    beside_other_run: bool
    max_record_bytes: int
    exact_values: bool
    secret: str | None
    tracker: TrackerUrl | None
    on_join: str | None
    file_name: str | None
    options: SimulationOptions
    size: Size
    dialect: Dialect
    dialect_typed: bool
    delimiter_typed: bool
    encoding: str | None
    skip: Skip
    for_files: tuple[str, ...] = ()
    aws: AwsOptions

    def __post_init__(self) -> None:
        if self.source == "-" and self.file_name is None:
            raise UsageError("standard input has no name: --name is needed", hint="add --name CLIENT_DATE")
        if self.file_name is not None:
            check_file_name(self.file_name)
        if self.for_files and holds_chunks(self.source):
            raise UsageError(_no_file(self), hint="leave it out: they are split already")


def run_simulate(request: SimulateRequest, observer: Observer) -> SimulateReport:
    """Split where SOURCE is one file, load, and join, with all that is to go wrong. Raises UsageError, StoreError."""
    from splitjoin_cli.api.simulate.chunks import find_chunks
    from splitjoin_cli.api.simulate.run import Parts, Simulation
    from splitjoin_cli.join.continuation import parse_continuation
    from splitjoin_cli.stores.chunks.any import Chunks
    from splitjoin_cli.stores.loaders.exact.naming import not_checked

    workers = request.options.workers
    with ExitStack() as stack:
        continuation = stack.enter_context(closing(parse_continuation(request.on_join, request.aws)))
        into, tracker_url = _urls(request, stack)
        tracker = stack.enter_context(closing(open_tracker(tracker_url, request.aws)))
        one_file = _is_one_file(request)
        if request.for_files and not one_file:
            observer.warn(f"{_no_file(request)}: it is not used")
        place = _split_first(request, into, tracker, observer, stack) if one_file else parse_place(request.source)
        lying = stack.enter_context(open_place(_stored_request(request, place)))
        chunks = stack.enter_context(closing(Chunks(request.aws, connections=workers)))
        with ThreadPoolExecutor(LOOKS_AT_ONCE, "look") as executor:
            found = find_chunks(lying.sink, chunks, request.file_name, executor=executor)
        loader = stack.enter_context(closing(open_loader(_load(request, into, found.run.file_name), request.aws)))
        unchecked = loader.unchecked()
        if unchecked:
            observer.warn(not_checked(loader.properties.table, unchecked))
        report = Simulation(found, Parts(chunks, loader, tracker, continuation), request.options, observer).run()
        return replace(report, not_checked=unchecked if request.exact_values else None)


def _urls(request: SimulateRequest, stack: ExitStack) -> tuple[DatabaseUrl, TrackerUrl]:
    """Database and tracker. A temporary database stays, with its tracker: what was loaded can be seen."""
    if request.into is not None and request.tracker is not None:
        check_apart(request.into, request.tracker)
        return request.into, request.tracker
    place = Path(tempfile.mkdtemp(prefix="splitjoin-"))
    if request.into is not None:
        stack.callback(shutil.rmtree, place, ignore_errors=True)
    else:
        stack.callback(_remove_empty, place)
    into = request.into or arguments.database(f"sqlite:{place / 'load.db'}")
    return into, request.tracker or arguments.tracker(f"sqlite:{place / 'tracker.db'}")


def _remove_empty(place: Path) -> None:
    """What failed before anything was made leaves nothing to be seen."""
    with suppress(OSError):
        place.rmdir()


def holds_chunks(source: str) -> bool:
    """Whether SOURCE can only be a place of chunks, as it is written. An S3 key may be the object or a prefix."""
    if not is_s3(source):
        return "://" not in source and is_directory(source)
    return not source.removeprefix("s3://").partition("/")[2].rpartition("/")[2]


def _no_file(request: SimulateRequest) -> str:
    name = min(request.for_files).replace("_", "-")
    return f"--{name} is for a file to split, and {request.source} holds chunks"


def _is_one_file(request: SimulateRequest) -> bool:
    """Whether SOURCE is a file to split, rather than a place of chunks."""
    source = request.source
    if not is_s3(source):
        missing_directory = source.endswith(os.sep) and "://" not in source
        return not missing_directory and not is_directory(source)
    bucket, _, key = source.removeprefix("s3://").partition("/")
    if not key or key.endswith("/"):
        return False
    with open_place(_stored_request(request, S3Place(bucket, key))) as place:
        return next(iter(place.sink.list()), None) is None


def _stored_request(request: SimulateRequest, place: Place) -> StoredRequest:
    return StoredRequest(place=place, file_name=request.file_name, jobs=LOOKS_AT_ONCE, aws=request.aws)


def _split_first(
    request: SimulateRequest, into: DatabaseUrl, tracker: Tracker, observer: Observer, stack: ExitStack
) -> Place:
    """Split the file into a temporary directory, which goes with the simulation."""
    from splitjoin_cli.api.one_split import check_named, run_split, utc_now
    from splitjoin_cli.splitting.request import SplitRequest

    place = DirectoryPlace(stack.enter_context(tempfile.TemporaryDirectory(prefix="splitjoin-chunks-")))
    job = parse_file_name(request.file_name) if request.file_name else None
    split = SplitRequest(
        source=request.source,
        destination=place,
        client=job.client if job else None,
        date=job.date if job else None,
        size=request.size,
        dialect=request.dialect,
        dialect_typed=request.dialect_typed,
        delimiter_typed=request.delimiter_typed,
        encoding=request.encoding,
        skip=request.skip,
        aws=request.aws,
    )
    try:
        check_named(split)
        named = split.naming(utc_now().date()).job
    except UsageError as exc:
        raise UsageError(exc.message.replace("--client", "--name"), hint="give one with --name CLIENT_DATE") from exc
    # A table that it refuses is refused before the split.
    open_loader(_load(request, into, named.file_name), request.aws).close()
    split = replace(split, client=named.client, date=named.date)
    try:
        run_split(split, observer, tracker=tracker, passing=True)
    except NameTakenError as exc:  # simulate has no --force
        hint = "choose another name with --name CLIENT_DATE, or another --tracker"
        raise NameTakenError(exc.message, hint=hint) from exc
    return place


def _load(request: SimulateRequest, into: DatabaseUrl, file_name: str) -> LoadRequest:
    from splitjoin_cli.stores.loaders.by_client import table_of_client

    return LoadRequest(
        into=into,
        table=request.table or table_of_client(file_name),
        create_table=request.create_table,
        run_column=request.run_column,
        beside_other_run=request.beside_other_run,
        max_record_bytes=request.max_record_bytes,
        exact_values=request.exact_values,
        secret=request.secret,
    )
