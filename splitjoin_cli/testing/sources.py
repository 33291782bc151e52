"""The contract of a source, as a suite of tests: what splitjoin_cli/stores/sources/base.py says, each sentence tried.

A source of your own is held to it by a class that opens one whose content is ``DATA``:

    class TestFtpSource(SourceContract):
        @pytest.fixture
        def place(self, ftp_server):
            ftp_server.put("export", DATA)
            return SourcePlace(FtpSource(ftp_server.url("export")), lambda data: ftp_server.put("export", data))
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import SourceChangedError, SourceError
from splitjoin_cli.stores.sources.told import read_told
from splitjoin_cli.testing.reading import drained, read_range, read_through

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.stores.sources.base import Source

__all__ = ["CHUNK", "DATA", "SourceContract", "SourcePlace"]

DATA = b"id,name\r\n" + b"".join(b'%d,"n\xc3\xa4me\n%d"\r\n' % (n, n % 97) for n in range(16_000))
"""What every source under test reads as."""
CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class SourcePlace:
    """An open source and, where anyone else can change what it reads, how."""

    source: Source
    write: Callable[[bytes], object] | None = None
    """Replaces the stored content by one that reads as these bytes."""


class SourceContract:
    """Every source: ``place`` is a fixture of the subclass or of its module, which closes it afterwards."""

    @pytest.fixture
    def source(self, place: SourcePlace) -> Source:
        """The source alone."""
        return place.source

    @pytest.fixture
    def seekable(self, source: Source) -> Source:
        """The source, where it can be read at any place; the others' refusal has a test of its own."""
        if not source.properties.seekable:
            assert source.properties.size is None
            with pytest.raises(SourceError, match=r"can only be read from the front$"):
                source.read_at(0, memoryview(bytearray(1)))
        return source

    def test_properties_agree_with_the_content(self, source: Source) -> None:
        """A seekable source knows its size; one that is not says None; both know their size as stored."""
        properties = source.properties
        assert properties.size == (len(DATA) if properties.seekable else None)
        if properties.uri.startswith("file:"):
            assert properties.stored_bytes is None  # smart-open does not tell
        else:
            assert properties.stored_bytes is not None
            assert properties.stored_bytes > 0
        assert properties.compression is None or not properties.seekable

    @pytest.mark.parametrize("buffer_bytes", [1_000, CHUNK, 1 << 20, len(DATA), len(DATA) + 1])
    def test_each_pass_gives_the_same_bytes(self, source: Source, buffer_bytes: int) -> None:
        """A stream fills each buffer except the last, and a second pass is like the first."""
        assert read_through(source, buffer_bytes) == DATA
        assert read_through(source, buffer_bytes) == DATA

    def test_a_pass_tells_its_stored_bytes_as_they_come(self, source: Source) -> None:
        """What is told in all is what is stored, whatever is undone on the way."""
        told: list[int] = []
        assert drained(source.stream(told.append), CHUNK) == DATA
        stored = source.properties.stored_bytes
        if stored is not None:
            assert sum(told) == stored

    def test_what_is_read_is_told_once(self, source: Source) -> None:
        """Whether the source tells it or not."""
        if source.properties.seekable:
            told: list[int] = []
            assert read_told(source, 1, memoryview(bytearray(2 * len(DATA))), told.append) == len(DATA) - 1
            assert sum(told) == len(DATA) - 1

    def test_passes_are_independent(self, source: Source) -> None:
        """Two passes at once do not move each other, and one may be closed early, twice."""
        first, second = source.stream(), source.stream()
        buffer = memoryview(bytearray(CHUNK))
        assert first.readinto(buffer) == CHUNK
        assert second.readinto(buffer) == CHUNK
        assert bytes(buffer) == DATA[:CHUNK]
        assert first.readinto(buffer) == CHUNK
        assert bytes(buffer) == DATA[CHUNK : 2 * CHUNK]
        for stream in (first, second):
            stream.close()
            stream.close()

    def test_an_empty_buffer_is_filled_at_once(self, source: Source) -> None:
        """Asking for nothing gives nothing, and loses nothing."""
        stream = source.stream()
        assert stream.readinto(memoryview(bytearray(0))) == 0
        buffer = memoryview(bytearray(9))
        assert stream.readinto(buffer) == 9
        assert bytes(buffer) == DATA[:9]
        stream.close()

    @pytest.mark.parametrize(
        ("offset", "size"),
        [
            (0, 1),
            (0, len(DATA)),
            (0, len(DATA) + 1),
            (1, CHUNK),
            (CHUNK - 1, 2),
            (len(DATA) - 1, 1),
            (len(DATA) - 1, 2),
            (len(DATA), 1),
            (len(DATA) + 1, 1),
            (len(DATA) + 10**9, 1),
            (0, 0),
            (len(DATA), 0),
        ],
    )
    def test_ranges_at_every_edge(self, seekable: Source, offset: int, size: int) -> None:
        """``read_at`` fills the buffer, and less only at the end; what it does not fill it does not touch."""
        if seekable.properties.seekable:
            assert read_range(seekable, offset, size) == DATA[offset : offset + size]

    def test_ranges_from_many_threads(self, seekable: Source) -> None:
        """Ranges read at the same time do not disturb each other; nor do passes."""
        size = 50_000
        offsets = range(0, len(DATA), size)
        with ThreadPoolExecutor(8) as threads:
            if seekable.properties.seekable:
                parts = list(threads.map(lambda at: read_range(seekable, at, size), [*offsets] * 4))
                assert b"".join(parts) == DATA * 4
            passes = list(threads.map(lambda _: read_through(seekable), range(4)))
        assert passes == [DATA] * 4

    def test_unchanged_is_unchanged(self, source: Source) -> None:
        """Reading changes nothing, and a source is the same as often as one asks."""
        source.check_unchanged()
        read_through(source)
        source.check_unchanged()

    @pytest.mark.parametrize(
        "content",
        [DATA[:-7], DATA[: len(DATA) // 2], b"", DATA + b"1,x\r\n", DATA.replace(b"id,", b"ID,")],
        ids=["cut a little", "cut in half", "emptied", "appended", "same size"],
    )
    def test_every_change_is_noticed(self, place: SourcePlace, content: bytes) -> None:
        """A source that is shorter, longer, or of the same size and another content, is not the one that was opened."""
        if place.write is None:
            assert place.source.properties.validator is None
            place.source.check_unchanged()
            return
        assert place.source.properties.validator is not None
        place.write(content)
        name = place.source.properties.uri
        with pytest.raises(SourceChangedError) as caught:
            place.source.check_unchanged()
        assert name in caught.value.message

    def test_a_shorter_source_is_never_a_short_read(self, place: SourcePlace) -> None:
        """Bytes that are gone are a changed source, not an early end."""
        if place.write is None:
            assert read_through(place.source) == DATA
            return
        place.write(DATA[: len(DATA) // 2])
        if place.source.properties.seekable:
            with pytest.raises(SourceChangedError):
                read_range(place.source, 0, len(DATA))
        with pytest.raises(SourceChangedError):
            read_through(place.source)

    def test_uri_is_stable(self, source: Source) -> None:
        """The URI is one text, the same before and after reading."""
        before = source.properties
        read_through(source)
        assert source.properties == before
        assert before.uri

    def test_close_may_be_repeated(self, source: Source) -> None:
        """Closing twice is closing once."""
        source.close()
        source.close()
