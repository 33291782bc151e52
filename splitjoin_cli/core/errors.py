"""The errors that splitjoin raises on purpose: each knows its exit code and, where there is one, the next step.

    SplitjoinError                exit 1   the operation failed
    |-- UsageError                exit 2   the command line cannot be meant
    |-- PartialError              exit 3   some chunks, or some of several sources, failed; the others are stored
    |-- SourcesFailedError        exit N   all of several sources failed, all with this exit code
    |-- BadInputError             exit 4   the source is not what it should be; nothing was uploaded
    |-- NoSuchJobError            exit 10  the tracker does not know the job
    |-- NameTakenError            exit 11  other content has the name
    |-- CheckFoundError           exit 12  ``status --check`` found a stuck or failed job
    |-- SourceError               exit 1   the source cannot be read
    |   `-- SourceChangedError    exit 1   the source changed while it was read
    |-- MixupError                exit 1   two things that must not be mixed meet under one job's name
    |   |-- OtherRunError         exit 1   the job is another run's
    |   `-- OtherTotalError       exit 1   the job has another number of chunks
    |-- StoreError                exit 1   a directory, bucket or table refused an operation
    |   |-- NotFoundError         exit 1   the object, bucket or table is not there
    |   |-- AccessError           exit 1   credentials are missing, wrong, expired or not allowed to do this
    |   |-- OutOfTimeError        exit 1   the time that a worker is given ends before the work
    |   |-- CopyRefusedError      exit 1   the store cannot copy this range on the server: stream it instead
    |   |-- CorruptObjectError    exit 1   what the store holds or received is not what was sent
    |   |-- ObjectChangedError    exit 1   another object has the name by now: nothing was stored
    |   |-- NotAFileError         exit 1   a directory, pipe or the like has the name of a file of splitjoin's
    |   |-- LoadError             exit 1   a database did not load a chunk: nothing of it is there; try it again
    |   |   |-- BadRowError       exit 1   the table does not take what the chunk holds; trying again does not help
    |   |   |-- NoRunColumnError  exit 1   the table has not the column that says of which run a row is
    |   |   |-- RunConflictError  exit 1   the ledger holds another run, another table or another object of this job
    |   |   `-- OlderRunError     exit 1   a newer run of the job has replaced the chunk's: it need not be loaded
    |   `-- ClearedError          exit 1   the run was cleared meanwhile: what was done for it may be gone
    |-- EngineError               exit 1   the engine, or its workers, cannot do a split's work any more
    |-- EventError                exit 1   a message is no event that a worker knows
    |-- ContinuationError         exit 1   what follows the join failed; the tracker says when it may be tried again
    `-- StoppedError              exit 130 or 143, by the signal that stopped it

Foreign errors are wrapped once, in the adapter that meets them (``raise StoreError(...) from exc``). A message
names the operation and the object; ``hint`` names the next step. Neither ever holds a secret.
"""

from __future__ import annotations

import signal
from typing import ClassVar


class SplitjoinError(Exception):
    """An operation failed; ``str(error)`` says which and on what."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """``message`` is one sentence without a full stop's worth of jargon; ``hint`` is the next step to type."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def reason_first(self) -> str:
        """The message in the order in which it may be cut: what is wrong before where it is."""
        return self.message

    def to_json(self) -> dict[str, object]:
        """What ``--json`` prints of it."""
        return {"code": self.exit_code, "message": self.message, "hint": self.hint}

    @property
    def told(self) -> str:
        """Message and next step in one line, for logs."""
        return f"{self.message}; {self.hint}" if self.hint else self.message


class UsageError(SplitjoinError):
    """The command line cannot be meant: an unknown value, a contradiction, something missing."""

    exit_code: ClassVar[int] = 2


class PartialError(SplitjoinError):
    """Some chunks failed and the others are stored; the same command resumes."""

    exit_code: ClassVar[int] = 3


class SourcesFailedError(SplitjoinError):
    """None of several sources was split, and all for reasons of one exit code, which is this one's."""

    def __init__(self, message: str, *, code: int, hint: str | None = None) -> None:
        """``code``: the exit code of each source's error."""
        super().__init__(message, hint=hint)
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # as in StoppedError
        """That of each source."""
        return self.code


