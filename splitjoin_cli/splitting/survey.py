"""What all bytes of a source are looked through for, beside its records: other encodings, marks, repeated headers.

Blocks are looked at on any thread, and put together in order: what lies across two of them is looked at then.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.core.model import BYTE_ORDER_MARK
from splitjoin_cli.core.native import SURVEY, Bytes, kernel
from splitjoin_cli.core.switches import SCANNER, switched
from splitjoin_cli.splitting.records.watch import ANYWHERE, EVEN, ODD

if TYPE_CHECKING:
    from splitjoin_cli.splitting.records.base import Alphabet

__all__ = ["Found", "Seen", "Survey", "SurveyForm"]

MAX_LINE_BYTES = 64 * 1024
"""A longer header is not looked for."""
UTF8 = "utf-8"
_SINGLE = 0x80
_LF = b"\n"
_BLANK = re.compile(rb"\n(?=[ \t]*\r?\n)")


class Seen(NamedTuple):
    """What one block holds. ``lead`` and ``tail``: bytes at its ends that are judged with its neighbours'.

    ``blanks``: where blank lines may be, as ``Watch.look`` takes it.
    """

    found: tuple[Found, Found, Found]
    lead: bytes
    tail: bytes
    size: int
    blanks: int


class Found(NamedTuple):
    """How many there are of something, and where the first is (-1: nowhere)."""

    total: int = 0
    first: int = -1

    def and_then(self, other: Found, base: int = 0) -> Found:
        """Both; places of ``other`` count from ``base``."""
        if not other.total:
            return self
        return Found(self.total + other.total, self.first if self.total else base + other.first)


NOTHING = Found()


@dataclass(frozen=True, slots=True)
class SurveyForm:
    """What is looked for. ``encoding``: of the bytes; None where they are sure to be right.

    ``line``: the header's text. ``headers``: whether lines like it are to be looked for once it is known. ``quote``:
    the byte whose number says whether a line end is in quotes; None where it does not.
    """

    encoding: str | None
    line: bytes = b""
    headers: bool = False
    quote: int | None = None

    @classmethod
    def of(cls, alphabet: Alphabet, encoding: str | None, *, headers: bool) -> SurveyForm:
        """Of a source in an alphabet."""
        tells = alphabet.stray == "error" and alphabet.escape is None
        return cls(encoding, headers=headers, quote=alphabet.quote if tells else None)

    def with_header(self, header: bytes) -> SurveyForm:
        """The same, once the header is known, with its byte order mark and line end."""
        text = header.removeprefix(BYTE_ORDER_MARK).removesuffix(_LF).removesuffix(b"\r")
        fits = self.headers and bool(text.strip()) and len(text) <= MAX_LINE_BYTES
        return replace(self, line=text if fits else b"", headers=False)

    def look(self, block: memoryview) -> Seen:
        """One block of at least one byte, for itself."""
        compiled = None if switched(SCANNER) else kernel()
        if compiled is None:
            return self._look_slowly(block)
        out = SURVEY()
        utf8, quote = self.encoding == UTF8, -1 if self.quote is None else self.quote
        with Bytes(block) as place:
            compiled.functions.sj_survey(
                compiled.level, place.address, place.size, self.line, len(self.line), quote, utf8, out
            )
        invalid, first_invalid, marks, first_mark, lines, first_line, lead, tail, blanks, *_ = out
        found = Found(invalid, first_invalid), Found(marks, first_mark), Found(lines, first_line)
        if self.encoding is not None and not utf8:
            return self._of_encoding(block, found[2], blanks)
        size = len(block)
        return Seen(found, bytes(block[:lead]), bytes(block[size - tail :]) if tail else b"", size, blanks)

    def _look_slowly(self, block: memoryview) -> Seen:
        data = bytes(block)
        lines, at = NOTHING, -1
        while self.line and (at := data.find(_LF + self.line, at + 1)) >= 0:
            if data[at + 1 + len(self.line) : at + 2 + len(self.line)] in (b"\n", b"\r"):
                lines = lines.and_then(Found(1, at + 1))
        blanks = self._blanks(data)
        if self.encoding is None:
            return Seen((NOTHING, NOTHING, lines), b"", b"", len(data), blanks)
        if self.encoding != UTF8:
            return self._of_encoding(block, lines, blanks)
        lead = len(data[:3]) - len(data[:3].lstrip(_CONTINUING))
        tail = _open_tail(data[lead:])
        text = data[lead : len(data) - tail]
        invalid, marks = _not_in(UTF8, text), _marks(text)
        found = NOTHING.and_then(invalid, lead), NOTHING.and_then(marks, lead), lines
        return Seen(found, data[:lead], data[len(data) - tail :] if tail else b"", len(data), blanks)

    def _blanks(self, data: bytes) -> int:
        found, counted, quotes = 0, 0, 0
        for feed in _BLANK.finditer(data):
            if self.quote is None:
                return ANYWHERE
            quotes += data.count(self.quote, counted, feed.start())
            counted = feed.start()
            found |= ODD if quotes % 2 else EVEN
            if found == ANYWHERE:
                break
        return found

    def _of_encoding(self, block: memoryview, lines: Found, blanks: int) -> Seen:
        """Another encoding than UTF-8: by its codec, from the first line end to the last, which no character holds."""
        assert self.encoding is not None  # noqa: S101 -- the caller looked
        data = bytes(block)
        odd = _odd_bytes(self.encoding)
        if odd is not None:
            found = [(data.count(byte), data.find(byte)) for byte in odd] if not data.isascii() else []
            places = [place for count, place in found if count]
            invalid = Found(sum(count for count, _ in found), min(places)) if places else NOTHING
            return Seen((invalid, NOTHING, lines), b"", b"", len(data), blanks)
        first, last = data.find(_LF) + 1, data.rfind(_LF) + 1
        if not last:
            return Seen((NOTHING, NOTHING, lines), data, b"", len(data), blanks)
        text = data[first:last]
        invalid = NOTHING.and_then(_not_in(self.encoding, text), first)
        return Seen((invalid, NOTHING, lines), data[:first], data[last:], len(data), blanks)


_CONTINUING = bytes(range(0x80, 0xC0))


@cache
def _odd_bytes(encoding: str) -> tuple[bytes, ...] | None:
    """The bytes that mean nothing in a single-byte encoding; None for one of several bytes."""
    every = bytes(range(0x80, 0x100))
    if len(every.decode(encoding, "replace")) != _SINGLE:
        return None
    texts = ((bytes([byte]), bytes([byte]).decode(encoding, "replace")) for byte in every)
    return tuple(byte for byte, text in texts if text == "\ufffd")


def _open_tail(data: bytes) -> int:
    """How many bytes at the end begin a character of UTF-8 that goes on behind it."""
    for back in range(1, min(3, len(data)) + 1):
        byte = data[-back]
        if byte not in _CONTINUING:
            needs = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1  # noqa: PLR2004 -- UTF-8
            return back if back < needs else 0
    return 0


def _leave_one_byte(exc: UnicodeError) -> tuple[str, int]:
    """A codec's error handler: the byte that is wrong becomes _INVALID, and the next one is looked at by itself."""
    if not isinstance(exc, UnicodeDecodeError):
        raise exc
    return _INVALID, exc.start + 1


