"""The worker as a Lambda function: chunk events from SQS, S3, SNS and EventBridge, and a scheduled sweep.

Several invocations may run at once in one process, each in a thread of its own. What they share is made once and
thread-safe; what belongs to one invocation (its deadline, its request's id, its worker) is made for it.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, Protocol, Self, final

from splitjoin_cli.api.open import open_loader, open_tracker
from splitjoin_cli.core.aws.client import AwsOptions
from splitjoin_cli.core.errors import SplitjoinError
from splitjoin_cli.deploy.json_logs import JsonLogs, log_level
from splitjoin_cli.deploy.lambda_settings import Settings, naming
from splitjoin_cli.join.continuation import parse_continuation
from splitjoin_cli.join.deadline import Deadline, DeadlineChunks
from splitjoin_cli.join.events import batch_answer, read_lambda_event
from splitjoin_cli.join.joiner import Joiner
from splitjoin_cli.join.sweep import SweepOptions, sweep
from splitjoin_cli.join.worker import ChunkWorker
from splitjoin_cli.stores.chunks.any import Chunks

if TYPE_CHECKING:
    from splitjoin_cli.join.base import Continuation
    from splitjoin_cli.join.sweep import FailedJob, SweepReport
    from splitjoin_cli.stores.chunks.base import ChunkStore
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.stores.trackers.base import Clock, Tracker

__all__ = ["NAMESPACE", "SWEEP", "Context", "Function", "handler"]

_LOG = logging.getLogger(__name__)
NAMESPACE = "splitjoin"
"""CloudWatch's, of the metrics StuckJobs and FailedJobs."""
SWEEP = {"splitjoin": "sweep"}
"""The event that asks for a sweep; any scheduled event of EventBridge does too."""
RUNTIME = "AWS_LAMBDA_RUNTIME_API"
"""Set where Lambda's runtime client runs this (Lambda Developer Guide, "Defined runtime environment variables")."""


class Context(Protocol):
    """What is used of Lambda's context object."""

    function_name: str
    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Until the invocation is stopped."""


def handler(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Lambda's entry point. Raises what Function raises, and UsageError for variables that cannot be meant.

    What is raised fails the whole event: SQS, and Lambda's own queue of asynchronous events, bring it again.
    """
    logs = _logs()
    logs.begin(context.aws_request_id)
    try:
        return _function()(event, context)
    except SplitjoinError as exc:
        error = {"type": type(exc).__name__, "message": exc.message}
        _LOG.error("%s", exc.message, extra={"error": error, "hint": exc.hint})
        raise


