"""Encodings: which ones pass untouched, which ones become UTF-8 on the way in, and which ones were not declared.

Cutting needs no more than this: the bytes of line ends, quotes and delimiters mean these characters and nothing else.
That holds for UTF-8, for every one-byte code page that keeps ASCII, and for the double-byte ones of East Asia.
"""

from __future__ import annotations

import codecs
from functools import lru_cache
from typing import TYPE_CHECKING, final

from splitjoin_cli.core.bytes.pieces import PiecewiseStream
from splitjoin_cli.core.errors import BadInputError, UsageError
from splitjoin_cli.core.shown import in_quotes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from splitjoin_cli.core.bytes.base import ByteStream

__all__ = [
    "TranscodedStream",
    "check_characters",
    "chunk_encoding",
    "needs_transcoding",
    "reject_wide_encoding",
    "wide_encoding",
]

_STRUCTURE = b"\t\n\r \"',;:0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TRANSCODED = ("utf-16", "utf-32")
_SHIFTING = ("iso2022", "hz", "utf-7")
"""Codecs that write other scripts with the bytes of ASCII, commas and quotes included, between escape sequences."""
_NOT_FOR_FILES = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"})
_SWALLOW_THEIR_MARK = frozenset({"utf-16", "utf-32", "utf-8-sig"})

_READ_BYTES = 256 * 1024

