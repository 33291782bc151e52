"""What looks wrong in a file: each thing once, with its count, its first line and byte, and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.core.shown import in_quotes
from splitjoin_cli.core.words import count_text

if TYPE_CHECKING:
    from splitjoin_cli.splitting.inspect.look import Seen
    from splitjoin_cli.splitting.inspect.pieces import Pieces
    from splitjoin_cli.splitting.inspect.tally import First

__all__ = ["Problem", "problems_of"]

_MARK = b"\xef\xbb\xbf"
_NUMBER = re.compile(r"[0-9][0-9.,' ]*")


class Problem(NamedTuple):
    """What is wrong, and where first. ``line``: None where the lines before it were not read."""

    line: int | None
    byte: int
    message: str


def problems_of(seen: Seen, pieces: Pieces) -> list[Problem]:
    """All that was found, in the order of its places."""
    found = [*_of_bytes(seen, pieces), *_of_form(seen), *_of_records(seen), *_of_edges(seen)]
    return sorted(found, key=lambda one: one.byte)


def _of_bytes(seen: Seen, pieces: Pieces) -> list[Problem]:
    head, found = pieces.head, []
    nul = head.find(b"\0")
    if nul >= 0 and not str(seen.encoding.name).startswith(("utf-16", "utf-32")):
        found.append(_at(head, nul, "a NUL byte; databases refuse text that holds one"))
    inner = head.find(_MARK, 1)
    if inner > 0 and seen.encoding.name == "utf-8":
        found.append(_at(head, inner, "a byte order mark inside the file; were two files put together?"))
    if seen.invalid is not None:
        found.append(_at(head, seen.invalid, "bytes that are not valid UTF-8; the rest of the file is UTF-8"))
    last = head if pieces.whole else (pieces.tail[1] if pieces.tail else b"")
    if last.rstrip(b"\r\n").endswith(b"\x1a"):
        end = (0 if pieces.whole or not pieces.tail else pieces.tail[0]) + last.rindex(b"\x1a")
        found.append(Problem(None, end, "Ctrl-Z (0x1A) ends the file: it becomes part of the last record"))
    if not seen.encoding.sure:
        what = "the encoding is not sure; look at the letters above ASCII, and say which it is with --encoding NAME"
        high = re.search(rb"[\x80-\xff]", head)
        found.append(_at(head, high.start() if high else 0, what))
    return found


def _at(head: bytes, byte: int, message: str) -> Problem:
    return Problem(head.count(b"\n", 0, byte) + 1, byte, message)


def _of_form(seen: Seen) -> list[Problem]:
    found = []
    if seen.line_end == "\r":
        message = "every line ends with a carriage return alone, which split refuses; turn them into line feeds first: "
        found.append(Problem(1, 0, message + r"tr '\r' '\n' < FILE"))
    if seen.line_end == "mixed":
        found.append(Problem(1, 0, "some lines end with CR LF, others with LF alone"))
    if seen.form is None:
        message = "no delimiter makes records of one width; look at a few lines, and say which one with --delimiter"
        found.append(Problem(1, 0, message))
    elif not seen.settled and seen.rival:
        other = in_quotes(seen.rival.decode("utf-8", "replace"))
        message = f"{other} fits as a delimiter nearly as well; say which one it is with --delimiter"
        found.append(Problem(seen.skip_lines + 1, 0, message))
    if seen.doubtful_nulls:
        words = ", ".join(f"{word} ({times})" for word, times in seen.doubtful_nulls.items())
        message = f"unquoted fields that may be NULL or text: {words}; add --null TEXT if one of them means NULL"
        found.append(Problem(None, 0, message))
    if seen.form is not None and seen.header is None:
        message = "the first record may be a header or data, and nothing in it decides; if it is data, add --no-header"
        found.append(Problem(seen.skip_lines + 1, 0, message))
    return found


def _of_records(seen: Seen) -> list[Problem]:
    tally = seen.tally
    found: list[Problem] = []
    if tally is None:
        return found
    of = count_text(tally.records, "record")
    if tally.stray.times:
        many = f"{count_text(tally.stray.times, 'record')} of {of}"
        rule = f"; --on-stray-quote {seen.stray_rule} reads them" if seen.stray_rule else ": split refuses the first"
        found.append(_first(tally.stray, f"a quote in a wrong place, in {many}{rule}"))
    if tally.ragged.times:
        many = f"{tally.ragged.times} of {of} {'has' if tally.ragged.times == 1 else 'have'}"
        found.append(_first(tally.ragged, f"{many} not {tally.width} fields; this one has {tally.ragged.what}"))
    if tally.lone_cr.times and seen.form is not None and not seen.form.lf_only:
        what = "a carriage return without a line feed, outside quotes: split refuses it"
        found.append(_first(tally.lone_cr, f"{what} ({count_text(tally.lone_cr.times, 'record')})"))
    if tally.blank.times:
        found.append(_first(tally.blank, f"{count_text(tally.blank.times, 'blank line')} among the records"))
    if tally.repeated.times:
        found.append(_first(tally.repeated, f"the header again, {count_text(tally.repeated.times, 'time')}"))
    return found


def _first(first: First, message: str) -> Problem:
    return Problem(first.line, first.byte, message)


def _of_edges(seen: Seen) -> list[Problem]:
    found = []
    if seen.ragged_header:
        found.append(Problem(seen.skip_lines + 1, 0, "the header has another number of fields than the records"))
    if seen.left_open is not None:
        line, byte = seen.left_open
        what = "the quote that opens here is still open at the end of the file, and split refuses it"
        found.append(Problem(line, byte, f"{what}: was the file cut short?"))
    if seen.cut_off is not None:
        line, byte = seen.cut_off
        found.append(Problem(line, byte, "the last record has too few fields and no line end: was the file cut short?"))
    if seen.trailer_texts and seen.exact and seen.records is not None:
        said = _counts(seen.trailer_texts)
        if said and seen.records not in said and len(said) == 1:
            message = f"the trailer says {said.pop()}, and the file has {count_text(seen.records, 'record')}"
            found.append(Problem(None, seen.trailer_start, message))
    return found


_COUNTS = re.compile(
    rb"(?i)(?:rows?|records?|lines?|count|total|trl|trailer|tlr|^t)\W{0,4}(?:\w+\W){0,2}?(\d+)\b"
    rb"|\((\d+) rows?|^(\d+) (?:rows?|records?)"
)


def _counts(texts: list[bytes]) -> set[int]:
    """Numbers in a trailer that say how many records there are."""
    return {int(next(filter(None, match.groups()))) for text in texts for match in _COUNTS.finditer(text)}
