"""Says what a file is before it is split: opens it, reads some of it, judges that."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING

from splitjoin_cli.api import arguments
from splitjoin_cli.core.errors import BadInputError, UsageError
from splitjoin_cli.core.files import is_directory
from splitjoin_cli.core.places import is_s3
from splitjoin_cli.core.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.aws.options import Session
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.inspect.look import Seen
    from splitjoin_cli.splitting.inspect.pieces import Pieces
    from splitjoin_cli.splitting.inspect.result import InspectResult
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["inspect", "inspect_source"]

_MANY_NULS, _NUL_SHARE = 32, 20


def inspect(
    source: arguments.Path,
    *,
    full: bool = False,
    tmp_dir: arguments.Path | None = None,
    request_payer: bool = False,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: Session | None = None,
    observer: Observer | None = None,
) -> InspectResult:
    """Say what ``source`` is, and which options of ``split`` fit it; at most 16 MiB of it are read.

        found = splitjoin_cli.inspect("export.csv")
        print(found.command, found.problems)

    ``full``: read all of it, and count the records. The other options are those of the command (``splitjoin inspect
    --help``). Raises UsageError, BadInputError (no text table), SourceError.
    """
    from splitjoin_cli.splitting.inspect.pieces import MOST_BYTES
    from splitjoin_cli.stores.sources.open import open_bytes

    spec = os.fspath(source)
    _check_named(spec)
    opened, start, all_there = open_bytes(
        spec,
        tmp_dir=None if tmp_dir is None else Path(tmp_dir),
        aws=arguments.aws(profile, region, endpoint_url, session) if is_s3(spec) else None,
        request_payer="requester" if request_payer else None,
        pipe_bytes=None if full else MOST_BYTES,
    )
    try:
        return inspect_source(opened, start, spec, full=full, all_there=all_there, observer=observer)
    finally:
        opened.close()


def inspect_source(
    opened: Source,
    start: bytes,
    spec: str,
    *,
    full: bool = False,
    all_there: bool = True,
    observer: Observer | None = None,
) -> InspectResult:
    """The same for an opened source, decompressed and not transcoded, whose first block is ``start``.

    ``spec``: as typed. ``all_there``: False for the first bytes of a pipe.
    """
    from splitjoin_cli.splitting.inspect.pieces import read_pieces

    name = "standard input" if spec == "-" else opened.properties.uri
    _check_text(start, name)
    heard = observer or Silent()
    pieces = read_pieces(opened, heard, from_front=not all_there)
    if not pieces.head:
        raise BadInputError(
            f"{name} is empty; expected a header or a record", hint="check the export that should have written it"
        )
    seen, pieces = _judged(opened, pieces, full=full, observer=heard)
    _refuse_markup(start, name, seen)
    return _result(spec, opened, pieces, seen, all_there=all_there)


def _check_named(spec: str) -> None:
    if not spec:
        raise UsageError("SOURCE is empty", hint="name a file, a URL, or - for standard input")
    if "://" not in spec and is_directory(spec):
        raise UsageError(f"{spec} is a directory", hint="name one file in it")


def _check_text(start: bytes, name: str) -> None:
    """Refuse what is mostly NUL bytes and is not UTF-16 or UTF-32 either: a binary file of an unknown kind."""
    from splitjoin_cli.splitting.inspect.encoding import encoding_of

    if start.count(0) > max(_MANY_NULS, len(start) // _NUL_SHARE) and not encoding_of(start).wide:
        raise BadInputError(f"{name} is a binary file, not delimited text", hint="export it as CSV, and split that")


def _judged(opened: Source, pieces: Pieces, *, full: bool, observer: Observer) -> tuple[Seen, Pieces]:
    from splitjoin_cli.splitting.inspect.look import encoding_in, look, transcoded, transcoded_blocks

    encoding = encoding_in(pieces)
    blocks = _blocks(opened, observer) if full and not pieces.whole else None
    if encoding.wide:
        pieces = transcoded(pieces, str(encoding.name))
        blocks = None if blocks is None else transcoded_blocks(blocks, str(encoding.name))
    return look(pieces, encoding, blocks), pieces


def _blocks(opened: Source, observer: Observer) -> Iterator[bytes]:
    """All of a source, in blocks."""
    from splitjoin_cli.splitting.inspect.count import STRETCH_BYTES

    observer.phase("counting", opened.properties.size, None)
    stream = opened.stream()
    try:
        buffer = memoryview(bytearray(STRETCH_BYTES))
        while filled := stream.readinto(buffer):
            observer.advance(filled)
            yield bytes(buffer[:filled])
    finally:
        stream.close()


def _refuse_markup(start: bytes, name: str, seen: Seen) -> None:
    """Raise BadInputError for JSON, HTML and XML that hold no delimiter, as ``split`` does."""
    from splitjoin_cli.core.model import Dialect
    from splitjoin_cli.splitting.first_block import look as look_at_block

    delimiter = "," if seen.form is None else seen.form.delimiter.decode("latin-1")
    if len(delimiter) == 1 and delimiter.isascii():
        look_at_block(start, name, Dialect(delimiter=delimiter, quotechar=None), typed=False)


def _result(spec: str, opened: Source, pieces: Pieces, seen: Seen, *, all_there: bool) -> InspectResult:
    from splitjoin_cli.splitting.inspect import words
    from splitjoin_cli.splitting.inspect.problems import problems_of
    from splitjoin_cli.splitting.inspect.result import InspectResult

    properties = opened.properties
    shown = words.shown_source(spec)
    options = words.options_of(seen) + _named(spec, seen)
    form, tally = seen.form, seen.tally
    splits = form is not None and seen.line_end != "\r" and words.can_be_typed(seen)
    charset = "utf-8" if seen.encoding.wide else seen.encoding.name or "utf-8"
    return InspectResult(
        source=shown,
        bytes=properties.stored_bytes if all_there else None,
        compression=properties.compression,
        encoding=seen.encoding.name,
        byte_order_mark=bool(seen.encoding.mark),
        line_end=seen.line_end,
        delimiter=words.delimiter_text(seen),
        quotechar=words.quote_of(seen),
        escapechar=form.escape.decode() if form and form.escape else None,
        nulls=tuple(seen.nulls),
        header=seen.header,
        skip_lines=None if form is None else seen.skip_lines,
        skip_trailer=None if form is None else seen.trailer,
        fields=dict(tally.fields.most_common()) if tally else {},
        columns=tuple(name.decode(charset, "replace") for name in seen.columns) if seen.header is not False else (),
        records=seen.records,
        records_exact=seen.exact and seen.records is not None,
        problems=tuple(problems_of(seen, pieces)),
        options=tuple(options) if splits else (),
        command=words.command_of(shown, options) if splits else None,
        sep_line=seen.sep_line,
        trailer=tuple(text.decode(charset, "replace") for text in seen.trailer_texts),
    )


def _named(spec: str, seen: Seen) -> list[str]:
    """``--client``, where the source's own name is none."""
    from splitjoin_cli.core.source_name import name_job
    from splitjoin_cli.stores.sources.local import is_pipe

    if seen.form is None:
        return []
    if spec == "-" or is_pipe(spec):
        return ["--client", "NAME"]
    try:
        name_job(spec, client=None, date=None, pattern=None, today=dt.datetime.now(tz=dt.UTC).date())
    except UsageError as exc:
        proposed = (exc.hint or "").removeprefix("type --client ").partition(", or another name")[0]
        return ["--client", proposed if proposed != exc.hint else "NAME"]
    return []
