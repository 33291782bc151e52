"""Split large CSV exports into exact, resumable chunks, and join when every chunk is loaded, exactly once.

    import splitjoin_cli

    result = splitjoin_cli.split("export.csv", "s3://bucket/in/", client="acme", tracker="dynamodb:jobs")

Each function is one of the commands: its options have the same names, and ``to_json()`` of what it returns is the
command's ``--json`` document. Errors are SplitjoinError; ``error.hint`` names the next step, in Python's words.

What is named here is imported when it is first asked for, and all that it needs with it: importing the package takes
next to nothing. Another name is added to ``_FUNCTIONS`` or ``_VALUES``, to the imports for type checkers, and nowhere
else; no folder or module beside this file may be called as one, since importing it would take the name's place.
"""

from __future__ import annotations

__version__ = "0.2.0"

TYPE_CHECKING = False  # typing takes as long to import as all of Python's start
if TYPE_CHECKING:
    from splitjoin_cli.api.clear import clear
    from splitjoin_cli.api.inspect import inspect
    from splitjoin_cli.api.merge import MergeResult, merge
    from splitjoin_cli.api.replace import replace
    from splitjoin_cli.api.retry import RejoinReport, retry
    from splitjoin_cli.api.simulate.report import SimulateReport
    from splitjoin_cli.api.simulate.request import simulate
    from splitjoin_cli.api.split import split
    from splitjoin_cli.api.status import list_jobs, status
    from splitjoin_cli.api.verify import verify
    from splitjoin_cli.api.worker import Worker
    from splitjoin_cli.core.errors import (
        AccessError,
        BadInputError,
        BadRowError,
        ClearedError,
        ContinuationError,
        CorruptObjectError,
        EventError,
        LoadError,
        MixupError,
        NameTakenError,
        NoSuchJobError,
        NotFoundError,
        OlderRunError,
        OtherRunError,
        OtherTotalError,
        RunConflictError,
        SourceChangedError,
        SourceError,
        SplitjoinError,
        StoppedError,
        StoreError,
        UsageError,
    )
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.join.held_messages import WorkerTotals
    from splitjoin_cli.join.operate.clear import ClearReport
    from splitjoin_cli.join.operate.replace import ReplaceReport
    from splitjoin_cli.join.operate.retry import RetryReport
    from splitjoin_cli.join.operate.status import JobState, JobStatus
    from splitjoin_cli.splitting.inspect.result import InspectResult
    from splitjoin_cli.splitting.result import SplitResult
    from splitjoin_cli.splitting.splits import FailedSource, SplitsResult
    from splitjoin_cli.splitting.stored.verify import VerifyReport

__all__ = [
    "AccessError",
    "BadInputError",
    "BadRowError",
    "ClearReport",
    "ClearedError",
    "ContinuationError",
    "CorruptObjectError",
    "EventError",
    "FailedSource",
    "InspectResult",
    "JobState",
    "JobStatus",
    "LoadError",
    "MergeResult",
    "MixupError",
    "NameTakenError",
    "NoSuchJobError",
    "NotFoundError",
    "Observer",
    "OlderRunError",
    "OtherRunError",
    "OtherTotalError",
    "RejoinReport",
    "ReplaceReport",
    "RetryReport",
    "RunConflictError",
    "SimulateReport",
    "SourceChangedError",
    "SourceError",
    "SplitResult",
    "SplitjoinError",
    "SplitsResult",
    "StoppedError",
    "StoreError",
    "UsageError",
    "VerifyReport",
    "Worker",
    "WorkerTotals",
    "__version__",
    "clear",
    "inspect",
    "list_jobs",
    "merge",
    "replace",
    "retry",
    "simulate",
    "split",
    "status",
    "verify",
]

_FUNCTIONS = {
    "Worker": "api.worker",
    "clear": "api.clear",
    "inspect": "api.inspect",
    "list_jobs": "api.status",
    "merge": "api.merge",
    "replace": "api.replace",
    "retry": "api.retry",
    "simulate": "api.simulate.request",
    "split": "api.split",
    "status": "api.status",
    "verify": "api.verify",
}
"""Where each verb is; what it raises is told in Python's words."""
_VALUES = {
    "ClearReport": "join.operate.clear",
    "FailedSource": "splitting.splits",
    "InspectResult": "splitting.inspect.result",
    "JobState": "join.operate.status",
    "JobStatus": "join.operate.status",
    "MergeResult": "api.merge",
    "Observer": "core.progress",
    "RejoinReport": "api.retry",
    "ReplaceReport": "join.operate.replace",
    "RetryReport": "join.operate.retry",
    "SimulateReport": "api.simulate.report",
    "SplitResult": "splitting.result",
    "SplitsResult": "splitting.splits",
    "VerifyReport": "splitting.stored.verify",
    "WorkerTotals": "join.held_messages",
}
"""Where results and contracts are. All other names are errors."""


def __getattr__(name: str) -> object:
    """What is named here, imported now and kept."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 -- see above

    module = _FUNCTIONS.get(name) or _VALUES.get(name) or "core.errors"
    value: object = getattr(import_module(f"{__name__}.{module}"), name)
    if name in _FUNCTIONS:
        from splitjoin_cli.api.door import in_python_words  # noqa: PLC0415 -- the same

        value = in_python_words(value)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """What is named here, loaded or not."""
    return sorted({*globals(), *__all__})
