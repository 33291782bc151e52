"""From URLs to the concrete parts of the join: tracker, loader, continuation; and what lies at a destination."""

# Each implementation is imported only when a URL asks for it: botocore and the databases' drivers are slow to import.
# ruff: noqa: PLC0415

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from splitjoin_cli.api.check import StoredRequest, open_place
from splitjoin_cli.api.open import check_tracker_url, open_tracker
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.names import default_client, parse, parse_file_name

if TYPE_CHECKING:
    from splitjoin_cli.api.simulate.report import SimulateReport
    from splitjoin_cli.api.simulate.run import SimulationOptions
    from splitjoin_cli.core.aws.client import AwsOptions
    from splitjoin_cli.core.model import Dialect
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.request import OnStrayQuote, Size
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.stores.trackers.base import Tracker

__all__ = [
    "SimulateRequest",
    "check_apart",
    "check_tracker_url",
    "open_tracker",
    "planned_rows",
    "run_simulate",
    "stored_numbers",
]

LOOKS_AT_ONCE = 8
DAY = "20000101"  # any: a table is named by the client alone


def stored_numbers(request: StoredRequest, *, total_parts: int) -> frozenset[int]:
    """The numbers of the chunks of one job that lie at a place, by their names; those of another total are not its.

    Raises NotFoundError where there is no such directory or bucket, StoreError.
    """
    job = parse_file_name(request.file_name or "")
    if job is None:
        raise UsageError("--dest needs a job", hint="give FILE_NAME")
    with open_place(request) as place:
        names = (parse(stored.name) for stored in place.sink.list(f"{job.client}_"))
        return frozenset(
            name.number
            for name in names
            if name is not None and (name.file_name, name.total) == (job.file_name, total_parts)
        )


def planned_rows(request: StoredRequest, run_id: str | None) -> dict[int, int | None]:
    """The rows of each chunk as the manifest or plan of this run at a place has them; empty where none of it is there.

    Raises NotFoundError where there is no such directory or bucket, StoreError.
    """
    from splitjoin_cli.core import names
    from splitjoin_cli.core.format.manifest import Manifest, PlanFile

    file_name = request.file_name or ""
    with open_place(request) as place:
        for name, kind in ((names.manifest_name(file_name), Manifest), (names.plan_name(file_name), PlanFile)):
            data = place.sink.get_small(name)
            if data is None:
                continue
            document = kind.from_bytes(data, place.sink.properties.uri + name, file_name=file_name)
            if document.run_id == run_id:
                return {chunk.number: chunk.rows for chunk in document.chunks}
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateRequest:
    """One simulation, as it was asked for.

    ``source``: a directory or ``s3://`` prefix of chunks, or one CSV file, which is split first, as ``size``,
    ``dialect``, ``on_stray_quote`` and ``encoding`` say. ``into``, ``tracker``: URLs; None for SQLite files in a
    temporary place. ``table``: None for the client's name. ``file_name``: None where only one job lies there.
    ``on_join``: None where nothing follows. ``secret``: the ARN of the database's login, None for the variable.
    """

    source: str
    into: str | None
    table: str | None
    create_table: bool
    run_column: str | None
    beside_other_run: bool
    secret: str | None
    tracker: str | None
    on_join: str | None
    file_name: str | None
    options: SimulationOptions
    size: Size
    dialect: Dialect
    on_stray_quote: OnStrayQuote
    encoding: str | None
    aws: AwsOptions

    def __post_init__(self) -> None:
        if self.source == "-" and self.file_name is None:
            raise UsageError("standard input has no name: --name is needed", hint="add --name CLIENT_DATE")
        if self.file_name is not None and parse_file_name(self.file_name) is None:
            raise UsageError(f"{self.file_name!r} is no job's name", hint="it is CLIENT_DATE, as in the chunks' names")


