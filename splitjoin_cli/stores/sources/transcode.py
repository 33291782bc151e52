"""Encodings: which ones pass untouched, which ones become UTF-8 on the way in, and which ones were not declared.

Cutting needs no more than this: the bytes of line ends, quotes and delimiters mean these characters and nothing else.
That holds for UTF-8, for every one-byte code page that keeps ASCII, and for the double-byte ones of East Asia.
"""

from __future__ import annotations

import codecs
from functools import lru_cache
from typing import TYPE_CHECKING, final

from splitjoin_cli.core.errors import BadInputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from splitjoin_cli.core.bytes.base import ByteStream

__all__ = [
    "TranscodedStream",
    "check_characters",
    "chunk_encoding",
    "needs_transcoding",
    "reject_wide_encoding",
]

_STRUCTURE = b"\t\n\r \"',;:0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
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
_WIDE_ZEROS = (  # encoding, bytes of a character, which of them are 0 in ASCII
    ("utf-32le", 4, (1, 2, 3)),
    ("utf-32be", 4, (0, 1, 2)),
    ("utf-16le", 2, (1,)),
    ("utf-16be", 2, (0,)),
)
_ASCII_SHARE = 4
"""Without a mark, one character in four must be ASCII to call a text wide: delimiters and digits see to that."""


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
    """Whether text in ``encoding`` must become UTF-8 before it can be cut. Raises UsageError for an unknown name."""
    info = _lookup(encoding)
    if info.name.startswith(_SHIFTING):
        return True
    try:
        text, _ = info.decode(_STRUCTURE)
    except UnicodeError:
        return True
    return text != _STRUCTURE.decode("ascii")


def chunk_encoding(encoding: str) -> str:
    """The encoding of the chunks' bytes, by its canonical name, when the source's is ``encoding``."""
    return "utf-8" if needs_transcoding(encoding) else _lookup(encoding).name


def check_characters(encoding: str, characters: Iterable[str]) -> None:
    r"""Refuse delimiters and the like whose byte may be the second half of a character, as ``\`` may in Shift JIS.

    Raises UsageError. Costs nothing for UTF-8 and what is transcoded, some 50 ms for others.
    """
    if needs_transcoding(encoding) or _lookup(encoding).name.startswith("utf-8"):
        return
    halves = _second_halves(encoding)
    for character in characters:
        if ord(character) in halves:
            message = f"{character!r} cannot separate or quote fields in {encoding}, where it may be half of a letter"
            raise UsageError(message, hint="choose another character, or convert the file to UTF-8 first")


@lru_cache
def _second_halves(encoding: str) -> frozenset[int]:
    """The ASCII bytes that are part of some longer character of the Basic Multilingual Plane."""
    found: set[int] = set()
    for code in range(0x80, 0x10000):
        try:
            written = chr(code).encode(encoding)
        except UnicodeError:
            continue
        if len(written) > 1:
            found.update(byte for byte in written if byte < 0x80)  # noqa: PLR2004 -- the end of ASCII
    return frozenset(found)


def reject_wide_encoding(start: bytes, name: str) -> None:
    """Raise BadInputError if a source that begins with ``start`` is UTF-16 or UTF-32, by its mark or its zero bytes."""
    for mark, encoding in _WIDE_MARKS:
        if start.startswith(mark):
            raise _undeclared(name, encoding)
    if 0 not in start:
        return
    for encoding, width, zeros in _WIDE_ZEROS:
        characters = len(start) // width
        lanes = [start[lane : characters * width : width] for lane in range(width)]
        if any(0 in lanes[lane] for lane in range(width) if lane not in zeros):
            continue
        met = 0  # all the lanes that are 0 in ASCII, over one another: 0 where each of them is
        for lane in zeros:
            met |= int.from_bytes(lanes[lane], "big")
        ascii_characters = met.to_bytes(characters, "big").count(0)
        if ascii_characters and ascii_characters * _ASCII_SHARE >= characters:
            raise _undeclared(name, encoding)


def _undeclared(name: str, encoding: str) -> BadInputError:
    label = encoding.upper().replace("LE", " (little-endian)").replace("BE", " (big-endian)")
    hint = f"pass --encoding {encoding} to have it transcoded to UTF-8"
    return BadInputError(f"{name} looks like {label}", hint=hint)


@final
class TranscodedStream:
    """A ByteStream of UTF-8 made of another one in any encoding that Python knows; a byte order mark is dropped."""

    def __init__(self, stream: ByteStream, encoding: str, name: str) -> None:
        """``name`` is how errors call the source. Closing this closes ``stream``. Raises UsageError as others here."""
        info = _lookup(encoding)
        if info.incrementaldecoder is None:
            raise UsageError(f"{encoding} cannot be read piece by piece", hint="convert the file to UTF-8 first")
        self._stream = stream
        self._encoding = encoding
        self._codec = info.name
        self._name = name
        self._decoder = info.incrementaldecoder("strict")
        self._mark_may_come = info.name.replace("_", "-") not in _SWALLOW_THEIR_MARK
        self._block = memoryview(bytearray(_READ_BYTES))
        self._ready = memoryview(b"")
        self._taken = 0
        self._ended = False

    def readinto(self, buffer: memoryview) -> int:
        """See ByteStream. Raises BadInputError for bytes that are not of the encoding, naming the first of them."""
        filled = 0
        while filled < len(buffer):
            if not self._ready:
                if self._ended:
                    break
                self._ready = memoryview(self._next_text())
            count = min(len(self._ready), len(buffer) - filled)
            buffer[filled : filled + count] = self._ready[:count]
            self._ready = self._ready[count:]
            filled += count
        return filled

    def close(self) -> None:
        """See ByteStream."""
        self._ended, self._ready = True, memoryview(b"")
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
