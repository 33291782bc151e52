"""From URLs to what they name: trackers, databases, and what tries their joins. All that loads opens them here."""

# Each implementation is imported only when it is asked for: botocore and the databases' drivers are slow to import.

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.names import parse_file_name
from splitjoin_cli.core.units import LARGE_RECORD_BYTES

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.options import AwsOptions
    from splitjoin_cli.join.base import Continuation
    from splitjoin_cli.join.joiner import Joiner
    from splitjoin_cli.join.operate.senders import Sender
    from splitjoin_cli.stores.loaders.base import LedgerReader, Loader
    from splitjoin_cli.stores.loaders.login import Logins
    from splitjoin_cli.stores.loaders.read_back import ValueReader
    from splitjoin_cli.stores.loaders.urls import DatabaseUrl
    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.stores.trackers.urls import TrackerUrl

__all__ = [
    "LoadRequest",
    "check_apart",
    "check_file_name",
    "open_joiner",
    "open_ledger",
    "open_loader",
    "open_sender",
    "open_tracker",
    "open_values",
    "reach",
]


def check_file_name(file_name: str) -> str:
    """The name of a job. Raises UsageError for what is none."""
    if parse_file_name(file_name) is None:
        raise UsageError(f"{file_name!r} is not the name of a job", hint="it is CLIENT_DATE, as in the chunks' names")
    return file_name


def open_tracker(url: TrackerUrl, aws: AwsOptions | None = None) -> Tracker:
    """The tracker that ``url`` names; nothing is reached yet."""
    if url.scheme == "sqlite":
        from splitjoin_cli.stores.trackers.sqlite import SqliteTracker

        return SqliteTracker(Path(url.name))
    from splitjoin_cli.stores.trackers.dynamodb import DynamoDbTracker

    return DynamoDbTracker(url.name, aws)


def check_server(url: TrackerUrl, aws: AwsOptions | None = None) -> None:
    """Raise StoreError where a tracker's server, one that is not AWS's, does not count a chunk once."""
    if url.scheme == "dynamodb":
        from splitjoin_cli.stores.trackers import dynamodb_probe

        dynamodb_probe.check_server(url.name, aws)


def reach(tracker: Tracker, url: TrackerUrl) -> None:
    """Raise StoreError where the tracker cannot be reached: an SQLite file is made, a table must be there."""
    if url.scheme == "sqlite":
        tracker.init()
    else:
        tracker.job("any_job")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """Where chunks are to be loaded.

    ``table``: None for the client's name, whatever clients come. ``secret``: the ARN of the Secrets Manager secret with
    user and password; None for the variable SPLITJOIN_DB_PASSWORD, if that is set.
    """

    into: DatabaseUrl
    table: str | None = None
    create_table: bool = False
    run_column: str | None = None
    beside_other_run: bool = False
    max_record_bytes: int = LARGE_RECORD_BYTES
    exact_values: bool = False
    secret: str | None = None


def open_loader(request: LoadRequest, aws: AwsOptions | None = None) -> Loader:
    """The loader for a request; neither the database nor the secret is asked for yet. Raises UsageError."""
    from splitjoin_cli.stores.loaders import open as loaders
    from splitjoin_cli.stores.loaders.base import LoadTarget
    from splitjoin_cli.stores.loaders.by_client import LoaderByClient
    from splitjoin_cli.stores.loaders.reserved import ReservedNameError

    login = _login(request, aws)
    region = None if aws is None else aws.region

    def open_table(table: str) -> Loader:
        try:
            target = LoadTarget(
                table,
                create_table=request.create_table,
                run_column=request.run_column,
                beside_other_run=request.beside_other_run,
                max_record_bytes=request.max_record_bytes,
                exact_values=request.exact_values,
            )
        except ReservedNameError as exc:
            raise UsageError(str(exc), hint=exc.hint) from exc
        except ValueError as exc:
            raise UsageError(str(exc)) from exc
        return loaders.open_loader(request.into, target, login=login, region=region)

    return LoaderByClient(open_table) if request.table is None else open_table(request.table)


def open_ledger(request: LoadRequest, aws: AwsOptions | None = None) -> LedgerReader:
    """What reads the ledger of a request's database, whatever the table; not connected yet. Raises UsageError."""
    from splitjoin_cli.stores.loaders import open as loaders

    region = None if aws is None else aws.region
    return loaders.open_ledger(request.into, login=_login(request, aws), region=region)


def open_values(request: LoadRequest, aws: AwsOptions | None = None) -> ValueReader:
    """What reads the request's table back; not connected yet. Raises UsageError."""
    from splitjoin_cli.stores.loaders import open as loaders
    from splitjoin_cli.stores.loaders.base import LoadTarget
    from splitjoin_cli.stores.loaders.reserved import ReservedNameError

    region = None if aws is None else aws.region
    try:
        target = LoadTarget(request.table or "", run_column=request.run_column)
    except ReservedNameError as exc:
        raise UsageError(str(exc), hint=exc.hint) from exc
    except ValueError as exc:
        raise UsageError(str(exc)) from exc
    return loaders.open_values(request.into, target, login=_login(request, aws), region=region)


def _login(request: LoadRequest, aws: AwsOptions | None) -> Logins | str | None:
    from splitjoin_cli.stores.loaders.urls import EMBEDDED, PASSWORD_VARIABLE

    if request.into.scheme in EMBEDDED or request.secret is None:
        return os.environ.get(PASSWORD_VARIABLE)
    from splitjoin_cli.stores.loaders.secret import SecretLogins

    return SecretLogins(request.secret, aws)


def open_sender(to: str, file_name: str, aws: AwsOptions | None = None, *, option: str = "--to") -> Sender:
    """What sends events of a job's chunks to ``sqs:URL`` or ``lambda:NAME``; not reached yet. Raises UsageError."""
    from splitjoin_cli.core.aws.sqs import SqsQueue, fair_group
    from splitjoin_cli.join.operate.senders import LambdaSender, SqsSender, check_target

    scheme, target = check_target(to, option)
    if scheme == "lambda":
        return LambdaSender(target, aws)
    return SqsSender(SqsQueue(target, aws), group=fair_group(file_name))


def check_apart(into: DatabaseUrl, tracker: TrackerUrl) -> None:
    """Raise UsageError where one SQLite file is to be both: the tables' names are the same."""
    both = into.scheme == tracker.scheme == "sqlite"
    if both and os.path.realpath(into.database) == os.path.realpath(tracker.name):
        raise UsageError("the database and the tracker are the same SQLite file", hint="give --tracker another file")


def open_joiner(tracker: Tracker, loader: Loader, continuation: Continuation, lease_seconds: float | None) -> Joiner:
    """What tries joins on behalf of this process. ``lease_seconds``: None for the default."""
    from splitjoin_cli.join.joiner import LEASE_SECONDS, Joiner

    return Joiner(
        tracker=tracker,
        loader=loader,
        continuation=continuation,
        owner=f"{socket.gethostname()}-{os.getpid()}",
        lease_seconds=lease_seconds or LEASE_SECONDS,
    )
