"""All that the command line says: data on stdout, talk on stderr; the only place that knows a terminal."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TextIO, TypeVar, cast

from splitjoin_cli.cli.lines import Line, Piece, wrapped
from splitjoin_cli.cli.output import OutputClosedError
from splitjoin_cli.cli.signals import held_back
from splitjoin_cli.cli.text import visible
from splitjoin_cli.core import trace
from splitjoin_cli.core.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from rich.live import Live
    from rich.text import Text

    from splitjoin_cli.cli.lines import Tone
    from splitjoin_cli.core.errors import SplitjoinError
    from splitjoin_cli.core.progress import Observer

T = TypeVar("T")
BATCH = 1000
SMALL = {str, int, float, bool, type(None), dict, tuple}
"""Types of which no value of a document is large."""
LOG_COLUMNS = 80
STYLES: Mapping[Tone, str] = {
    "plain": "",
    "good": "green",
    "busy": "cyan",
    "warning": "yellow",
    "bad": "bold red",
    "faint": "bright_black",
    "strong": "bold",
}


class Terminal:
    """Says things as ``--json``, ``-q``, ``-v`` and ``--no-progress`` ask."""

    def __init__(
        self, *, as_json: bool = False, quiet: bool = False, verbose: bool = False, progress: bool = True
    ) -> None:
        """``as_json``: stdout takes documents only. ``quiet``: nothing but errors is said."""
        self.progress = progress
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose

    def data(self, text: str) -> None:
        """Write a line, or lines, to stdout: the bytes of names that are no UTF-8 as the file system has them."""
        write_stdout(f"{visible(text)}\n")

    def lines(self, lines: Iterable[str]) -> None:
        """Write lines to stdout as they come: a million of them are never held."""
        for batch in batched(lines):
            write_stdout(visible("".join(f"{line}\n" for line in batch)))

    def report(self, lines: Iterable[Line]) -> None:
        """Write a report's lines to stdout, as they come: on a terminal in colours and wrapped, else as they are."""
        if not is_terminal(sys.stdout):
            self.lines(line.text for line in lines)
            return
        from rich.console import Console

        console = Console(file=sys.stdout)
        for batch in batched(lines):
            with console.capture() as captured:
                console.print(_rich_text(batch, stdout_columns()), soft_wrap=True)
            write_stdout(captured.get())

    def document(self, document: Mapping[str, object] | Iterable[Mapping[str, object]]) -> None:
        """Write the one JSON document to stdout; a sequence that is no list or tuple piece by piece, as it comes.

        What is no mapping is an array of documents, of which each is made when it is written.
        """
        for batch in batched(_json(document) if isinstance(document, Mapping) else _json_list(document)):
            write_stdout("".join(batch))
        write_stdout("\n")

    def note(self, text: str) -> None:
        """Say something on stderr, unless ``-q``."""
        if not self.quiet:
            say(text)

    def say(self, text: str) -> None:
        """Say something on stderr, with ``-q`` too: a part of an error."""
        say(text)

    def error(self, error: SplitjoinError) -> None:
        """Say what failed and what to do next: as a document on stdout with ``--json``, else on stderr."""
        if self.as_json:
            self.document({"error": error_document(error)})
            return
        say(f"Error: {error.message}")
        if error.hint:
            say(f"Hint: {error.hint}")

    @contextlib.contextmanager
    def observer(self) -> Iterator[Observer]:
        """What shows progress until the block is left: bars on a terminal, else a line now and then."""
        from splitjoin_cli.cli.progress import PlainProgress

        shown: AbstractContextManager[Observer]
        if self.quiet:
            shown = contextlib.nullcontext(Silent())
        elif not self.progress:
            shown = contextlib.nullcontext(Warns(self))
        elif is_terminal(sys.stderr) and not trace.heard():
            from splitjoin_cli.cli.bars import RichProgress

            shown = RichProgress(verbose=self.verbose)
        else:  # also beside the lines of --debug, which would tear a drawing apart
            shown = PlainProgress(say, verbose=self.verbose)
        with shown as observer:
            if not trace.heard():
                yield observer
                return
            from splitjoin_cli.cli.debug import Traced

            traced = Traced(observer)
            try:
                yield traced
            finally:
                traced.end()

    @contextlib.contextmanager
    def screen(self) -> Iterator[Screen]:
        """What shows something that changes until the block is left; what was drawn is gone then."""
        if self.as_json or self.quiet or not is_terminal(sys.stderr):
            yield PrintedScreen(self.note)
            return
        from rich.console import Console
        from rich.live import Live

        with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
            yield DrawnScreen(live)


