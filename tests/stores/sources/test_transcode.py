"""Encodings: what passes, what becomes UTF-8, what is refused, wherever reads happen to cut it."""

from __future__ import annotations

import encodings.aliases
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import BadInputError, UsageError
from splitjoin_cli.stores.sources import transcode
from splitjoin_cli.stores.sources.transcode import (
    TranscodedStream,
    chunk_encoding,
    needs_transcoding,
    reject_wide_encoding,
)
from splitjoin_cli.testing.reading import PiecewiseStream, drained
from tests.laws import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDE = ["utf-16", "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be"]
CHECK = "check --encoding, or export the file again"


def transcoded(data: bytes, encoding: str, read_bytes: int = 1 << 18, buffer_bytes: int = 65536) -> bytes:
    """All of ``data`` as UTF-8, the source read ``read_bytes`` at a time."""
    stream = TranscodedStream(PiecewiseStream(data), encoding, "e.csv")
    stream._block = stream._block[:read_bytes]
    return drained(stream, buffer_bytes)


@pytest.mark.parametrize("encoding", WIDE)
@examples(40)
@given(data=st.data())
def test_text_survives_any_cut(encoding: str, data: st.DataObject) -> None:
    """Transcoding is decoding, wherever reads cut the input, inside characters and surrogate pairs included."""
    text = data.draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
    packed = text.encode(encoding, "replace")
    text = packed.decode(encoding)
    expected = text if encoding in ("utf-16", "utf-32") else text.removeprefix("\ufeff")
    read_bytes = data.draw(st.integers(1, 9))
    assert transcoded(packed, encoding, read_bytes, data.draw(st.integers(1, 9))) == expected.encode()


@pytest.mark.parametrize("encoding", WIDE)
def test_every_place_of_a_surrogate_pair(encoding: str) -> None:
    """A character beyond the first plane, cut after each of its bytes, and written to a buffer of one byte."""
    packed = "a,\U0001f600\r\n".encode(encoding)
    for read_bytes in range(1, len(packed) + 1):
        assert transcoded(packed, encoding, read_bytes, 1) == "a,\U0001f600\r\n".encode()


@pytest.mark.parametrize("encoding", WIDE)
def test_mark_is_dropped_once(encoding: str) -> None:
    """The byte order mark is no part of the text, whether or not the codec takes it for its own; others stay."""
    mark = "" if encoding in ("utf-16", "utf-32") else "\ufeff"
    assert transcoded((mark + "a\ufeffb\n").encode(encoding), encoding) == "a\ufeffb\n".encode()


@pytest.mark.parametrize("encoding", WIDE)
def test_empty(encoding: str) -> None:
    """Nothing is nothing in every encoding."""
    assert transcoded(b"", encoding) == b""


@pytest.mark.parametrize(
    ("encoding", "data", "message"),
    [
        ("utf-16le", b"a\0,\0b", "e.csv is not utf-16le: truncated data at byte 4"),
        ("utf-16", b"\xff\xfea\0\x00\xd8a\0", "e.csv is not utf-16: illegal UTF-16 surrogate at byte 4"),
        ("utf-16be", b"\0a\xd8\x00", "e.csv is not utf-16be: unexpected end of data at byte 2"),
        (
            "utf-32",
            b"\xff\xfe\0\0a\0\0\0\xff\xff\xff\xff",
            "e.csv is not utf-32: code point not in range(0x110000) at byte 8",
        ),
    ],
)
def test_malformed_input_names_the_byte(encoding: str, data: bytes, message: str) -> None:
    """Bytes that are not of the encoding are bad input, at the same byte however the input is read."""
    for read_bytes in range(1, len(data) + 1):
        with pytest.raises(BadInputError) as caught:
            transcoded(data, encoding, read_bytes)
        assert (caught.value.message, caught.value.hint) == (message, CHECK)