class BadInputError(SplitjoinError):
    """The source is not what it should be (stray quote, lone CR, other encoding, empty); nothing was uploaded."""

    exit_code: ClassVar[int] = 4


class NoSuchJobError(SplitjoinError):
    """The tracker does not know the job."""

    exit_code: ClassVar[int] = 10

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """``hint``: None for the one that helps with a tracker."""
        super().__init__(message, hint=hint or "splitjoin status lists those that are there")


class NameTakenError(SplitjoinError):
    """Other content is stored, or on its way, under the same client and date."""

    exit_code: ClassVar[int] = 11


class CheckFoundError(SplitjoinError):
    """``status --check`` found a job that is stuck or failed."""

    exit_code: ClassVar[int] = 12


class SourceError(SplitjoinError):
    """The source is missing or cannot be read."""


class SourceChangedError(SourceError):
    """The source is no longer what it was when this run began to read it."""


class MixupError(SplitjoinError):
    """Two things that must not be mixed meet under one job's name; the message names both."""


class OtherRunError(MixupError):
    """The job is another run's, and not an older one that a newer replaces."""


class OtherTotalError(MixupError):
    """The job has another number of chunks."""


class StoreError(SplitjoinError):
    """A directory, bucket or table refused an operation."""


class NotFoundError(StoreError):
    """The object, bucket or table is not there."""


class AccessError(StoreError):
    """Credentials are missing, wrong, expired, or not allowed to do this."""


class OutOfTimeError(StoreError):
    """The time that a worker is given ends before the work: what was begun is undone, and the event comes again."""


class CopyRefusedError(StoreError):
    """The store cannot copy this range on the server; the caller streams it instead."""


class CorruptObjectError(StoreError):
    """The store holds, or says it received, other bytes than were sent."""


class ObjectChangedError(StoreError):
    """Another object has the name than the one that was to be replaced, or there is one by now: nothing was stored."""


class NotAFileError(StoreError):
    """A directory, a pipe, a device or a link that leads nowhere has a name that splitjoin needs for a file."""


class LoadError(StoreError):
    """A database did not load a chunk; nothing of it is there. It may be tried again."""

    def __init__(self, message: str, *, hint: str | None = None, where: str | None = None) -> None:
        """``where``: the chunk and the table, before the message, which is the ``reason``."""
        super().__init__(message if where is None else f"{where}: {message}", hint=hint)
        self.reason, self.where = message, where

    @property
    def reason_first(self) -> str:
        """See SplitjoinError."""
        return self.message if self.where is None else f"{self.reason} ({self.where})"


class BadRowError(LoadError):
    """The table does not take what the chunk holds; the message names the row. Trying again does not help."""


class NoRunColumnError(LoadError):
    """The table has not the column that says of which run a row is."""


class RunConflictError(LoadError):
    """The ledger holds another run, another table or another object of this job; the message names both."""


class OlderRunError(LoadError):
    """A newer run of the job has replaced the chunk's: its event is acknowledged, and nothing is loaded."""


class ClearedError(StoreError):
    """The run is being cleared, or was since the caller began: what it loaded may be gone. It may be tried again."""


class EngineError(SplitjoinError):
    """The engine is gone, or none of its workers does the work: what is stored stays, and the same command resumes."""


class EventError(SplitjoinError):
    """A message is no event that a worker knows: it must not be dropped as if it had been handled."""


class ContinuationError(SplitjoinError):
    """What follows the join failed, or could not be started."""


class StoppedError(SplitjoinError):
    """A signal asked to stop; everything begun was undone, and the same command goes on, or begins once more."""

    def __init__(self, signal_number: int) -> None:
        """``signal_number``: SIGINT (exit 130) or SIGTERM (exit 143)."""
        word = "interrupted" if signal_number == signal.SIGINT else "terminated"
        super().__init__(f"{word} by {signal.Signals(signal_number).name}", hint="run the same command again")
        self.signal_number = signal_number
        self.resume: str | None = None
        """The whole command that goes on where this one stopped, where it is known."""
        self.kept: str | None = None
        """How many chunks are kept, and what is read again, where that is known."""

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # the one error whose code depends on the value
        """128 + the signal's number, as shells have it."""
        return 128 + self.signal_number