@final
class Function:
    """All that an execution environment keeps between invocations: clients, connections, what was read of a secret.

    Thread-safe, as its parts are by their contracts.

    Nothing is reached before the first event: what SnapStart freezes holds no open connection. One that froze with the
    process, or died meanwhile, is replaced when it is needed next.
    """

    def __init__(
        self,
        *,
        chunks: ChunkStore,
        loader: Loader,
        tracker: Tracker,
        continuation: Continuation,
        logs: JsonLogs,
        stuck_after_seconds: float,
        max_receives: int | None = None,
        clock: Clock = time.time,
    ) -> None:
        """``max_receives``: see Settings."""
        self._chunks = chunks
        self._loader = loader
        self._tracker = tracker
        self._continuation = continuation
        self._logs = logs
        self._stuck_after_seconds = stuck_after_seconds
        self._max_receives = max_receives
        self._clock = clock
        self._swept = ""
        """The last job of a sweep that did not come to the end: this process's next one goes on after it."""

    @classmethod
    def open(cls, settings: Settings, logs: JsonLogs) -> Self:
        """As the settings say; nothing is reached yet. Raises UsageError, which names the variable."""
        aws = AwsOptions(region=settings.region)
        return cls(
            chunks=Chunks(aws),
            loader=naming("SPLITJOIN_INTO", lambda: open_loader(settings.load, aws)),
            tracker=naming("SPLITJOIN_TRACKER", lambda: open_tracker(settings.tracker, aws)),
            continuation=naming("SPLITJOIN_ON_JOIN", lambda: parse_continuation(settings.on_join, aws)),
            logs=logs,
            stuck_after_seconds=settings.stuck_after_seconds,
            max_receives=settings.max_receives,
        )

    def __call__(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """One invocation: a partial batch answer for SQS's events, what was found for a sweep, else nothing.

        Raises SplitjoinError where an event that is no queue's must come again: Lambda then retries it.
        """
        deadline = Deadline(lambda: context.get_remaining_time_in_millis() / 1000)
        joiner = Joiner(
            tracker=self._tracker,
            loader=self._loader,
            continuation=self._continuation,
            owner=f"lambda:{context.function_name}:{context.aws_request_id}",
            lease_seconds=deadline.lease_seconds,
            keep_lease=lambda _tracker, _claim, _seconds: nullcontext(),  # it is as long as its owner can live
        )
        if _asks_for_sweep(event):
            return self._sweep(joiner, context.function_name, deadline)
        return self._handle(event, joiner, deadline)

    def _handle(self, event: Mapping[str, Any], joiner: Joiner, deadline: Deadline) -> dict[str, Any]:
        worker = ChunkWorker(
            chunks=DeadlineChunks(self._chunks, deadline),
            loader=self._loader,
            tracker=self._tracker,
            joiner=joiner,
            sweep_runs=True,
            max_receives=self._max_receives,
        )
        batch = read_lambda_event(event)
        outcome = worker.handle_batch(batch, may_begin=deadline.may_begin)
        if batch.partial:
            return dict(batch_answer(str(message_id) for message_id in outcome.failed))
        if outcome.failed:
            said = outcome.errors[0].message if outcome.errors else "another worker holds the join"
            raise SplitjoinError(f"the event must come again: {said}")
        return {}

    def _sweep(self, joiner: Joiner, function_name: str, deadline: Deadline) -> dict[str, Any]:
        report = sweep(
            tracker=self._tracker,
            loader=self._loader,
            joiner=joiner,
            clock=self._clock,
            options=SweepOptions(
                stuck_after_seconds=self._stuck_after_seconds,
                after=self._swept,
                failures=True,
                may_begin=deadline.may_begin,
            ),
        )
        self._swept = report.last
        failed = [_told(job) for job in report.failed]
        self._logs.document(
            _metrics(function_name, self._clock(), {"StuckJobs": len(report.stuck), "FailedJobs": len(failed)})
        )
        answer = _sweep_answer(report, failed)
        _LOG.info("swept: %d unfinished jobs, %d joined now", report.looked_at, len(report.joined))
        return answer


def _told(job: FailedJob) -> str:
    """Its name, once a line in the log said what failed."""
    said = "the join" if job.chunk is None else f"chunk {job.chunk}"
    extra = {"file_name": job.file_name, "run_id": job.run_id, "chunk": job.chunk}
    _LOG.warning("failed: %s: %s: %s", job.file_name, said, job.error, extra=extra)
    return job.file_name


def _asks_for_sweep(event: object) -> bool:
    if not isinstance(event, Mapping):
        return False
    return event.get("splitjoin") == SWEEP["splitjoin"] or event.get("detail-type") == "Scheduled Event"


def _sweep_answer(report: SweepReport, failed: list[str]) -> dict[str, Any]:
    return {
        "looked_at": report.looked_at,
        "joined": list(report.joined),
        "stuck": list(report.stuck),
        "failed": failed,
        "elsewhere": list(report.elsewhere),
        "errors": [error.message for error in report.errors],
        "last": report.last,
    }


def _metrics(function_name: str, now: float, values: Mapping[str, int]) -> dict[str, Any]:
    """Metrics as a log line, which needs no permission (CloudWatch User Guide, "Embedded metric format")."""
    metrics = [{"Name": name, "Unit": "Count"} for name in values]
    about = {"Namespace": NAMESPACE, "Dimensions": [["FunctionName"]], "Metrics": metrics}
    return {
        "_aws": {"Timestamp": int(now * 1000), "CloudWatchMetrics": [about]},
        "FunctionName": function_name,
        **values,
    }


_MAKING = threading.RLock()
"""``functools.cache`` alone would make the first invocations of a process one function each."""


@functools.cache
def _made_logs() -> JsonLogs:
    return JsonLogs(level=log_level(os.environ))


@functools.cache
def _made_function() -> Function:
    return Function.open(Settings.from_environment(os.environ), _logs())


def _logs() -> JsonLogs:
    with _MAKING:
        return _made_logs()


def _function() -> Function:
    """Made once in a process. An error is not kept: the next event meets it again, and says so."""
    with _MAKING:
        return _made_function()


if RUNTIME in os.environ:
    # While the environment starts, where the time is not an event's; what is wrong is told by the first event.
    with suppress(SplitjoinError):
        _function()
