"""What follows a join, by URL: a command here; topics, queues, functions, state machines and buses on AWS elsewhere."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import threading
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, final

from splitjoin_cli.core.errors import ContinuationError, UsageError
from splitjoin_cli.stores.loaders.urls import PASSWORD_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.aws.client import AwsOptions
    from splitjoin_cli.join.base import Continuation, JoinPayload

__all__ = ["ExecContinuation", "MemoryContinuation", "NoContinuation", "parse_continuation"]

SHELL = "/bin/sh"
BEGIN = b"\n"
"""The first line that a command's shell reads: it waits for it, and ends where its standard input ends before it."""
AT_BEGIN = f'read -r SPLITJOIN_JOIN_BEGIN || exit; unset SPLITJOIN_JOIN_BEGIN; exec {SHELL} -c "$1"'
"""POSIX lets ``read`` take no byte behind its line, so that the command reads all that follows."""
EXEC_SECONDS = 3600.0
KILL_AFTER_SECONDS = 5.0
TAIL_BYTES = 4096
AWS_SCHEMES = ("sns", "sqs", "lambda", "states", "events")
WITHHELD = frozenset({PASSWORD_VARIABLE, "SPLITJOIN_ON_JOIN"})
"""Variables of ours that hold a secret, or may (as the text of a command does): what a join starts has no use for them.

AWS's and the databases' own variables are the user's, who may have set them for the command.
"""
_SECRETS = re.compile(r"([a-z][a-z0-9+.-]*://)(?:[^\s/@]*@)?([^\s?#]*)[^\s]*", re.IGNORECASE)


def parse_continuation(url: str | None, options: AwsOptions | None = None) -> Continuation:
    """The continuation that an ``--on-join`` URL names; None is one that does nothing.

    ``exec:COMMAND``, ``sns:ARN``, ``sqs:URL``, ``lambda:NAME``, ``states:ARN``, ``events:BUS``. Nothing is reached yet.
    Raises UsageError.
    """
    if url is None:
        return NoContinuation()
    scheme, _, rest = url.partition(":")
    if scheme == "exec" and rest.strip():
        return ExecContinuation(rest.strip())
    if scheme in AWS_SCHEMES and rest.strip():
        from splitjoin_cli.join.continuation_aws import parse_aws  # noqa: PLC0415 -- botocore is slow to import

        return parse_aws(scheme, rest.strip(), options)
    raise UsageError(
        f"not what a join can go on with: {scheme}:",
        hint="exec:COMMAND, sns:ARN, sqs:URL, lambda:NAME, states:ARN or events:BUS",
    )


@final
class NoContinuation:
    """Nothing follows: the join itself, in the tracker and the ledger, is all that is wanted."""

    @property
    def uri(self) -> str:
        """``none``."""
        return "none"

    def run(self, payload: JoinPayload) -> None:
        """See Continuation."""

    def close(self) -> None:
        """See Continuation."""


@final
class MemoryContinuation:
    """A continuation for tests: it remembers every run, and its effect once by the idempotency key. Thread-safe."""

    def __init__(self) -> None:
        """Nothing ran yet."""
        self.runs: list[JoinPayload] = []
        self.effects: dict[str, JoinPayload] = {}
        self._lock = threading.Lock()

    @property
    def uri(self) -> str:
        """``memory:``."""
        return "memory:"

    def run(self, payload: JoinPayload) -> None:
        """See Continuation."""
        with self._lock:
            self.runs.append(payload)
            self.effects.setdefault(payload.run_id, payload)

    def close(self) -> None:
        """See Continuation."""


