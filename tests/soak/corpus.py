"""A corpus of odd exports: what scans and transfers of every kind have to bear."""

from __future__ import annotations

import random
from typing import NamedTuple

from tests.e2e.csvs import bulk

MIB = 1024 * 1024
SIZE = ("--chunk-size", "1500KiB")


class Odd(NamedTuple):
    """An export, and what is asked for beside its size."""

    data: bytes
    options: tuple[str, ...] = ()
    size: tuple[str, ...] = SIZE


def rows(count: int, record: bytes, header: bytes = b"id,note\n") -> bytes:
    """The header, then so many records, each with its number."""
    return header + b"".join(record % number for number in range(count))


def shuffled(records: list[bytes], count: int, header: bytes = b"id,note\n") -> bytes:
    """The header, then so many records, drawn from some."""
    draw = random.Random(7)
    return header + b"".join(draw.choices(records, k=count))


PLAIN = rows(600_000, b"%d,plain\n")
QUOTED = rows(300_000, b'%d,"a\nb,""c""\n"\n')
GIANT = b'7,"' + b"1,2\n" * 800_000 + b'"\n'
CORPUS = {
    "plain": Odd(PLAIN),
    "rows": Odd(PLAIN, size=("--rows", "7777")),
    "one row": Odd(rows(150, b'%d,"' + b"1,x\n" * 10_000 + b'"\n'), size=("--rows", "1")),
    "small chunks": Odd(QUOTED, size=("--chunk-size", "60KB")),
    "chunks": Odd(QUOTED, size=("--chunks", "5")),
    "many chunks": Odd(QUOTED, size=("--chunks", "150")),
    "quoted newlines": Odd(QUOTED),
    "quoted newlines, rows": Odd(QUOTED, size=("--rows", "1000")),
    "giant fields": Odd(PLAIN + GIANT + PLAIN[8:] + GIANT),
    "giant fields, small chunks": Odd(PLAIN + GIANT + PLAIN[8:] + GIANT, size=("--chunk-size", "256KiB")),
    "giant fields, rows": Odd(PLAIN + GIANT + PLAIN[8:] + GIANT, size=("--rows", "19999")),
    "no last newline": Odd(QUOTED + b'1,"end"'),
    "no last newline, rows": Odd(QUOTED + b'1,"end"', size=("--rows", "5000")),
    "crlf": Odd(QUOTED.replace(b"\n", b"\r\n")),
    "mixed line ends": Odd(shuffled([b"1,a\n", b"2,b\r\n", b'3,"c\r\n"\n'], 900_000)),
    "byte order mark": Odd(b"\xef\xbb\xbf" + QUOTED),
    "byte order mark, no header": Odd(b'\xef\xbb\xbf"1",x\n' + QUOTED, ("--no-header",)),
    "no header, rows": Odd(QUOTED, ("--no-header",), ("--rows", "5000")),
    "escapes": Odd(rows(400_000, b"%d\ta\\\nb\\\\\t\\N\n", b""), ("--dialect", "mysql-outfile")),
    "escapes and quotes": Odd(rows(400_000, b'%d,"a\\"b\\\\",c\n'), ("--escapechar", "\\")),
    "long delimiter": Odd(rows(400_000, b'%d||"a||b\n"\n', b"id||note\n"), ("--delimiter", "||")),
    "no quotes": Odd(rows(600_000, b'%d,a "b"\n'), ("--quotechar", "none")),
    "stray quotes": Odd(rows(400_000, b'%d,5" disk\n'), ("--on-stray-quote", "literal")),
    "stray quotes, mysql": Odd(rows(400_000, b'%d,"5" disk"\n'), ("--on-stray-quote", "mysql")),
    "stray quotes, not allowed": Odd(PLAIN + b'1,5" disk\n' + PLAIN[8:]),
    "open quote": Odd(PLAIN + b'1,"open\n' + PLAIN[8:]),
    "lone carriage return": Odd(PLAIN + b"1,a\rb\n" + PLAIN[8:]),
    "lone carriage return, rows": Odd(PLAIN + b"1,a\rb\n" + PLAIN[8:], size=("--rows", "1000")),
    "carriage returns are data": Odd(rows(400_000, b"%d,a\rb\n"), ("--line-end", "lf")),
    "ragged": Odd(PLAIN + b"1\n1,2,3\n" * 5 + PLAIN[8:]),
    "ragged, small chunks": Odd(PLAIN + b"1\n1,2,3\n" * 5 + PLAIN[8:], size=("--chunk-size", "90KB")),
    "ragged, strict": Odd(PLAIN + b"1,2,3\n" + PLAIN[8:], ("--strict",)),
    "blank lines": Odd(shuffled([b"1,a\n", b"\n", b'2,"b\n\n"\n'], 900_000)),
    "blank lines, left out": Odd(shuffled([b"1,a\n", b"\n", b'2,"b"\n'], 900_000), ("--skip-blank-lines",)),
    "repeated headers": Odd((PLAIN[: 2 * MIB] + b"\n") * 4, ("--skip-repeated-headers",)),
    "lines like the header": Odd(QUOTED + QUOTED),
    "preamble and trailer": Odd(
        b"report\n\n" + QUOTED + b"300000 rows\n", ("--skip-lines", "2", "--skip-trailer", "1")
    ),
    "preamble and trailer, rows": Odd(
        b"report\n\n" + QUOTED + b"300000 rows\n", ("--skip-lines", "2", "--skip-trailer", "1"), ("--rows", "3210")
    ),
    "sep": Odd(b"sep=;\r\n" + QUOTED.replace(b",", b";")),
    "not valid": Odd(rows(600_000, b"%d,caf\xe9\n")),
    "latin-1": Odd(rows(600_000, b"%d,caf\xe9\n"), ("--encoding", "latin-1")),
    "shift-jis": Odd(rows(500_000, b"%d,\x83\x5c\x82\xa0\n"), ("--encoding", "shift_jis")),
    "one column": Odd(rows(900_000, b"%d\n", b"id\n")),
    "empty fields": Odd(b",,\n" * 2_000_000),
    "bytes of zero": Odd(rows(400_000, b"%d,\0\0\0\n")),
    "long header": Odd(b'"' + b"wide\n" * 200_000 + b'",x\n' + PLAIN[8:]),
    "header alone": Odd(b"id,note\n"),
    "small": Odd(b"id,note\n1,a\n"),
    "empty": Odd(b""),
    "gzip": Odd(bulk(6 * MIB), ("--compress", "gzip")),
    "zstd, rows": Odd(bulk(6 * MIB), ("--compress", "zstd"), ("--rows", "9999")),
}
