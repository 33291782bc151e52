"""The bytes that databases' own readers get: exactly the chunk's records, or a refusal to let them read it."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import BadRowError, SourceError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.stores.loaders.body import NotPlainError, gathered
from splitjoin_cli.stores.loaders.plain import plain_blocks
from splitjoin_cli.testing.chunks import Streams, chunk_of, with_stream

PIECES = ["a", '"', '""', ",", "\n", "\r\n", '"b",', ',"c\r\nd"', '"\n', '\n"']
BLOCKS = st.lists(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), max_size=6)


def plain(data: bytes, **options: Any) -> bytes:  # noqa: ANN401 -- those of plain_blocks
    """All of the body."""
    return b"".join(map(bytes, plain_blocks(chunk_of(data, rows=None), None, **options)))


def rows(text: str, *, strict: bool) -> list[list[str]]:
    """By the csv module."""
    return list(csv.reader(io.StringIO(text, newline=""), strict=strict))


@given(BLOCKS)
def test_what_passes_means_the_same_to_every_reader(blocks: list[str]) -> None:
    """The strict csv module reads from it what the lenient one reads from the chunk; LF ends every record."""
    text = "".join(blocks)
    parts: list[Any] = [b"id,name\n", *(block.encode() for block in blocks)]
    chunk = with_stream(chunk_of(b"", rows=None), lambda: Streams(parts))
    try:
        found = b"".join(map(bytes, plain_blocks(chunk, None))).decode()
    except NotPlainError:
        assert '"' in text
        return
    except BadRowError:
        assert text.count('"') % 2 == 1
        return
    assert rows(found, strict=True) == rows(text, strict=False)
    assert "\r\n" not in "".join(found.split('"')[::2])


@pytest.mark.parametrize(
    "data", [b'1,"a""b"\n', b'"a","b"\n', b'1,""\n', b'"",""\r\n', b'1,""""\n', b'"a\r\nb"\r\n"c"', b'1,"\n\n"\n']
)
def test_rfc_4180_passes(data: bytes) -> None:
    """With LF for CR LF outside quotes, and behind the last record, and not a byte else."""
    out = b'"'.join(
        part.replace(b"\r\n", b"\n") if number % 2 == 0 else part for number, part in enumerate(data.split(b'"'))
    )
    assert plain(data) == (out if out.endswith(b"\n") else out + b"\n")


@pytest.mark.parametrize("data", [b'1,5"\n2,6"\n', b'1,a"b"\n', b'1,"a"b\n', b'1, "a"\n', b'1,a""b\n', b'1,"a" \n'])
def test_stray_quotes_do_not_pass(data: bytes) -> None:
    """PostgreSQL would drop them, or read two rows as one."""
    with pytest.raises(NotPlainError):
        plain(data)


def test_what_one_database_alone_misreads() -> None:
    """Only that one refuses it."""
    assert plain(b"1,a\n\\.\n2,b\n") == b"1,a\n\\.\n2,b\n"
    for data in (b"1,a\n\\.\n2,b\n", b'1,"a\n\\.\nb"\n', b"\\.\r\n", b"1,a\n\\."):
        with pytest.raises(NotPlainError):
            plain(data, refuse_end_of_data=True)
    assert plain(b'1,"\n\\. "\n', refuse_end_of_data=True) == b'1,"\n\\. "\n'
    for data in (b"1,a\n\n2,b\n", b"\n1,a\n", b"1,a\r\n\r\n", b'1,"a"\n\n"2",b\n'):
        with pytest.raises(NotPlainError):
            plain(data, refuse_blank_lines=True)
    assert plain(b'1,"a\n\nb"\n', refuse_blank_lines=True) == b'1,"a\n\nb"\n'


def test_a_lone_cr_does_not_pass() -> None:
    """It ends a record for the csv module, and is data to databases."""
    for data in (b"1,a\r2,b\n", b"1,a\r", b"1,a\r\r\n"):
        with pytest.raises(NotPlainError):
            plain(data)
    assert plain(b'1,"a\rb"\n') == b'1,"a\rb"\n'


def test_other_encodings_become_utf_8() -> None:
    """Databases get one."""
    chunk = chunk_of("1,Zoë\n".encode("latin-1"), dialect=Dialect(encoding="latin-1", line_end="\n"))
    assert b"".join(map(bytes, plain_blocks(chunk, None))) == "1,Zoë\n".encode()


def test_a_chunk_that_ends_within_its_header_is_an_error() -> None:
    """Its metadata is not of these bytes."""
    chunk = with_stream(chunk_of(b"1,a\n"), lambda: Streams([b"id,"]))
    with pytest.raises(SourceError, match=r"ends within its header$"):
        list(plain_blocks(chunk, None))


def test_the_stream_is_closed_however_reading_ends() -> None:
    """At the end, and when the reader stops."""
    streams = [Streams([b"id,name\n", b"1,a\n"]), Streams([b"id,name\n", b"1,a\n"])]
    left = iter(streams)
    chunk = with_stream(chunk_of(b""), lambda: next(left))
    assert list(map(bytes, plain_blocks(chunk, None))) == [b"1,a\n"]
    blocks = plain_blocks(chunk, None)
    next(blocks)
    blocks.close()
    assert [stream.closed for stream in streams] == [True, True]


def test_a_block_is_gone_when_the_next_is_asked_for() -> None:
    """Its place is taken: who kept it is told so, and never reads other bytes."""
    data = b"".join(b"%d,a\n" % number for number in range(300_000))
    blocks = plain_blocks(chunk_of(data, rows=None), None)
    first = next(blocks)
    assert data.startswith(bytes(first))
    next(blocks)
    with pytest.raises(ValueError, match="released memoryview"):
        bytes(first)
    assert plain(data) == data


def test_a_record_of_many_blocks_passes_whole() -> None:
    """What is held grows with it; the bytes before and behind it are where they were."""
    data = b'1,"' + b"x\n" * 3_000_000 + b'"\n2,' + b"y" * 3_000_000 + b"\n3,b\n"
    assert plain(data) == data


def test_gathered() -> None:
    """Small pieces become blocks; none is lost."""
    assert list(gathered([b"ab"] * 5, 4)) == [b"abab", b"abab", b"ab"]
    assert list(gathered([])) == []