class Warns(Silent):
    """An Observer that shows no progress: it says warnings and, with ``-v``, details."""

    def __init__(self, terminal: Terminal) -> None:
        """``terminal``: says them."""
        self._terminal = terminal

    def warn(self, message: str) -> None:
        """Say it, unless ``-q``."""
        self._terminal.note(f"Warning: {message}")

    def detail(self, message: str) -> None:
        """Say it with ``-v``."""
        if self._terminal.verbose:
            self._terminal.note(message)


class Screen(Protocol):
    """Shows what changes: each text takes the place of the one before."""

    @property
    def columns(self) -> int | None:
        """How wide it is; None where nothing is drawn."""

    @property
    def rows(self) -> int | None:
        """How many lines are seen of what is shown; None where nothing is drawn."""

    def show(self, lines: Sequence[Line], line: str) -> None:
        """Show ``lines``; or, where nothing can be drawn over, say ``line`` where it is another than before."""


class DrawnScreen:
    """A terminal, drawn over in place."""

    def __init__(self, live: Live) -> None:
        """``live``: rich's, begun."""
        self._live = live

    @property
    def columns(self) -> int | None:
        """See Screen."""
        return self._live.console.width

    @property
    def rows(self) -> int | None:
        """See Screen."""
        return self._live.console.height

    def show(self, lines: Sequence[Line], line: str) -> None:  # noqa: ARG002 -- see Screen
        """See Screen."""
        text = _rich_text(lines, self._live.console.width)
        with held_back():
            self._live.update(text, refresh=True)


class PrintedScreen:
    """A log: a line for each change."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """``say``: takes each line."""
        self._say = say
        self._last: str | None = None

    @property
    def columns(self) -> int | None:
        """See Screen."""
        return None

    @property
    def rows(self) -> int | None:
        """See Screen."""
        return None

    def show(self, lines: Sequence[Line], line: str) -> None:  # noqa: ARG002 -- see Screen
        """See Screen."""
        if line != self._last:
            self._say(line)
            self._last = line


def stdout_columns() -> int:
    """How wide what goes to stdout may be: the terminal, COLUMNS, or LOG_COLUMNS where it is no terminal."""
    import shutil  # it imports a good deal more

    return shutil.get_terminal_size((LOG_COLUMNS, 24)).columns


def _rich_text(lines: Sequence[Line], width: int) -> Text:
    from rich.text import Text

    seen = [Line(tuple(Piece(visible(piece.text), piece.tone) for piece in line.pieces), line.indent) for line in lines]
    return Text("\n").join(
        Text.assemble(*((piece.text, STYLES[piece.tone]) for piece in line.pieces)) for line in wrapped(seen, width)
    )


def _json_list(documents: Iterable[Mapping[str, object]]) -> Iterator[str]:
    opening = "["
    for document in documents:
        yield opening
        yield from _json(document)
        opening = ", "
    yield "]" if opening == ", " else "[]"


def _json(document: Mapping[str, object]) -> Iterator[str]:
    """What ``json.dumps`` makes of it, in pieces: the values beside one another that are small in one."""
    opening, small = "{", {}
    for key, value in document.items():
        if type(value) in SMALL or not _in_pieces(value):
            small[key] = value
            continue
        if small:
            yield opening + _inside(small)
            opening, small = ", ", {}
        yield f"{opening}{json.dumps(key)}: "
        opening = ", "
        if isinstance(value, list):
            yield from _json_list(value)
            continue
        yield "["
        for number, item in enumerate(cast("Sequence[object]", value)):
            text = str(item) if type(item) is int else json.dumps(item, allow_nan=False)
            yield f", {text}" if number else text
        yield "]"
    if small:
        yield opening + _inside(small)
    yield "}" if document else "{}"


def _in_pieces(value: object) -> bool:
    """Whether a value of a document may be large: documents, or numbers that are kept as ranges."""
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], dict)
    return isinstance(value, Sequence) and not isinstance(value, str | tuple)


def _inside(small: Mapping[str, object]) -> str:
    return json.dumps(small, allow_nan=False)[1:-1]


def batched(items: Iterable[T]) -> Iterator[list[T]]:
    """The items in lists of at most BATCH."""
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch


def error_document(error: SplitjoinError) -> dict[str, object]:
    """An error's JSON form."""
    return error.to_json()


def is_terminal(stream: TextIO | None) -> bool:
    """Whether what is written can be drawn over. A process without a stderr has None there."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def say(text: str) -> None:
    """One message on stderr. Never raises: a talk that nobody hears fails nothing."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{visible(text)}\n")
        sys.stderr.flush()


def write_stdout(text: str) -> None:
    """Write and flush. Raises OutputClosedError where stdout takes no more."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()
    except (OSError, AttributeError) as exc:
        reason = getattr(exc, "strerror", None) or "it is closed"
        raise OutputClosedError(f"cannot write to standard output: {reason}") from exc
