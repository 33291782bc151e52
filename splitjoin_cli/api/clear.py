"""Takes a run out of a database, so that it, or another one, can be loaded."""

# Each implementation is imported only when a URL asks for it: botocore and the databases' drivers are slow to import.

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from splitjoin_cli.api import arguments
from splitjoin_cli.api.open import LoadRequest, check_apart, check_file_name, open_ledger, open_loader, open_tracker
from splitjoin_cli.core.errors import UsageError

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.options import Session
    from splitjoin_cli.join.operate.clear import ClearReport

__all__ = ["NO_TRACKER", "clear"]

NO_TRACKER = "none"


def clear(
    file_name: str,
    *,
    into: str,
    tracker: str,
    run: str | None = None,
    run_column: str | None = None,
    secret: str | None = None,
    dry_run: bool = False,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: Session | None = None,
) -> ClearReport:
    """Take a run of the job ``file_name`` out of a database: its rows, its ledger, and what the tracker counted.

        report = splitjoin_cli.clear("acme_20240131", into="postgresql://me@db/sales", tracker="dynamodb:jobs",
                                     run_column="run_id")

    The options are those of the command (``splitjoin clear --help``); ``tracker="none"`` leaves the tracker out. Raises
    NoSuchJobError where the ledger does not know the job, UsageError, LoadError, StoreError.
    """
    from splitjoin_cli.join.operate.clear import choose_run, clear_run, plan_clear
    from splitjoin_cli.stores.loaders.open import quoted_as

    check_file_name(file_name)
    aws = arguments.aws(profile, region, endpoint_url, session)
    database = arguments.database(into)
    login = arguments.secret(secret, database)
    url = None if tracker == NO_TRACKER else arguments.tracker(tracker)
    if url is not None:
        check_apart(database, url)
    with ExitStack() as stack:
        reader = stack.enter_context(closing(open_ledger(LoadRequest(into=database, secret=login), aws)))
        ledger = reader.read_ledger(file_name)
        jobs = None if url is None else stack.enter_context(closing(open_tracker(url, aws)))
        job = None if jobs is None else jobs.job(file_name)
        chosen = choose_run(ledger, file_name, run, job)
        plan = plan_clear(ledger, file_name, chosen, run_column, quoted_as(database.scheme))
        try:
            request = LoadRequest(into=database, table=plan.table or None, run_column=run_column, secret=login)
            loader = stack.enter_context(closing(open_loader(request, aws)))
        except ValueError as exc:
            raise UsageError(str(exc)) from exc
        return clear_run(plan, loader, jobs, run_column, dry_run=dry_run)
