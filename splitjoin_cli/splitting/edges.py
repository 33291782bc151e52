"""What the user of a source should know: that its ends look like a preamble or a trailer, or its bytes like other ones.

Nothing is left out by these: they say what was seen and, where it is hardly a record, which option leaves it out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.lines import LineRule
from splitjoin_cli.core.shown import shown
from splitjoin_cli.core.words import count_text
from splitjoin_cli.splitting.locate import byte_of, line_of, read_blocks
from splitjoin_cli.splitting.trailer import MOST_TRAILER_LINES, count_in, is_tagged, text_fields

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from splitjoin_cli.core.model import Dialect
    from splitjoin_cli.splitting.around import Around
    from splitjoin_cli.splitting.survey import Survey
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["LOOK_BYTES", "edge_hints", "preamble_hint", "survey_warnings", "trailer_hint"]

LOOK_BYTES = 64 * 1024
"""Of the beginning and of the end."""
SHOWN_BYTES = 80
MOST_LINES = 30
"""A longer preamble is not looked for."""
_SUBSTITUTE = b"\x1a"
_WORDS = re.compile(
    r"\b(?:rows?|records?|lines?|trailer|footer|end of (?:file|report|data)|eof|totals?|generated|printed|copyright|"
    r"confidential|report|source:|notes?:|page \d+)\b",
    re.IGNORECASE,
)


def preamble_hint(start: bytes, dialect: Dialect, *, whole: bool) -> tuple[str, int] | None:
    """That lines before the header look like none of the table; ``start``: the first bytes, ``whole``: all of them.

    Lines are, where they have no more than one field that is not empty, and the first line that is wider has names in
    all its fields, as many as the line after it. None where that is not so: a header may be anything else.
    With it comes the number of those names.
    """
    lines = start.removeprefix(b"\xef\xbb\xbf").split(b"\n")[: MOST_LINES + 3]
    if not whole or not lines[-1]:
        lines = lines[:-1]
    delimiter = dialect.delimiter_bytes
    counts = [line.rstrip(b"\r").count(delimiter) for line in lines]
    if len(counts) < 2 or _is_wide(lines[0], delimiter):  # noqa: PLR2004 -- a preamble and a header
        return None
    place = next((at for at, line in enumerate(lines) if _is_wide(line, delimiter)), None)
    if place is None or place > MOST_LINES:
        return None
    texts = [line.decode(dialect.encoding, "replace").rstrip("\r") for line in lines[: place + 1]]
    names = text_fields(texts[place], dialect)
    after = lines[place + 1 : place + 2]
    if not all(map(_is_name, names)) or len(set(names)) < len(names):
        return None
    if (
        after
        and after[0].strip()
        and counts[place + 1] != counts[place]
        and (dialect.quotechar or "") not in texts[place]
    ):
        return None
    values = [] if not after else text_fields(after[0].decode(dialect.encoding, "replace"), dialect)
    if place == 1 and not re.search(r"[\s,;:]", texts[0].strip()) and all(map(_is_name, values)):
        return None  # a word alone may be the header of one column
    which = "line 1 looks" if place == 1 else f"lines 1-{place} look"
    first = next((text for text in texts[:place] if text.strip()), "")
    text = f"{which} like text before the header ({shown(first, SHOWN_BYTES)}); to leave it out: --skip-lines {place}"
    return text, len(names)


def _is_wide(line: bytes, delimiter: bytes) -> bool:
    """Whether more than one of its fields holds something."""
    return sum(bool(field.strip(b' \t\r"')) for field in line.split(delimiter)) > 1


def _is_name(text: str) -> bool:
    """Whether a field may be a column's name."""
    return any(char.isalpha() for char in text)


