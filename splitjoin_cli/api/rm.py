"""Removes a split from a directory or S3 prefix: every object of its name, and no other."""

from __future__ import annotations

import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from splitjoin_cli.api import arguments
from splitjoin_cli.api.open import open_tracker
from splitjoin_cli.api.places import StoredRequest, open_place
from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.places import parse_place
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.core.units import MAX_JOBS
from splitjoin_cli.splitting.request import DEFAULT_JOBS
from splitjoin_cli.stores.trackers.jobs import JoinState

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.options import AwsOptions, Session
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.stored.remove import RemoveReport
    from splitjoin_cli.stores.trackers.jobs import Job

__all__ = ["rm"]

FORCE_HINT = "--force removes it all the same"


def rm(
    place: arguments.Path,
    *,
    name: str,
    unfinished: bool = False,
    dry_run: bool = False,
    force: bool = False,
    tracker: str | None = None,
    jobs: int = DEFAULT_JOBS,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: Session | None = None,
    observer: Observer | None = None,
) -> RemoveReport:
    """Remove every object of the split ``name`` from ``place``, and its open uploads.

    The options are those of the command (``splitjoin rm --help``). A dry run is never refused for the tracker's sake:
    the observer hears why the command would be. Raises UsageError, NotFoundError, StoreError.
    """
    from splitjoin_cli.splitting.stored.remove import Removing

    aws = arguments.aws(profile, region, endpoint_url, session)
    jobs = arguments.at_once("jobs", jobs, MAX_JOBS)
    request = StoredRequest(place=parse_place(os.fspath(place)), file_name=name, jobs=jobs, aws=aws)
    heard = observer or Silent()
    job = None if tracker is None else _job(tracker, name, aws)
    refusal = None if force else _refusal(name, job, tracker)
    if refusal is not None:
        if not dry_run:
            raise refusal
        heard.warn(f"without --dry-run this is refused: {refusal.told}")
    with open_place(request) as opened, ThreadPoolExecutor(jobs, "rm") as executor:
        removing = Removing(opened.sink, name, secrets.token_hex(16), executor, jobs, heard, unfinished=unfinished)
        report = removing.rehearse() if dry_run else removing.run()
    return report if job is None else replace(report, tracker=tracker)


def _job(tracker: str, name: str, aws: AwsOptions) -> Job | None:
    with closing(open_tracker(arguments.tracker(tracker), aws)) as opened:
        opened.reach()
        return opened.job(name)


def _refusal(name: str, job: Job | None, tracker: str | None) -> StoreError | None:
    """Why a split must not be removed: its chunks may have to be loaded yet."""
    if tracker is None:
        return StoreError(
            f"without a tracker nothing says whether {name} is loaded",
            hint=f"give --tracker URL; or {FORCE_HINT}",
        )
    if job is None or job.join.state == JoinState.JOINED:
        return None
    return StoreError(
        f"{name} is not joined: {tracker} has {job.processed_parts:,} of {job.total_parts:,} chunks counted",
        hint=f"wait for the join (splitjoin status {name} --tracker {tracker}); or {FORCE_HINT}",
    )