_WIDE_MARKS = (  # longest first: UTF-32LE's begins with UTF-16LE's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE = ("utf-32le", "utf-32be", "utf-16le", "utf-16be")
_ASCII_SHARE = 4
"""Without a mark, one character in four must be ASCII to call a text wide: delimiters and digits see to that."""
_MANY = 20
_CONTROLS = frozenset(map(chr, range(0x20))) - frozenset("\t\n\v\f\r\x1a")
_TEXT = frozenset(b"\t\n\r") | frozenset(range(0x20, 0x7F))
_PRINTABLE = _TEXT | {0}
_LONG_HEADER = 7


def _lookup(encoding: str) -> codecs.CodecInfo:
    try:
        info = codecs.lookup(encoding)
    except (LookupError, ValueError) as exc:  # ValueError: a NUL in the name
        raise UsageError(f"unknown encoding: {encoding}", hint="one of Python's, such as utf-16 or cp1252") from exc
    if not info._is_text_encoding or info.name.replace("_", "-") in _NOT_FOR_FILES:  # noqa: SLF001 -- nothing public tells
        raise UsageError(f"not an encoding of text files: {encoding}", hint="one such as utf-16 or cp1252")
    return info


@lru_cache
def needs_transcoding(encoding: str) -> bool:
    """Whether text in ``encoding`` must become UTF-8 before it can be cut: UTF-16 and UTF-32.

    Raises UsageError for an unknown name, and for an encoding in which ASCII's bytes are not ASCII's characters always.
    """
    info = _lookup(encoding)
    if info.name.startswith(_TRANSCODED):
        return True
    try:
        keeps = not info.name.startswith(_SHIFTING) and info.decode(_STRUCTURE)[0] == _STRUCTURE.decode("ascii")
    except UnicodeError:
        keeps = False
    if not keeps:
        raise UsageError(
            f"files in {encoding} cannot be split: its bytes do not always mean the characters that they mean in ASCII",
            hint=f"convert the file to UTF-8 first: iconv -f {encoding} -t UTF-8",
        )
    return False


def chunk_encoding(encoding: str) -> str:
    """The encoding of the chunks' bytes, by its canonical name, when the source's is ``encoding``."""
    name = "utf-8" if needs_transcoding(encoding) else _lookup(encoding).name
    return "utf-8" if name.startswith("utf-8") else name


def check_characters(encoding: str, texts: Iterable[str]) -> None:
    r"""Refuse delimiters and the like whose bytes may be part of another character, as ``\`` may in Shift JIS.

    Raises UsageError that names the byte; and where one is not in the encoding. Costs nothing for UTF-8 and what is
    transcoded, little for single-byte encodings, some 50 ms for others.
    """
    if needs_transcoding(encoding) or _lookup(encoding).name.startswith("utf-8"):
        return
    parts = _parts_of_characters(encoding)
    for text in texts:
        try:
            written = text.encode(encoding)
        except UnicodeEncodeError as exc:
            raise UsageError(f"{in_quotes(text)} is not in {encoding}", hint="check --encoding") from exc
        byte = next((byte for byte in written if byte in parts), None)
        if byte is not None:
            message = f"{in_quotes(text)} cannot separate or quote fields in {encoding}: byte 0x{byte:02x} of it"
            message += " is also a part of other characters"
            raise UsageError(message, hint="choose another character, or convert the file to UTF-8 first")


@lru_cache
def _parts_of_characters(encoding: str) -> frozenset[int]:
    """The bytes that are part of some longer character of the Basic Multilingual Plane."""
    if len(bytes(range(0x80, 0x100)).decode(encoding, "replace")) == 0x80:  # noqa: PLR2004 -- each byte is a character
        return frozenset()
    found: set[int] = set()
    for code in range(0x80, 0x10000):
        try:
            written = chr(code).encode(encoding)
        except UnicodeError:
            continue
        if len(written) > 1:
            found.update(written)
    return frozenset(found)


def reject_wide_encoding(start: bytes, name: str, encoding: str | None = None) -> None:
    """Raise BadInputError if a source whose first block is ``start`` is UTF-16 or UTF-32, by mark or by structure.

    ``encoding``: the one that was declared, which does not need transcoding. Whoever says cp1252 may have bytes that
    look like a mark; whoever says UTF-8 may have NULs where UTF-16 has them, and no mark, which is never UTF-8.
    """
    if encoding is not None and chunk_encoding(encoding) != "utf-8":
        return
    for mark, wide in _WIDE_MARKS:
        if start.startswith(mark):
            raise _undeclared(name, wide)
    wide_one = wide_encoding(start) if encoding is None else None
    if wide_one is not None:
        raise _undeclared(name, wide_one)


def wide_encoding(start: bytes) -> str | None:
    """Which UTF-16 or UTF-32 a first block without a mark is, by its structure; None where it is neither."""
    if 0 not in start:
        return None
    return next((wide for wide in _WIDE if _is_wide(start, wide)), None)


def _is_wide(start: bytes, encoding: str) -> bool:
    """Whether a block of bytes, some of them 0, reads as text in a wide encoding, and not better as bytes.

    A file with many NULs may look wide here and there; all of it hardly does: its line ends lie at odd and even places,
    its header has no NUL, and what would be other scripts' letters are pairs of ASCII bytes.
    """
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(start)
    except UnicodeDecodeError:
        return False
    if not text or not _CONTROLS.isdisjoint(text):
        return False
    others = [char for char in text if char > "\x7f"]
    if (len(text) - len(others)) * _ASCII_SHARE < len(text):
        return False
    # in a wide text the NUL of the header's line end stands beside it, before or after
    header = start[: start.find(b"\n") + (1 if encoding.endswith("be") else 2)]
    if len(header) > _LONG_HEADER and _TEXT.issuperset(header):
        return False
    return _are_letters(others, encoding) or (len(others) < _MANY and _has_wide_lines(start, text))


def _are_letters(others: list[str], encoding: str) -> bool:
    """Whether what is not ASCII is of other scripts (or nothing), and not pairs of ASCII bytes.

    Of kana, the script that looks most like pairs, a quarter is none. Those of India are known by their place: their
    high bytes are tabs and line ends.
    """
    pairs = sum(_PRINTABLE.issuperset(char.encode(encoding)) for char in others)
    indic = sum("\u0900" <= char <= "\u0dff" for char in others)
    return not others or 20 * pairs < 19 * len(others) or 5 * indic > 4 * len(others)


def _has_wide_lines(start: bytes, text: str) -> bool:
    """Where letters are too few to tell: whether the header holds ASCII, and line ends are wide."""
    first_line = text.partition("\n")[0]
    ends, wide_ends = start.count(b"\n"), text.count("\n")
    return any(char <= "\x7f" for char in first_line) and 10 * wide_ends >= 9 * ends


def _undeclared(name: str, encoding: str) -> BadInputError:
    label = encoding.upper().replace("LE", " (little-endian)").replace("BE", " (big-endian)")
    hint = f"pass --encoding {encoding} to have it transcoded to UTF-8"
    if not encoding[-1].isdigit():
        hint += "; or --encoding utf-8 if it is not"
    return BadInputError(f"{name} looks like {label}", hint=hint)


@final
class TranscodedStream(PiecewiseStream):
    """A ByteStream of UTF-8 made of another one in any encoding that Python knows; a byte order mark is dropped."""

    def __init__(self, stream: ByteStream, encoding: str, name: str) -> None:
        """``name`` is how errors call the source. Closing this closes ``stream``. Raises UsageError as others here."""
        info = _lookup(encoding)
        if info.incrementaldecoder is None:
            raise UsageError(f"{encoding} cannot be read piece by piece", hint="convert the file to UTF-8 first")
        super().__init__()
        self._stream = stream
        self._encoding = encoding
        self._codec = info.name
        self._name = name
        self._decoder = info.incrementaldecoder("strict")
        self._mark_may_come = info.name.replace("_", "-") not in _SWALLOW_THEIR_MARK
        self._block = memoryview(bytearray(_READ_BYTES))
        self._taken = 0

    def _more(self) -> None:
        """Raises BadInputError for bytes that are not of the encoding, naming the first of them."""
        self._ready = memoryview(self._next_text())

    def close(self) -> None:
        """See ByteStream."""
        super().close()
        self._stream.close()

    def _next_text(self) -> bytes:
        count = self._stream.readinto(self._block)
        self._ended = count < len(self._block)
        self._taken += count
        try:
            text = self._decoder.decode(bytes(self._block[:count]), self._ended)
            if text and self._mark_may_come:
                self._mark_may_come = False
                text = text.removeprefix("\ufeff")
            return text.encode("utf-8")
        except UnicodeDecodeError as exc:
            # what was decoded, bytes kept from the read before included, ends where reading has come to
            offset = self._taken - len(exc.object) + exc.start
            message = f"{self._name} is not {self._encoding}: {exc.reason} at byte {offset}"
            raise BadInputError(message, hint="check --encoding, or export the file again") from exc
        except UnicodeEncodeError as exc:
            message = f"{self._name} is not {self._encoding}: half of a surrogate pair before byte {self._taken}"
            raise BadInputError(message, hint="check --encoding, or export the file again") from exc
        except UnicodeError as exc:  # what the utf-16 and utf-32 codecs raise without a mark
            message = f"{self._name} does not begin with a byte order mark, so {self._encoding} may mean two things"
            raise BadInputError(message, hint=f"pass --encoding {self._codec}le or {self._codec}be") from exc
