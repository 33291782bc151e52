"""``inspect``: what is read of a source, what is said of it, and what is refused."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import splitjoin_cli
from splitjoin_cli.api.inspect import inspect_source
from splitjoin_cli.splitting.inspect import pieces
from splitjoin_cli.stores.sources.memory import MemorySource
from tests.schemas import hold

if TYPE_CHECKING:
    from pathlib import Path

    from splitjoin_cli import InspectResult

HUGE_BYTES = 600 * 166_666_666
AS_THEY_COME = (
    "Umsätze je Kunde\r\n\r\nNr;Name;Ort;Betrag;Notiz\r\n"
    + "".join(f'{n};Müller {n};Köln;{n},50;"a;b {n}"\r\n' for n in range(1, 41))
    + "\r\n(40 rows affected)\r\n"
).encode("cp1252")


def found(data: bytes) -> InspectResult:
    """What is said of these bytes."""
    result = inspect_source(MemorySource(data, "export.csv"), data[: 64 * 1024], "export.csv")
    hold("inspect", result.to_json())
    return result


def test_a_file_as_it_comes_is_told_in_full(tmp_path: Path) -> None:
    """Every key of the document."""
    path = tmp_path / "sales.csv"
    path.write_bytes(AS_THEY_COME)
    options = ["--delimiter", ";", "--encoding", "cp1252", "--skip-lines", "2", "--skip-trailer", "1"]
    assert splitjoin_cli.inspect(path).to_json() == {
        "source": str(path),
        "bytes": len(AS_THEY_COME),
        "compression": None,
        "encoding": "cp1252",
        "byte_order_mark": False,
        "line_end": "\r\n",
        "delimiter": ";",
        "quotechar": '"',
        "escapechar": None,
        "nulls": [],
        "header": True,
        "skip_lines": 2,
        "skip_trailer": 1,
        "fields": {"5": 40},
        "columns": ["Nr", "Name", "Ort", "Betrag", "Notiz"],
        "records": 40,
        "records_exact": True,
        "problems": [],
        "options": options,
        "command": f"splitjoin split {path} DEST --delimiter ';' --encoding cp1252 --skip-lines 2 --skip-trailer 1",
    }


class HugeSource:
    """100 GB of records that are nowhere: counts what is read of them."""

    RECORD = b"0000001,open,12.50," + b"n" * 580 + b"\n"

    def __init__(self) -> None:
        self.read = 0
        self.properties = replace(
            MemorySource(b"", "s3://bucket/huge.csv").properties, size=HUGE_BYTES, stored_bytes=HUGE_BYTES
        )

    def read_at(self, offset: int, buffer: memoryview) -> int:
        filled = min(len(buffer), HUGE_BYTES - offset)
        self.read += filled
        skip = offset % len(self.RECORD)
        buffer[:filled] = (self.RECORD * (filled // len(self.RECORD) + 2))[skip : skip + filled]
        if not offset:
            buffer[: len(self.RECORD)] = b"id,state,amount,note".ljust(len(self.RECORD) - 1) + b"\n"
        return filled


def test_a_huge_source_is_read_in_small_part() -> None:
    """At most 16 MiB, and its records are estimated to the hundredth."""
    source = HugeSource()
    result = inspect_source(source, b"", "s3://bucket/huge.csv")  # type: ignore[arg-type]  # all that is asked of it
    assert source.read <= pieces.MOST_BYTES
    assert (result.delimiter, result.header, result.skip_trailer, result.records_exact) == (",", True, 0, False)
    assert result.records == pytest.approx(HUGE_BYTES / 600, rel=0.01)


def test_parts_that_begin_inside_quotes_hold_no_faults() -> None:
    """Each begins with the first whole record, not with the rest of the one that it was cut in."""
    record = b'%d,name,"some, quoted\ntext"\n'
    data = b"id,name,note\n" + b"".join(record % number for number in range(800_000))
    result = found(data)
    assert (result.problems, result.options, set(result.fields)) == ((), (), {3})
    assert not result.records_exact


def test_full_counts_what_is_else_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a compressed file the end is not read: its trailer and number of records are null without ``full``."""
    monkeypatch.setattr(pieces, "MOST_BYTES", 192 * 1024)
    path = tmp_path / "sales_20240131.csv.gz"
    rows = "".join(f"{n}|name {n}|{n}.50\n" for n in range(9000))
    path.write_bytes(gzip.compress(f"id|name|amount\n{rows}T|9001\n".encode()))
    part, whole = splitjoin_cli.inspect(path), splitjoin_cli.inspect(path, full=True)
    assert (part.compression, part.skip_trailer, part.records, part.records_exact) == ("gzip", None, None, False)
    assert (whole.skip_trailer, whole.records, whole.records_exact) == (1, 9000, True)
    assert [one.message for one in whole.problems] == ["the trailer says 9001, and the file has 9,000 records"]