@pytest.mark.parametrize(("encoding", "written"), [("utf-16", "utf-16"), ("UTF16", "utf-16"), ("utf-32", "utf-32")])
def test_without_a_mark_the_order_must_be_said(encoding: str, written: str) -> None:
    """Without a mark ``utf-16`` may mean two things: the hint has both."""
    with pytest.raises(BadInputError) as caught:
        transcoded("a,b\n".encode(f"{written}le"), encoding)
    assert caught.value.message == f"e.csv does not begin with a byte order mark, so {encoding} may mean two things"
    assert caught.value.hint == f"pass --encoding {written}le or {written}be"


def _text_encodings() -> Iterator[str]:
    """Every encoding of files that this Python knows."""
    for name in sorted({*encodings.aliases.aliases.values(), "utf_8_sig"}):
        try:
            needs_transcoding(name)
        except UsageError:
            continue
        yield name


@pytest.mark.parametrize("encoding", list(_text_encodings()))
def test_what_passes_untouched_can_be_cut(encoding: str) -> None:
    """In whatever is not transcoded, line ends, quotes, commas, semicolons and tabs mean themselves, and only that."""
    structure = '\r\n",\t'
    if needs_transcoding(encoding):
        assert chunk_encoding(encoding) == "utf-8"
        return
    assert structure.encode(encoding).endswith(structure.encode())
    others = "".join(map(chr, [*range(0x80, 0xD800), *range(0xE000, 0x30000)]))
    assert not set(others.encode(encoding, "ignore")) & set(structure.encode())


def test_which_encodings_pass() -> None:
    """The ones that users name, by their usual names; a UTF-8 byte order mark is none of transcoding's business."""
    passing = [
        "utf-8",
        "UTF8",
        "utf-8-sig",
        "latin-1",
        "cp1252",
        "ascii",
        "shift_jis",
        "cp932",
        "gbk",
        "gb18030",
        "big5",
    ]
    assert [name for name in passing if needs_transcoding(name)] == []
    assert [name for name in [*WIDE, "UTF_16"] if not needs_transcoding(name)] == []


@pytest.mark.parametrize("encoding", ["utf-7", "cp037", "cp500", "cp1140", "iso2022_jp", "iso2022_kr", "hz"])
def test_where_ascii_is_not_ascii_nothing_can_be_cut(encoding: str) -> None:
    """A usage error that says how to convert the file."""
    with pytest.raises(UsageError, match=rf"^files in {encoding} cannot be split: ") as caught:
        needs_transcoding(encoding)
    assert caught.value.hint == f"convert the file to UTF-8 first: iconv -f {encoding} -t UTF-8"


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("UTF8", "utf-8"),
        ("latin1", "iso8859-1"),
        ("windows-1252", "cp1252"),
        ("utf-16", "utf-8"),
        ("utf-8-sig", "utf-8"),
    ],
)
def test_chunks_encoding_is_canonical(name: str, canonical: str) -> None:
    """Two names of one encoding give one name, so that they are one run."""
    assert chunk_encoding(name) == canonical


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("utf-17", "unknown encoding: utf-17"),
        ("a\0b", "unknown encoding: a\0b"),
        ("rot13", "not an encoding of text files: rot13"),
        ("base64", "not an encoding of text files: base64"),
        ("idna", "not an encoding of text files: idna"),
        ("unicode_escape", "not an encoding of text files: unicode_escape"),
    ],
)
def test_names_that_are_no_encodings(encoding: str, message: str) -> None:
    """A name that cannot be meant is a usage error."""
    with pytest.raises(UsageError) as caught:
        needs_transcoding(encoding)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("encoding", "character"),
    [("shift_jis", "\\"), ("gbk", "|"), ("big5", "^"), ("johab", ";"), ("gb18030", "0|"), ("euc_jp", "\u3001")],
)
def test_characters_that_may_be_half_of_a_letter(encoding: str, character: str) -> None:
    """A delimiter or escape character that is a trail byte somewhere would cut letters in two."""
    with pytest.raises(UsageError) as caught:
        transcode.check_characters(encoding, [",", '"', character])
    byte = character.encode(encoding)[0]
    expected = f"'{character}' cannot separate or quote fields in {encoding}: byte 0x{byte:02x} of it is also a part of"
    assert caught.value.message == f"{expected} other characters"
    assert caught.value.hint == "choose another character, or convert the file to UTF-8 first"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252", "euc_kr", "shift_jis"])
