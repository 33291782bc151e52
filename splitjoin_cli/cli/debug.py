"""``--debug``: timings and decisions as JSON lines, on stderr or at the end of a file."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import os
import re
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from splitjoin_cli.cli.environment import environment_variable
from splitjoin_cli.cli.text import without_secrets
from splitjoin_cli.core import trace
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.files import is_file
from splitjoin_cli.core.progress import phase_of, skip

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from splitjoin_cli.core.model import ChunkState
    from splitjoin_cli.core.progress import Observer

DEBUG = "--debug"
SOURCE_AND_DEST = 2
STDERR = "-"
ON = frozenset({"1", "true", "t", "yes", "y", "on", STDERR})
OFF = frozenset({"0", "false", "f", "no", "n", "off", ""})
_LOG_NAME = re.compile(r".+\.(?:jsonl|ndjson|json|log)", re.IGNORECASE)


def with_value(arguments: Sequence[str]) -> list[str]:
    """The arguments with ``--debug [FILE]`` as one word.

    A word after ``--debug`` is FILE where it is named as a log, or where it is the last one and the command has its
    own words without it: ``split --debug a.csv out`` must not write into the export. ``--debug=FILE`` is always FILE.
    """
    words, own = list(arguments), list(arguments)
    if "--" in own:
        own = own[: own.index("--")]
    if DEBUG not in own:
        return words
    at = own.index(DEBUG)
    follower = own[at + 1] if at + 1 < len(own) else None
    if follower is None or follower.startswith("-") or not (_LOG_NAME.fullmatch(follower) or _is_spare(words, at + 1)):
        words[at] = f"{DEBUG}={STDERR}"
    else:
        words[at : at + 2] = [f"{DEBUG}={follower}"]
    return words


def _is_spare(words: Sequence[str], at: int) -> bool:
    """Whether the word there is the last one, and the command has all its own words without it."""
    if at != len(words) - 1:
        return False
    import click

    from splitjoin_cli.cli.group import cli

    command = cli.get_command(click.Context(cli), words[0])
    if command is None:
        return False
    flags = {text for one in command.params if isinstance(one, click.Option) and one.is_flag for text in one.opts}
    before = [("", words[0]), *pairwise(words[: at - 1])]  # each word with the one that it may be the value of
    own = [word for previous, word in before if not word.startswith("-") and not _takes_value(previous, flags)]
    # FILE_NAME of status and PLACE of ls are asked for as the others are: --debug before them is no FILE.
    takes = [one.nargs for one in command.params if isinstance(one, click.Argument)]
    if -1 in takes and is_file(own[-1]):  # one of several sources: what follows is DEST
        return False
    return len(own) - 1 >= sum(SOURCE_AND_DEST if count < 0 else count for count in takes)


def _takes_value(word: str, flags: Collection[str]) -> bool:
    return word.startswith("--") and "=" not in word and word not in flags


def asked(words: Sequence[str]) -> str | None:
    """What ``--debug`` says, of arguments as ``with_value`` makes them: the typed one, else its variable."""
    own = words[: words.index("--")] if "--" in words else words
    typed = [word.partition("=")[2] for word in own if word.startswith(f"{DEBUG}=")]
    return typed[-1] if typed else os.environ.get(environment_variable(DEBUG))


@contextlib.contextmanager
def debugging(where: str | None) -> Iterator[None]:
    """Write what is told until the block is left; nothing where ``where`` is None or a word for no.

    Raises UsageError where FILE cannot be written, or holds something else than such lines.
    """
    if where is None or where.strip().lower() in OFF:
        yield
        return
    with contextlib.ExitStack() as stack:
        out = sys.stderr if where.strip().lower() in ON else stack.enter_context(_appended(Path(where)))
        lines = _Lines(out)
        logger, handler = logging.getLogger("splitjoin_cli"), _LogHandler(lines)
        logger.addHandler(handler)
        stack.callback(logger.removeHandler, handler)
        stack.enter_context(trace.hearing(lines.write))
        trace.note("started", python=sys.version.split()[0])
        yield


@contextlib.contextmanager
def _appended(path: Path) -> Iterator[TextIO]:
    """The file, at its end. One that is no log of ours is left as it is."""
    hint = f"name a new file, or leave it out for stderr: {DEBUG}"
    try:
        with path.open("a+", encoding="utf-8") as file:
            file.seek(0)
            if file.read(1) not in ("", "{"):
                raise UsageError(f"{DEBUG}: {path} is there, and holds no debug lines", hint=hint)
            yield file
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it holds no text"
        raise UsageError(f"{DEBUG}: cannot write {path}: {reason}", hint=hint) from exc


class _Lines:
    """Writes one JSON document a line; what cannot be written any more is dropped. Thread-safe."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._lock, self._began = out, threading.Lock(), time.monotonic()

    def write(self, event: str, facts: Mapping[str, trace.Fact]) -> None:
        """One line. Texts lose users, passwords and queries of URLs."""
        now = dt.datetime.now(tz=dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        elapsed = round(time.monotonic() - self._began, 6)
        told = {key: without_secrets(value) if isinstance(value, str) else value for key, value in facts.items()}
        line = json.dumps({"at": now, "elapsed": elapsed, "event": event, **told})
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._out.write(f"{line}\n")
            self._out.flush()


class _LogHandler(logging.Handler):
    """What the package logs is told as well."""

    def __init__(self, lines: _Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        facts = {name: getattr(record, name, None) for name in ("file_name", "chunk", "outcome", "rows", "seconds")}
        told = {name: value for name, value in facts.items() if value is not None}
        self._lines.write("log", {"level": record.levelname.lower(), "message": record.getMessage(), **told})


class Traced:
    """An Observer that tells what it hears, and lets another hear it too."""

    def __init__(self, inner: Observer) -> None:
        """``inner``: hears everything."""
        self._inner = inner
        self._phase: str | None = None
        self._began = 0.0
        self._bytes = self._chunks = 0
        self._thing = "chunk"
        self._lock = threading.Lock()

    def phase(self, name: str, total_bytes: int | None, total_chunks: int | None) -> None:
        """See Observer."""
        self._begin(name, "chunk")
        trace.note("phase", name=name, bytes=total_bytes, chunks=total_chunks)
        self._inner.phase(name, total_bytes, total_chunks)

    def phase_of(self, name: str, total_bytes: int | None, total: int, thing: str) -> None:
        """See ``progress.phase_of``."""
        self._begin(name, thing)
        trace.note("phase", name=name, bytes=total_bytes, total=total, thing=thing)
        phase_of(self._inner, name, total_bytes, total, thing)

    def _begin(self, name: str, thing: str) -> None:
        self.end()
        with self._lock:
            self._phase, self._began, self._bytes, self._chunks = name, time.monotonic(), 0, 0
            self._thing = thing

    def advance(self, size: int) -> None:
        """See Observer."""
        with self._lock:
            self._bytes += size
        self._inner.advance(size)

    def skip(self, size: int) -> None:
        """See ``progress.skip``."""
        with self._lock:
            self._bytes += size
        skip(self._inner, size)

    def chunk_done(self, number: int, state: ChunkState) -> None:
        """See Observer."""
        with self._lock:
            self._chunks += 1
        trace.note(self._thing, number=number, state=state)
        self._inner.chunk_done(number, state)

    def warn(self, message: str) -> None:
        """See Observer."""
        trace.note("warning", message=message)
        self._inner.warn(message)

    def detail(self, message: str) -> None:
        """See Observer."""
        trace.note("decision", message=message)
        self._inner.detail(message)

    def end(self) -> None:
        """The last phase has ended."""
        with self._lock:
            name, self._phase = self._phase, None
        if name is not None:
            seconds = round(time.monotonic() - self._began, 6)
            trace.note("phase ended", name=name, seconds=seconds, bytes=self._bytes, chunks=self._chunks)