@final
class ExecContinuation:
    """A command of the shell: the payload on its standard input as JSON, and in SPLITJOIN_JOIN_* variables.

    They have a prefix of their own because SPLITJOIN_ROWS, for one, is an option of the splitjoin it may call. Of the
    caller's own environment it gets all but WITHHELD.

    An exit code other than 0 is a failure. What it prints goes to nobody, since the standard output is the caller's
    result; the last line of it stands in the error. It is ended, with all that it started, after ``limit_seconds``,
    when the thread that runs it is interrupted, and by ``close``: signals interrupt the main thread alone. Thread-safe.
    """

    def __init__(self, command: str, *, limit_seconds: float = EXEC_SECONDS) -> None:
        """``command``: as for ``sh -c``."""
        self._command = command
        self._limit_seconds = limit_seconds
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False
        self._lock = threading.Lock()

    @property
    def uri(self) -> str:
        """``exec:`` and the command's first word, with ``...`` for the others: they may hold passwords."""
        first, *others = self._command.split(maxsplit=1)
        return f"exec:{first}{' ...' if others else ''}"

    def run(self, payload: JoinPayload) -> None:
        """See Continuation."""
        with tempfile.TemporaryFile() as output:
            process: subprocess.Popen[bytes] | None = None
            try:
                with _pipe() as (told, teller):
                    process = self._waiting(payload, told, output)
                    self._register(process)
                    teller.write(BEGIN + payload.encoded().encode())  # less than any pipe takes without a reader
                process.wait(self._limit_seconds)
            except BaseException as exc:
                if process is not None:
                    _end(process)
                if isinstance(exc, subprocess.TimeoutExpired):
                    raise ContinuationError(f"{self.uri} did not end within {self._limit_seconds:g} s") from exc
                raise
            finally:
                if process is not None:
                    self._running.discard(process)
            if process.returncode:
                raise ContinuationError(f"{self.uri} {_ended(process.returncode)}{_last_line(output.fileno())}")

    def _waiting(self, payload: JoinPayload, told: IO[bytes], output: IO[bytes]) -> subprocess.Popen[bytes]:
        """The command's shell, which runs nothing before it reads BEGIN from ``told``.

        A signal's error may come at any moment: between the start of a process and the line that knows it, too. What
        is lost there loses its standard input as well, and ends by itself. The pipe is not Popen's own, which would
        stay open: a Popen that is dropped while its process runs is kept by its module.
        """
        inherited = {name: value for name, value in os.environ.items() if name not in WITHHELD}
        variables = {f"SPLITJOIN_JOIN_{name.upper()}": str(value) for name, value in payload.to_json().items()}
        try:
            return subprocess.Popen(  # noqa: S603 -- the user's own command
                [SHELL, "-c", AT_BEGIN, SHELL, self._command],
                stdin=told,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**inherited, **variables},
                start_new_session=True,  # a group of its own, so that all of it can be ended
            )
        except OSError as exc:
            raise ContinuationError(f"{self.uri} could not be started: {exc.strerror or exc}") from exc

    def _register(self, process: subprocess.Popen[bytes]) -> None:
        """Let ``close`` know of it, before it runs anything. Raises ContinuationError after ``close``."""
        with self._lock:
            if self._closed:
                raise ContinuationError(f"{self.uri} was not started: the worker stops")
            self._running.add(process)

    def close(self) -> None:
        """See Continuation; ends what another thread still runs, and lets it start no more."""
        with self._lock:
            self._closed = True
        for process in tuple(self._running):
            _end(process)


@contextmanager
def _pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Both ends, closed behind the block: where to read, and where to write."""
    read, write = os.pipe()
    with open(read, "rb", buffering=0) as told, open(write, "wb", buffering=0) as teller:  # noqa: PTH123 -- no path
        yield told, teller


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command's whole group: politely first."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(KILL_AFTER_SECONDS)


def _ended(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def _last_line(descriptor: int) -> str:
    """What the command said last, for an error; URLs in it lose user, password and query."""
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, TAIL_BYTES, max(0, size - TAIL_BYTES)).decode("utf-8", "replace")
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    if not lines:
        return ""
    said = _SECRETS.sub(r"\1\2", lines[-1])
    return f": {said}"