def test_characters_that_are_safe(encoding: str) -> None:
    """Quote, comma, semicolon and tab separate in all of these; in one-byte encodings and UTF-8 everything does."""
    characters = ",;\t\"'" + ("" if encoding == "shift_jis" else "\\|^~")
    assert transcode.check_characters(encoding, characters) is None  # type: ignore[func-returns-value]  # raises else


def test_characters_that_are_not_in_the_encoding() -> None:
    """Such a delimiter cannot be in the file."""
    with pytest.raises(UsageError, match=r"^'\u00a6' is not in ascii$"):
        transcode.check_characters("ascii", ["\u00a6"])
    assert transcode.check_characters("cp1252", ["\u00a6", "||"]) is None  # type: ignore[func-returns-value]


LINES = "id,name,value\r\n1,Zo\u00eb,2.5\r\n2,\u6f22\u5b57,7\r\n"


@pytest.mark.parametrize(
    ("start", "message", "hint"),
    [
        (LINES.encode("utf-16"), "UTF-16", "utf-16"),
        (b"\xfe\xff" + LINES.encode("utf-16be"), "UTF-16", "utf-16"),
        (LINES.encode("utf-32"), "UTF-32", "utf-32"),
        (b"\x00\x00\xfe\xff" + LINES.encode("utf-32be"), "UTF-32", "utf-32"),
        (LINES.encode("utf-16le"), "UTF-16 (little-endian)", "utf-16le"),
        (LINES.encode("utf-16be"), "UTF-16 (big-endian)", "utf-16be"),
        (LINES.encode("utf-32le"), "UTF-32 (little-endian)", "utf-32le"),
        (LINES.encode("utf-32be"), "UTF-32 (big-endian)", "utf-32be"),
        (LINES.encode("utf-16le")[:-1], "UTF-16 (little-endian)", "utf-16le"),
        ("\u6f22\u5b57,\u5b57\n\u6f22,\u5b57\n".encode("utf-16le"), "UTF-16 (little-endian)", "utf-16le"),
    ],
)
def test_undeclared_wide_text_is_refused(start: bytes, message: str, hint: str) -> None:
    """UTF-16 and UTF-32 are recognised by their mark or by their zero bytes, and the hint is what to pass."""
    with pytest.raises(BadInputError) as caught:
        reject_wide_encoding(start, "e.csv")
    assert caught.value.message == f"e.csv looks like {message}"
    otherwise = "" if hint[-1].isdigit() else "; or --encoding utf-8 if it is not"
    assert caught.value.hint == f"pass --encoding {hint} to have it transcoded to UTF-8{otherwise}"


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"\0",
        b"a",
        LINES.encode(),
        b"\xef\xbb\xbf" + LINES.encode(),
        LINES.encode("gb18030", "replace"),
        b"id,blob\r\n1,\0\0\0\0\r\n2,abc\0\r\n" + b"3,some ordinary text\r\n" * 20,
        b"\0" * 512,
        bytes(range(256)) * 4,
    ],
)
def test_other_bytes_are_let_through(start: bytes) -> None:
    """Text, also with a few zero bytes in it, is nobody's business here."""
    assert reject_wide_encoding(start, "e.csv") is None  # type: ignore[func-returns-value]  # raises else


@given(st.text(st.characters(exclude_categories=["Cs"], min_codepoint=1), max_size=200))
def test_utf8_text_is_never_refused(text: str) -> None:
    """No UTF-8 text without zero bytes looks wide."""
    assert reject_wide_encoding(text.encode(), "e.csv") is None  # type: ignore[func-returns-value]  # raises else


def test_close_is_passed_on() -> None:
    """Closing closes what is transcoded and ends the pass; it may be repeated."""
    inner = PiecewiseStream("a,b\n".encode("utf-16"))
    stream = TranscodedStream(inner, "utf-16", "e.csv")
    assert stream.readinto(memoryview(bytearray(2))) == 2
    stream.close()
    stream.close()
    assert inner.closed
    assert stream.readinto(memoryview(bytearray(2))) == 0
