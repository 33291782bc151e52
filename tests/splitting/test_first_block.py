"""What the first block says: no table, a table that begins oddly, a NUL."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from splitjoin_cli.core.bytes.kinds import BLOCK_BYTES, binary_kind
from splitjoin_cli.core.errors import BadInputError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.splitting.first_block import look
from splitjoin_cli.stores.sources.transcode import reject_wide_encoding

PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n<body><p>Your session expired</p></body></html>\n"
HINT = "export it as CSV; where it is a table all the same, say how its fields are written, with --delimiter"


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (PAGE, "an HTML page"),
        (b'{"error": "token expired"}', "a JSON document"),
        (b"<rows>\n<row/>\n</rows>\n", "an XML document"),
    ],
)
def test_markup_without_delimiters(start: bytes, what: str) -> None:
    """It is refused and named; the hint is the option that says otherwise, and with it it passes with a warning."""
    with pytest.raises(BadInputError) as caught:
        look(start, "e.csv", Dialect(), typed=False)
    assert (caught.value.message, caught.value.hint) == (f"e.csv is {what}, not delimited text", HINT)
    seen = look(start, "e.csv", Dialect(), typed=True)
    assert seen.warnings == (f"e.csv begins like {what}: it is split as the text it is",)


@pytest.mark.parametrize(
    "start", [b'{"a":1},x\n{"a":2},y\n', b"<html>,n\n<b>,1\n", b"[1],[2]\n", b"<a></a>,1\n", b"{},{}\n", b"a\nb\n", b""]
)
def test_tables_that_begin_like_markup(start: bytes) -> None:
    """Where the first record holds the delimiter it is a table, without a word."""
    assert look(start, "e.csv", Dialect(), typed=False).warnings == ()


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"[1]\na,b\n", "a JSON document"),
        (PAGE + b"<p>please sign in, again</p>\n", "an HTML page"),
        (b"<rows>\n<row>a, b</row>\n</rows>\n", "an XML document"),
    ],
)
def test_delimiter_further_down(start: bytes, what: str) -> None:
    """Some record holds it, in any markup: it may be a table below a line of another kind, and a warning says so."""
    seen = look(start, "e.csv", Dialect(), typed=False)
    assert seen.warnings == (f"e.csv begins like {what}: it is split as the text it is",)


def test_other_delimiters() -> None:
    """It is the dialect's delimiter that is looked for."""
    assert look(b"[1];[2]\n", "e.csv", Dialect(delimiter=";"), typed=False).warnings == ()
    with pytest.raises(BadInputError):
        look(b"[1];[2]\n", "e.csv", Dialect(), typed=False)


def test_nul() -> None:
    """The first NUL is told by line and byte."""
    seen = look(b"id,name\n1,a\0b\n2,\0\n", "e.csv", Dialect(), typed=False)
    assert seen.warnings == ("e.csv, line 2 (byte 11): a NUL byte; databases refuse text that holds one",)


def test_an_error_of_the_scan_gets_its_likely_reason() -> None:
    """JSON with commas fails at its first quote: the error says what the file looks like, and keeps its own hint."""
    seen = look(b'{"a": 1, "b": 2}', "e.csv", Dialect(), typed=False)
    error = seen.explained(BadInputError("e.csv, line 1 (byte 1): a quote", hint="repair it"))
    assert error.message == "e.csv, line 1 (byte 1): a quote; e.csv begins like a JSON document"
    assert error.hint == "if it is one, export it as CSV; else: repair it"


def _real_csvs() -> list[Path]:
    """Those that airportsdata ships, and those of the packages that happen to be here."""
    here = Path(str(files("airportsdata"))).parent
    return [path for pattern in ("airportsdata/*.csv", "numpy/**/*.csv") for path in sorted(here.glob(pattern))]


@pytest.mark.parametrize("path", _real_csvs(), ids=lambda path: path.name)
def test_real_exports_pass(path: Path) -> None:
    """Real files are refused in no form of theirs."""
    start = path.read_bytes()[:BLOCK_BYTES]
    assert binary_kind(start) is None
    reject_wide_encoding(start, path.name)
    assert look(start, path.name, Dialect(), typed=False).warnings == ()


HEADERS = (b"", b"id,name\n", b"n\n")
NUL_RECORDS = {
    "ended": b"12\0,ab\0,x\0\n",
    "padded": b"12\0\0\0\0\0\0,ab\0\0\0\0\0\0\n",
    "one of three": b"1,abc,\0\n",
    "begun": b"\0ab,\0cd,xyz\n",
    "odd": b"a\0,bcd\n",
}


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("form", NUL_RECORDS)
def test_files_with_many_nuls_are_not_wide(form: str, header: bytes) -> None:
    """Their structure is that of bytes: line ends at odd and even places, a header without NULs, pairs of ASCII."""
    data = header + NUL_RECORDS[form] * 300
    reject_wide_encoding(data[:BLOCK_BYTES], "e.csv")
    assert look(data, "e.csv", Dialect(), typed=False).warnings


SCRIPTS = {
    "kana": "なまえ,ねんれい\nあきこ,3\nたろう,12\n",
    "han": "上海,一\n上,12\n一二三,4\n",
    "hindi": "नाम,आयु\nराम,12\nसीता,9\n",
    "gujarati": "નામ,ઉંમર\nરામ,12\n",
    "russian": "Имя,Возраст\nИван,12\n",
    "ascii": "id,name\n1,x\n",
}


@pytest.mark.parametrize("encoding", ["utf-16le", "utf-16be", "utf-32le", "utf-32be"])
@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("times", [1, 200])
def test_wide_text_of_any_script_is_known(script: str, encoding: str, times: int) -> None:
    """A few lines of it, or a block: text without a byte order mark is found."""
    with pytest.raises(BadInputError, match=r"^e\.csv looks like UTF-"):
        reject_wide_encoding((SCRIPTS[script] * times).encode(encoding)[:BLOCK_BYTES], "e.csv")