_ONE_BYTE = "splitjoin_one_byte"
_INVALID = "\udc80"  # half of a pair: no character is decoded to it
codecs.register_error(_ONE_BYTE, _leave_one_byte)


def _not_in(encoding: str, data: bytes) -> Found:
    """The bytes that are not valid in an encoding. Decoding goes on behind each, in the same pass."""
    try:
        codecs.decode(data, encoding)
    except UnicodeDecodeError as exc:
        return Found(codecs.decode(data, encoding, _ONE_BYTE).count(_INVALID), exc.start)
    return NOTHING


class _Across:
    """Counts what is not valid in bytes of several blocks, in another encoding than UTF-8: each is decoded as it comes.

    A record may be larger than memory.
    """

    def __init__(self, encoding: str) -> None:
        """Nothing has come yet."""
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)(_ONE_BYTE)
        self._size = 0
        self._found = NOTHING

    def add(self, data: bytes) -> None:
        """What comes next."""
        begun = self._decoder.getstate()[0]  # the first bytes of a character that goes on here
        total = self._decoder.decode(data).count(_INVALID)
        if total:
            first = -1 if self._found.total else _not_in(self._encoding, begun + data).first
            self._found = self._found.and_then(Found(total, first), self._size - len(begun))
        self._size += len(data)

    def end(self) -> tuple[Found, int]:
        """What was found, by places from the first byte that came; and how many came."""
        begun = self._decoder.getstate()[0]
        return self._found.and_then(_not_in(self._encoding, begun), self._size - len(begun)), self._size