@pytest.mark.parametrize(
    ("record", "options"),
    [
        (b'7,"a, b",x\n', []),
        (b'7,"say \\"a, b\\"",x\n', ["--escapechar", "\\"]),
    ],
)
def test_quotes_far_from_the_beginning_count(record: bytes, options: list[str]) -> None:
    """What no sample of the first 256 KiB holds is read all the same."""
    plain = b"".join(b"%d,name %d,x\n" % (n, n) for n in range(15_500))
    result = found(b"id,name,z\n" + plain + record * 9 + plain[: plain.index(b"\n", 20_000) + 1])
    assert (list(result.options), set(result.fields)) == (options, {3})


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (b"id,name\n1,a\n", []),
        (b"1;2024-01-31;a\n2;2024-02-01;b\n", ["--delimiter", ";", "--no-header"]),
        (b"id||name||town\n1||a||x\n2||||y\n", ["--delimiter", "||"]),
        ("id¦name\n1¦a\n2¦b\n".encode(), ["--delimiter", "¦"]),
        (b"id\x01name\x01n\n1\x01a\x013\n", ["--delimiter", "\x01"]),
        (b'id,note\n1,"a \\"b\\" c"\n2,"d"\n', ["--escapechar", "\\"]),
        (b'id,path,note\n1,C:\\x,"a \\"b"\n2,D:\\y,"d"\n', ["--escapechar", "\\", "--escape-in", "quotes"]),
        (
            b"id\tnote\tn\n1\ta\\nb\t\\N\n2\tc\\td\t4\n",
            ["--delimiter", "tab", "--quotechar", "none", "--escapechar", "\\", "--c-escapes", "--null", "\\N"],
        ),
        (b'id,note\n1,""\n2,\n3,x\n', ["--null", ""]),
        (b'id,note\n1,"NULL"\n2,NULL\n3,x\n', ["--null", "NULL"]),
        (b"id,note\n1,NULL\n2,\\N\n3,x\n", []),
        (b"id\tnote\n1\ta\rb\n2\tc\n3\td\r\n4\te\n5\tf\n6\tg\n7\th\n", ["--delimiter", "tab", "--line-end", "lf"]),
        (b"n,x\n1,NA\n2,4\n3,5\n4,6\n", ["--null", "NA"]),
        (b'id, note\n1, "a,b"\n2, "c"\n', ["--skip-initial-space"]),
        (b'id,size\n1,"5" disk"\n2,"a ""b"\n', ["--on-stray-quote", "mysql"]),
        (b'id,size\n1,5" disk\n2,b\n', ["--quotechar", "none"]),
        (b"id,a\n1,x\n\n2,y\nid,a\n3,z\n", ["--skip-blank-lines", "--skip-repeated-headers"]),
        (b"sep=;\nid;a\n1;x\n", ["--delimiter", ";", "--skip-lines", "1"]),
        (b"name\nAnna\n\nBob\n", []),
        (b"id,name\n1,a\n2,b\nTOTAL,2\n", ["--skip-trailer", "1"]),
        (b"id,name,n\n1,a,x\n2,b,y\nTRAILER,7,\n", ["--skip-trailer", "1"]),  # another number: the ids tell
        (b"name,n\nAnna,7\nBob,8\nTotal,2\n", ["--skip-trailer", "1"]),  # the names do not tell, the number does
        (b"name,n\nAnna,7\nBob,8\nTotal,15\n", []),  # it may be somebody's name
        (b"id,name\n1,a\n2,b\nT3,3\n", []),
        (
            b"id,name\n--,----\n1,Anna\n2,NULL\n\n(2 rows affected)\n",
            ["--dialect", "sqlcmd", "--skip-trailer", "1"],
        ),
    ],
)
def test_what_is_proposed(data: bytes, options: list[str]) -> None:
    """Options, word by word; none of a kind that would damage (blank lines of one column may be rows)."""
    assert list(found(data).options) == options


