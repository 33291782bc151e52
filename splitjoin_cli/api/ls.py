"""Lists the splits of a directory or S3 prefix, and says of each whether it is whole."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from splitjoin_cli.api import arguments
from splitjoin_cli.api.places import StoredRequest, open_place
from splitjoin_cli.core.places import parse_place
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.core.units import MAX_JOBS
from splitjoin_cli.splitting.request import DEFAULT_JOBS

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.options import Session
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.stored.listing import ListedSplit

__all__ = ["ls"]


def ls(
    place: arguments.Path = ".",
    *,
    jobs: int = DEFAULT_JOBS,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: Session | None = None,
    observer: Observer | None = None,
) -> list[ListedSplit]:
    """The splits that lie directly in ``place``, by name. Raises UsageError, NotFoundError, StoreError."""
    from splitjoin_cli.splitting.stored.listing import list_splits

    aws = arguments.aws(profile, region, endpoint_url, session)
    jobs = arguments.at_once("jobs", jobs, MAX_JOBS)
    request = StoredRequest(place=parse_place(os.fspath(place)), file_name=None, jobs=jobs, aws=aws)
    with open_place(request) as opened, ThreadPoolExecutor(jobs, "ls") as executor:
        return list_splits(opened.sink, executor=executor, jobs=jobs, observer=observer or Silent())