def _marks(data: bytes) -> Found:
    return Found(data.count(BYTE_ORDER_MARK), data.find(BYTE_ORDER_MARK)) if BYTE_ORDER_MARK in data else NOTHING


@dataclass(slots=True)
class Survey:
    """What was found so far, by places of the source: bytes that are not valid, byte order marks, lines like headers.

    ``at``: where the next block begins; ``foot``: the last bytes before it, which a line may begin in. ``last``: the
    source's last bytes, ``keeps`` of them.
    """

    form: SurveyForm
    at: int = 0
    foot: bytes = b""
    invalid: Found = NOTHING
    marks: Found = NOTHING
    lines: Found = NOTHING
    keeps: int = 0
    last: bytes = b""
    _open: bytes = field(default=b"")
    _line: _Across | None = None

    def add(self, block: memoryview, seen: Seen) -> None:
        """The next block, and what ``form.look`` saw in it."""
        self._stitch(seen)
        self._across(block)
        self.invalid = self.invalid.and_then(seen.found[0], self.at)
        self.marks = self.marks.and_then(seen.found[1], self.at)
        self.lines = self.lines.and_then(seen.found[2], self.at)
        self.at += seen.size

    def see(self, block: memoryview) -> None:
        """Look at the next block, and add it; one without bytes is passed over."""
        if block:
            self.add(block, self.form.look(block))

    def begin_body(self, header: bytes) -> None:
        """The header ends here: lines like it are those behind it, and may begin with its last byte."""
        self.close()
        self.form, self.foot = self.form.with_header(header), _LF

    def keep(self, block: memoryview) -> None:
        """Keep what may be the source's last bytes."""
        if len(block) >= self.keeps:
            self.last = bytes(block[len(block) - self.keeps :])
        else:
            self.last = (self.last + bytes(block))[-self.keeps :]

    def _stitch(self, seen: Seen) -> None:
        """Judge what lies across the blocks' border; a block that is all lead leaves it open."""
        if self.form.encoding is None or not (self._is_open or seen.lead or seen.tail):
            return
        self._keep_open(seen.lead)
        if len(seen.lead) < seen.size or len(self._open) > 4:  # noqa: PLR2004 -- no character of UTF-8 is longer
            self._judge(self.at + len(seen.lead))
            self._keep_open(seen.tail)

    @property
    def _is_open(self) -> bool:
        return bool(self._open) or self._line is not None

    def _keep_open(self, data: bytes) -> None:
        """These bytes are judged with those that follow: some of UTF-8, and a line of any length of the others."""
        encoding = self.form.encoding or UTF8
        if encoding == UTF8:
            self._open += data
        elif data:
            self._line = self._line or _Across(encoding)
            self._line.add(data)

    def _judge(self, end: int) -> None:
        """What is open ends at ``end``."""
        if self._line is not None:
            found, size = self._line.end()
            self.invalid, self._line = self.invalid.and_then(found, end - size), None
        elif self._open:
            start = end - len(self._open)
            self.invalid = self.invalid.and_then(_not_in(UTF8, self._open), start)
            self.marks = self.marks.and_then(_marks(self._open), start)
            self._open = b""

    def _across(self, block: memoryview) -> None:
        """Look for a line that begins before the block."""
        line = self.form.line
        if not line:
            return
        joint = self.foot + bytes(block[: len(line) + 2])
        at = -1
        while (at := joint.find(_LF + line, at + 1)) >= 0 and at < len(self.foot):
            end = at + 1 + len(line)
            if joint[end : end + 1] in (b"\n", b"\r") and (at < len(self.foot) and end + 1 > len(self.foot)):
                self.lines = self.lines.and_then(Found(1, self.at - len(self.foot) + at + 1))
        keep = len(line) + 1
        self.foot = bytes(block[-keep:]) if len(block) >= keep else (self.foot + bytes(block))[-keep:]

    def close(self) -> None:
        """A record ends here: what is open is judged."""
        self._judge(self.at)

    def end(self) -> None:
        """The source has ended: what is open is judged, and a last line needs no end."""
        self.close()
        if self.form.line and self.foot == _LF + self.form.line:
            self.lines = self.lines.and_then(Found(1, self.at - len(self.form.line)))

    def take(self, other: Survey) -> None:
        """What was found in the bytes that follow, which begin and end where records do."""
        self.invalid = self.invalid.and_then(other.invalid)
        self.marks = self.marks.and_then(other.marks)
        self.lines = self.lines.and_then(other.lines)
        self.at, self.foot, self._open, self._line = other.at, other.foot, b"", None
