"""What is around the records of an export, left out: from the command, through verify and merge, to a resumed split."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.command import Splitjoin

HEAD = b"\xef\xbb\xbfReport of the day\r\n\r\n"
BODY = b'id,n\r\n1,a\r\n2,"b\r\nc"\r\n3,c\r\n'
TRAILER = b"\r\nT,3\r\n\r\n"


@pytest.mark.parametrize("packed", [False, True])
def test_lines_around_the_records_are_in_no_chunk(splitjoin: Splitjoin, packed: bool) -> None:  # noqa: FBT001
    """Places are the source's, the fingerprint is of all of it; verify counts what was left out, merge has none."""
    data = HEAD + BODY + TRAILER
    (splitjoin.directory / "acme.csv").write_bytes(gzip.compress(data) if packed else data)
    options = ("--skip-lines", "2", "--skip-trailer", "1", "--rows", "2", "--date", "d")
    ran = splitjoin.ok("split", "acme.csv", "out", *options, "--json")
    result = ran.document
    assert result["header_start"] == len(HEAD)
    assert result["left_out"] == {"lines": 2, "trailer_lines": 3, "blank_lines": 0, "repeated_headers": 0}
    assert (result["chunks"][0]["start"], result["chunks"][-1]["end"]) == (len(HEAD) + 6, len(HEAD + BODY))
    assert result["source"]["fingerprint"].startswith(f"{len(data)}-crc64nvme:")
    assert (result["rows"], result["warnings"]) == (3, [])
    assert "left out: 2 lines and 3 trailer lines\n" in ran.stderr
    assert splitjoin.ok("merge", "out", "-").out == BODY
    assert splitjoin.json("verify", "out", "--source", "acme.csv")["ok"] is True
    longer = data.replace(b"T,3", b"T,3\r\nT,4")
    (splitjoin.directory / "acme.csv").write_bytes(gzip.compress(longer) if packed else longer)
    problems = splitjoin("verify", "out", "--source", "acme.csv", "--json").document["problems"]
    assert [one["message"] for one in problems] == [
        f"the source has 4 lines after byte {len(HEAD + BODY)}, where the split ends; it left out 3"
    ]


def test_a_line_that_names_the_delimiter_is_left_out(splitjoin: Splitjoin) -> None:
    """It sets the delimiter unless one was typed, and is the first of the lines that are left out."""
    (splitjoin.directory / "acme.csv").write_bytes(b"\xef\xbb\xbfsep=;\nReport\nid;n\n1;a\n")
    typed = splitjoin.json("split", "acme.csv", "typed", "--delimiter", ",", "--skip-lines", "2")
    named = splitjoin.json("split", "acme.csv", "named", "--skip-lines", "2")
    assert (typed["dialect"]["delimiter"], named["dialect"]["delimiter"]) == (",", ";")
    assert [one["left_out"]["lines"] for one in (typed, named)] == [2, 2]
    alone = splitjoin.json("split", "acme.csv", "alone", "--no-header", "--quotechar", "none")
    assert (alone["left_out"]["lines"], alone["header_start"], alone["rows"]) == (1, 9, 3)


def test_the_ruler_of_sqlcmd_is_left_out(splitjoin: Splitjoin) -> None:
    """Chunk 1 begins behind it, header and rows are one file again, and it is counted."""
    (splitjoin.directory / "acme.csv").write_bytes(b"id,n\r\n--,----\r\n1,NULL\r\n2,b\r\n\r\n(2 rows affected)\r\n")
    options = ("--dialect", "sqlcmd", "--skip-trailer", "1")
    result = splitjoin.json("split", "acme.csv", "out", *options)
    assert result["left_out"] == {"lines": 1, "trailer_lines": 2, "blank_lines": 0, "repeated_headers": 0}
    assert (result["header_bytes"], result["chunks"][0]["start"]) == (6, 15)
    assert splitjoin.ok("merge", "out", "-").out == b"id,n\r\n1,NULL\r\n2,b\r\n"
    assert splitjoin.json("verify", "out", "--source", "acme.csv")["ok"] is True
    assert splitjoin.json("split", "acme.csv", "out", *options)["skipped"] == 1


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (b'id,n\n1,"a\nT,3\n', ("--skip-trailer", "1"), "acme.csv, line 3 (byte 10): the trailer that --skip-trailer"),
        (b'id,n\n1,"a\nb"\n', ("--skip-trailer", "2"), "acme.csv, line 3 (byte 10): the trailer that --skip-trailer"),
        (b"id,n\n1,a\n", ("--skip-lines", "2"), "acme.csv: the lines that are left out leave no header"),
        (b"id,n\n1,a\n", ("--skip-trailer", "2"), "acme.csv: the lines that are left out leave no header"),
    ],
)
def test_what_cannot_be_left_out_is_bad_input(
    splitjoin: Splitjoin, data: bytes, options: tuple[str, ...], message: str
) -> None:
    """A trailer line that begins inside quotes, and lines without a header after them."""
    (splitjoin.directory / "acme.csv").write_bytes(data)
    ran = splitjoin("split", "acme.csv", "out", "--json", *options)
    assert ran.code == 4
    assert ran.error["message"].startswith(message)