def run_simulate(request: SimulateRequest, observer: Observer) -> SimulateReport:
    """Split where SOURCE is one file, load, and join, with all that is to go wrong. Raises UsageError, StoreError."""
    from splitjoin_cli.api.simulate.chunks import find_chunks
    from splitjoin_cli.api.simulate.run import Parts, Simulation
    from splitjoin_cli.join.continuation import parse_continuation
    from splitjoin_cli.stores.chunks.any import Chunks

    workers = request.options.workers
    with ExitStack() as stack:
        continuation = stack.enter_context(closing(parse_continuation(request.on_join, request.aws)))
        into, tracker_url = _places(request, stack)
        tracker = stack.enter_context(closing(open_tracker(tracker_url, request.aws)))
        place = _split_first(request, into, tracker, observer, stack) if _is_one_file(request) else request.source
        stored = _stored_request(request, place)
        lying = stack.enter_context(open_place(stored))
        chunks = stack.enter_context(closing(Chunks(request.aws, connections=workers)))
        with ThreadPoolExecutor(LOOKS_AT_ONCE, "look") as executor:
            found = find_chunks(lying.sink, chunks, request.file_name, executor=executor)
        loader = stack.enter_context(closing(_open_loader(request, into, found.run.file_name)))
        return Simulation(found, Parts(chunks, loader, tracker, continuation), request.options, observer).run()


def _places(request: SimulateRequest, stack: ExitStack) -> tuple[str, str]:
    """The URLs of database and tracker. A temporary database stays, with its tracker: what was loaded can be seen.

    Raises UsageError for what cannot be a database, before a large file is split for it and its job is opened.
    """
    from splitjoin_cli.stores.loaders import urls

    if request.into is not None:
        urls.parse(request.into)
    if request.into is not None and request.tracker is not None:
        check_apart(request.into, request.tracker)
        return request.into, request.tracker
    place = Path(tempfile.mkdtemp(prefix="splitjoin-"))
    if request.into is not None:
        stack.callback(shutil.rmtree, place, ignore_errors=True)
    return request.into or f"sqlite:{place / 'load.db'}", request.tracker or f"sqlite:{place / 'tracker.db'}"


def check_apart(into: str, tracker: str) -> None:
    """Raise UsageError where one SQLite file is to be both: the tables' names are the same."""
    files = [url.removeprefix("sqlite:").removeprefix("//") for url in (into, tracker) if url.startswith("sqlite:")]
    if len(files) == 2 and os.path.realpath(files[0]) == os.path.realpath(files[1]):  # noqa: PLR2004 -- both are SQLite
        raise UsageError("the database and the tracker are the same SQLite file", hint="give --tracker another file")


def _is_one_file(request: SimulateRequest) -> bool:
    """Whether SOURCE is a file to split, rather than a place of chunks."""
    source = request.source
    if not source.startswith("s3://"):
        missing_directory = source.endswith(os.sep) and "://" not in source
        return not missing_directory and not Path(source).is_dir()
    bucket, _, key = source.removeprefix("s3://").partition("/")
    if not key or key.endswith("/"):
        return False
    with open_place(_stored_request(request, f"s3://{bucket}/{key}/")) as place:
        return next(iter(place.sink.list()), None) is None


def _stored_request(request: SimulateRequest, place: str) -> StoredRequest:
    aws = request.aws
    return StoredRequest(
        place=place,
        file_name=request.file_name,
        jobs=LOOKS_AT_ONCE,
        profile=aws.profile,
        region=aws.region,
        endpoint_url=aws.endpoint_url,
    )


def _split_first(request: SimulateRequest, into: str, tracker: Tracker, observer: Observer, stack: ExitStack) -> str:
    """Split the file into a temporary directory, which goes with the simulation."""
    from splitjoin_cli.api.split import run_split
    from splitjoin_cli.splitting.request import SplitRequest

    place = stack.enter_context(tempfile.TemporaryDirectory(prefix="splitjoin-chunks-"))
    job = parse_file_name(request.file_name) if request.file_name else None
    client = job.client if job else default_client(request.source)
    _open_loader(request, into, f"{client}_{DAY}").close()  # a table that it refuses is refused before the split
    aws = request.aws
    split = SplitRequest(
        source=request.source,
        destination=place,
        client=client,
        date=job.date if job else None,
        size=request.size,
        dialect=request.dialect,
        on_stray_quote=request.on_stray_quote,
        encoding=request.encoding,
        profile=aws.profile,
        region=aws.region,
        endpoint_url=aws.endpoint_url,
    )
    run_split(split, observer, tracker=tracker, passing=True)
    return place


def _open_loader(request: SimulateRequest, into: str, file_name: str) -> Loader:
    from splitjoin_cli.api.load import LoadRequest, open_loader
    from splitjoin_cli.stores.loaders.by_client import table_of_client

    load = LoadRequest(
        into=into,
        table=request.table or table_of_client(file_name),
        create_table=request.create_table,
        run_column=request.run_column,
        beside_other_run=request.beside_other_run,
        secret=request.secret,
    )
    return open_loader(load, request.aws)