QUOTED = b"id,name,note\n" + b"".join(b'%d,"name %d","with, comma %d"\n' % (n, n, n) for n in range(2000))


@pytest.mark.parametrize(
    "end", [b'2000,"name 2000","with, com', b'2000,"name', b'2000,"two\nlines, and', b'2000,"name 2000\n']
)
def test_an_export_that_is_cut_short_inside_quotes(end: bytes) -> None:
    """Neither a trailer, to be left out with a row, nor quotes in wrong places, which no database would load."""
    result = found(QUOTED + end)
    assert (list(result.options), result.skip_trailer, result.records) == ([], 0, 2000)
    (problem,) = result.problems
    opening = len(QUOTED) + end.rindex(b'"')
    assert (problem.line, problem.byte) == (2002, opening)
    assert problem.message.startswith("the quote that opens here is still open at the end of the file")


@pytest.mark.parametrize("end", ["", "\n", "\nlines, and"])
@pytest.mark.parametrize("before", ["1;8998\n", '1;"a;b"\n', '1;"two\nlines"\n2;x\n3;""\n'])
def test_a_short_export_that_is_cut_short_inside_quotes(before: str, end: str) -> None:
    """The quote that never closes is no reason to read quotes as text, or as MySQL writes them, which split refuses."""
    result = found(f'id;note\n{before}9;"torn{end}'.encode())
    assert (list(result.options), result.skip_trailer) == (["--delimiter", ";"], 0)
    (problem,) = result.problems
    assert problem.byte == len(f"id;note\n{before}9;")
    assert problem.message.startswith("the quote that opens here is still open at the end of the file")


def test_a_stray_quote_at_the_end_is_not_a_file_that_is_cut_short() -> None:
    """The field's own quote closes; what comes behind it is the fault."""
    result = found(QUOTED + b'2000,"5" disk","x"\n')
    assert [one.message.partition(",")[0] for one in result.problems] == ["a quote in a wrong place"]


@pytest.mark.parametrize(
    ("data", "places"),
    [
        (b"id,a\n1,x\n2\n3,y\n", [(3, 9, "1 of 3 records has not 2 fields; this one has 1")]),
        (b"id,a\n1,x\n\n3,y\n", [(3, 9, "1 blank line among the records")]),
        (b"a,b\r1,2\r", [(1, 0, "every line ends with a carriage return alone, which split refuses")]),
        (b"id,a\n1,x\0\n2,y\n", [(2, 8, "a NUL byte; databases refuse text that holds one")]),
        (b"id,a\n" + "1,é\n".encode() * 40 + b"2,\xff\n", [(42, 207, "bytes that are not valid UTF-8")]),
        (b"id,a\n1,x\n2,y\n\x1a", [(None, 13, "Ctrl-Z (0x1A) ends the file")]),
        (
            b"All the lines of this text are prose, you see.\nNothing in it is a table; nothing at all.\nYes.\n",
            [(1, 0, "no delimiter")],
        ),
    ],
)
def test_what_looks_wrong_has_a_place(data: bytes, places: list[tuple[int | None, int, str]]) -> None:
    """Line, byte and the beginning of the message."""
    seen = found(data).problems
    for place, one in zip(places, seen, strict=False):
        assert (one.line, one.byte) == place[:2]
        assert one.message.startswith(place[2])
    assert seen