def trailer_hint(end: bytes, dialect: Dialect, *, fields: int, rows: int | None, begun: bool) -> str | None:
    """That the last lines look like a trailer; ``end``: the last bytes, of which the first line may have ``begun``.

    ``fields``: of the header; ``rows``: how many records there are, those lines included; None: not counted.
    """
    rule = LineRule(dialect.delimiter_bytes)
    lines = end.split(b"\n")[int(begun) :]
    last = [line for line in lines if not rule.is_blank(line)][-MOST_TRAILER_LINES - 1 :]
    if last and last[-1].strip() == _SUBSTITUTE:
        return "the last line is Ctrl-Z (0x1A), which old programs end a file with; to leave it out: --skip-trailer 1"
    if last and last[-1].rstrip().endswith(_SUBSTITUTE):
        return "the last field ends with Ctrl-Z (0x1A), which old programs end a file with; export the file without it"
    texts = [line.decode(dialect.encoding, "replace").removesuffix("\r") for line in last]
    found = 0
    while found < min(len(texts) - 1, MOST_TRAILER_LINES) and _ends(texts[-found - 1], dialect, fields, rows):
        found += 1
    if not found:
        return None
    what = count_text(found, "line")
    return (
        f"the last {what if found > 1 else 'line'} {'look' if found > 1 else 'looks'} like a trailer "
        f"({shown(texts[-found], SHOWN_BYTES)}); to leave {'them' if found > 1 else 'it'} out: --skip-trailer {found}"
    )


def _ends(text: str, dialect: Dialect, fields: int, rows: int | None) -> bool:
    """Whether a line is one of a trailer, and cannot well be a record, or the end of one that began lines before."""
    if dialect.quotechar and text.count(dialect.quotechar) % 2:
        return False
    parts: Sequence[str] = text_fields(text, dialect)
    said = count_in(text, dialect, fields)
    if len(parts) == fields:
        if fields == 1:
            return (
                said is not None
                and re.fullmatch(r"\(?[\d,.]+ rows?( affected| selected)?\)?\.?", text.strip()) is not None
            )
        return (
            is_tagged(parts[0]) and said is not None and rows is not None and rows - MOST_TRAILER_LINES <= said < rows
        )
    full = [part for part in parts if part]
    if len(full) <= 1:
        return said is not None or is_tagged(parts[0]) or _WORDS.search(text) is not None
    return is_tagged(parts[0]) or (len(full) == 2 and full[1].isdigit() and _WORDS.search(full[0]) is not None)  # noqa: PLR2004


def survey_warnings(survey: Survey, source: Source, dialect: Dialect, *, declared: bool) -> Iterator[str]:
    """What was seen in all bytes of ``source``; ``declared``: whether its user said which encoding it has."""
    if survey.invalid.total:
        at = survey.invalid.first
        where = f"line {line_of(source, at)} (byte {byte_of(source, at)})"
        byte = b"".join(map(bytes, read_blocks(source, at, at + 1)))
        what = f"the byte 0x{byte.hex()} is not valid {dialect.encoding.upper()}"
        more = f"; {survey.invalid.total:,} such bytes in all" if survey.invalid.total > 1 else ""
        way = "check --encoding" if declared else "name the file's encoding, for example --encoding cp1252"
        yield f"{where}: {what}{more}; {way}"
    if survey.marks.total:
        at = survey.marks.first
        more = f", {survey.marks.total:,} in all," if survey.marks.total > 1 else ""
        yield (
            f"line {line_of(source, at)} (byte {byte_of(source, at)}): a byte order mark{more} inside the file, where "
            "it is part of a value: several files may have been put together"
        )
    if survey.lines.total:
        at, count = survey.lines.first, survey.lines.total
        lines = "1 line is" if count == 1 else f"{count:,} lines are"
        yield (
            f"{lines} equal to the header, the first at line {line_of(source, at)} (byte {byte_of(source, at)}); "
            "to take no such line as a row: --skip-repeated-headers"
        )


def edge_hints(
    around: Around, dialect: Dialect, *, fields: int, rows: int | None, last: bytes | None = None
) -> Iterator[str]:
    """What the beginning and the end of the records look like, where nothing was to be left out there.

    ``last``: the last bytes that were scanned; None where nothing was, so that the source is read there.
    """
    skip, source = around.skip, around.source
    start = around.beginning(LOOK_BYTES)
    if start is not None and not skip.lines and dialect.header:
        found = preamble_hint(start, dialect, whole=len(start) < LOOK_BYTES)
        if found is not None:
            text, fields = found
            yield text
    if skip.trailer:
        return
    size = source.properties.size or 0
    end = b"".join(map(bytes, read_blocks(source, max(size - LOOK_BYTES, 0), size))) if last is None else last
    hint = trailer_hint(end, dialect, fields=fields, rows=rows, begun=len(end) >= LOOK_BYTES)
    yield from () if hint is None else (hint,)
