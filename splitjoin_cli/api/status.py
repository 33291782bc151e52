"""Asks for a look at jobs: ``status`` and ``list_jobs``, and the request of one that is made again and again."""

from __future__ import annotations

import os
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from splitjoin_cli.api import arguments
from splitjoin_cli.api.open import LoadRequest
from splitjoin_cli.api.status_view import StatusRequest, open_view
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.places import parse_place
from splitjoin_cli.join.base import STUCK_AFTER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from splitjoin_cli.core.aws.options import AwsOptions, Session
    from splitjoin_cli.join.operate.status import JobStatus

__all__ = ["list_jobs", "status", "status_request"]


def status(
    file_name: str,
    *,
    tracker: str,
    stuck_after: arguments.Seconds = STUCK_AFTER_SECONDS,
    dest: arguments.Path | None = None,
    queue: str | None = None,
    reconcile: bool = False,
    values: bool = False,
    into: str | None = None,
    source: arguments.Path | None = None,
    encoding: str | None = None,
    key: Iterable[str] = (),
    run_column: str | None = None,
    secret: str | None = None,
    html: arguments.Path | None = None,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: Session | None = None,
) -> JobStatus:
    """Show the job ``file_name``: its state, what is counted, missing and failed, the join.

        job = splitjoin_cli.status("acme_20240131", tracker="dynamodb:jobs")
        if job.state == "failed":
            print(job.progress.failures)

    The options are those of the command (``splitjoin status --help``): ``dest`` compares with the chunks stored there,
    ``queue`` with its dead letters, ``reconcile`` with the ledger of the database ``into``, ``values`` its table
    with the chunks, or ``source``: what differs is in ``values`` of the result. ``html`` is the file that gets the
    report as a page. Raises NoSuchJobError, UsageError, StoreError, LoadError, SourceError.
    """
    request = status_request(
        file_name,
        tracker=tracker,
        stuck_after=stuck_after,
        dest=dest,
        queue=queue,
        reconcile=reconcile,
        values=values,
        into=into,
        source=source,
        encoding=encoding,
        key=key,
        run_column=run_column,
        secret=secret,
        html=html,
        aws=arguments.aws(profile, region, endpoint_url, session),
    )
    with open_view(request) as view:
        view.look()
        view.write_page()
        return view.jobs[0]


def list_jobs(
    *,
    tracker: str,
    stuck_after: arguments.Seconds = STUCK_AFTER_SECONDS,
    queue: str | None = None,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: Session | None = None,
) -> list[JobStatus]:
    """All jobs that the tracker knows, newest first.

        stuck = [job for job in splitjoin_cli.list_jobs(tracker="dynamodb:jobs") if job.state == "stuck"]

    Raises UsageError, StoreError.
    """
    aws = arguments.aws(profile, region, endpoint_url, session)
    request = status_request(None, tracker=tracker, stuck_after=stuck_after, queue=queue, aws=aws)
    with open_view(request) as view:
        view.look()
        return view.jobs


def status_request(
    file_name: str | None,
    *,
    tracker: str,
    stuck_after: arguments.Seconds = STUCK_AFTER_SECONDS,
    dest: arguments.Path | None = None,
    queue: str | None = None,
    reconcile: bool = False,
    values: bool = False,
    into: str | None = None,
    source: arguments.Path | None = None,
    encoding: str | None = None,
    key: Iterable[str] = (),
    run_column: str | None = None,
    secret: str | None = None,
    html: arguments.Path | None = None,
    aws: AwsOptions,
) -> StatusRequest:
    """The request, checked for what can be known without reaching anything. Raises UsageError."""
    _check_asked(file_name, dest=dest is not None, reconcile=reconcile, html=html is not None)
    if reconcile and not into:
        raise UsageError("--reconcile needs a database", hint="give --into URL")
    if into and not reconcile and html is None:
        raise UsageError("--into is for --reconcile", hint="give --reconcile too")
    key = (key,) if isinstance(key, str) else tuple(key)
    if encoding is not None and source is None:
        raise UsageError("--encoding is for --source", hint="give --source too, or leave it out")
    _check_values(values, reconcile, {"--source": source, "--key": key, "--run-column": run_column})
    if html is not None:
        from splitjoin_cli.api.page.file import check_page

        check_page(FilePath(html))
    database = arguments.database(into) if into else None
    login = arguments.secret(secret, database)
    load = None if database is None else LoadRequest(into=database, secret=login, run_column=run_column)
    return StatusRequest(
        file_name=file_name,
        tracker=arguments.tracker(tracker),
        stuck_seconds=arguments.seconds("stuck-after", stuck_after),
        dest=None if dest is None else parse_place(os.fspath(dest)),
        queue=queue,
        load=load,
        reconcile=reconcile,
        values=values,
        source=None if source is None else os.fspath(source),
        encoding=encoding,
        key=key,
        html=None if html is None else FilePath(html),
        aws=aws,
    )


def _check_asked(file_name: str | None, **asked: bool) -> None:
    if file_name is None:
        for option, given in asked.items():
            if given:
                raise UsageError(f"--{option} is for one job", hint="give FILE_NAME")
    elif not file_name.strip():
        raise UsageError(
            "FILE_NAME is empty", hint="name a job, CLIENT_DATE; splitjoin status without a name lists them"
        )


def _check_values(values: bool, reconcile: bool, asked: Mapping[str, object]) -> None:  # noqa: FBT001 -- options
    if values and not reconcile:
        raise UsageError("--values is for --reconcile", hint="give --reconcile and --into URL too")
    for option, given in asked.items():
        if given and not values:
            raise UsageError(f"{option} is for --values", hint="give --reconcile --values too")
