"""The contract of a source, held by every implementation and every layer: see splitjoin_cli/stores/sources/base.py."""

from __future__ import annotations

import bz2
import gzip
import importlib
import inspect
import lzma
import os
import pkgutil
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import pytest

import splitjoin_cli.stores.sources
from splitjoin_cli.core.bytes.codecs import compressor
from splitjoin_cli.core.errors import SourceChangedError, SourceError
from splitjoin_cli.stores.sources.local import LocalSource
from splitjoin_cli.stores.sources.memory import MemorySource
from splitjoin_cli.stores.sources.open import open_source
from splitjoin_cli.stores.sources.s3 import S3Source
from splitjoin_cli.stores.sources.spool import SpooledSource, spool_pipe
from splitjoin_cli.stores.sources.stream import StreamSource
from splitjoin_cli.stores.sources.url import UrlSource
from splitjoin_cli.stores.sources.web import HttpSource
from tests.servers.s3 import Bucket
from tests.stores.sources.http_server import serving
from tests.stores.sources.reading import read_range, read_through

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from splitjoin_cli.stores.sources.base import Source
    from tests.servers.s3 import S3Server

DATA = b"id,name\r\n" + b"".join(b'%d,"n\xc3\xa4me\n%d"\r\n' % (n, n % 97) for n in range(16_000))
CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Place:
    """An open source and, where anyone else can change what it reads, how."""

    source: Source
    write: Callable[[bytes], object] | None = None
    """Replaces the stored content by one that reads as these bytes."""


def _in_memory(_directory: Path) -> Iterator[Place]:
    source = MemorySource(DATA)
    yield Place(source, source.replace)


_gzip: Callable[[bytes], bytes] = lru_cache(gzip.compress)
_bz2: Callable[[bytes], bytes] = lru_cache(bz2.compress)
_xz: Callable[[bytes], bytes] = lru_cache(lambda data: lzma.compress(data, preset=1))


def _file(pack: Callable[[bytes], bytes], encoding: str | None = None) -> Callable[[Path], Iterator[Place]]:
    def make(directory: Path) -> Iterator[Place]:
        path = directory / "export"
        ticks = iter(range(1, 100))

        def write(content: bytes) -> None:
            path.write_bytes(pack(content))
            os.utime(path, ns=(0, next(ticks) * 10**9))

        write(DATA)
        yield Place(open_source(str(path), encoding=encoding), write)

    return make


def _http(pack: Callable[[bytes], bytes]) -> Callable[[Path], Iterator[Place]]:
    def make(_directory: Path) -> Iterator[Place]:
        with serving(pack(DATA)) as resource:

            def write(content: bytes) -> None:
                resource.data = pack(content)

            yield Place(open_source(resource.url), write)

    return make


def _by_url(directory: Path) -> Iterator[Place]:
    path = directory / "export.csv"
    path.write_bytes(DATA)
    yield Place(UrlSource(path.as_uri()))  # the transport of smart-open that needs no server


def _spooled(directory: Path) -> Iterator[Place]:
    pipe = directory / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(DATA,))
    writer.start()
    source = spool_pipe(str(pipe), directory)
    writer.join()
    yield Place(source)


def _zstd(data: bytes) -> bytes:
    packer = compressor("zstd")
    return packer.compress(data) + packer.flush()


def _same(data: bytes) -> bytes:
    return data


def _wide(encoding: str) -> Callable[[bytes], bytes]:
    return lambda data: data.decode().encode(encoding)


PLACES: dict[str, Callable[[Path], Iterator[Place]]] = {
    "memory": _in_memory,
    "local": _file(_same),
    "gzip": _file(_gzip),
    "bz2": _file(_bz2),
    "xz": _file(_xz),
    "zstd": _file(_zstd),
    "utf-16": _file(_wide("utf-16"), "utf-16"),
    "utf-32be": _file(_wide("utf-32be"), "utf-32be"),
    "utf-16 in gzip": _file(lambda data: _gzip(_wide("utf-16")(data)), "utf-16"),
    "http": _http(_same),
    "gzip over http": _http(_gzip),
    "smart-open": _by_url,
    "spooled": _spooled,
}
S3_PLACES: dict[str, Callable[[bytes], bytes]] = {"s3": _same, "gzip on s3": _gzip}
COVERED = {MemorySource, LocalSource, SpooledSource, StreamSource, UrlSource, HttpSource, S3Source}


def _on_s3(bucket: Bucket, pack: Callable[[bytes], bytes]) -> Iterator[Place]:
    client, key = bucket.client(), f"in/{secrets.token_hex(8)}"

    def write(content: bytes) -> None:
        client.put_object(Bucket=bucket.name, Key=key, Body=pack(content))

    write(DATA)
    yield Place(open_source(f"{bucket.uri}{key}"), write)


@pytest.fixture(scope="module")
def shared_bucket(s3_server: S3Server) -> Bucket:
    """One bucket for all these tests: making one takes longer than any of them."""
    bucket = Bucket(f"sources-{secrets.token_hex(8)}", s3_server)
    bucket.client().create_bucket(Bucket=bucket.name)
    return bucket


@pytest.fixture(params=[*PLACES, *(pytest.param(name, marks=pytest.mark.server) for name in S3_PLACES)])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Each kind of source in turn, holding DATA."""
    name: str = request.param
    if name in S3_PLACES:
        bucket: Bucket = request.getfixturevalue("shared_bucket")
        for variable, value in bucket.env.items():
            monkeypatch.setenv(variable, value)
        making = _on_s3(bucket, S3_PLACES[name])
    else:
        making = PLACES[name](tmp_path)
    for made in making:
        yield made
        made.source.close()


@pytest.fixture
def source(place: Place) -> Source:
    """The source alone."""
    return place.source


@pytest.fixture
def seekable(source: Source) -> Source:
    """The source, where it can be read at any place; the others' refusal has a test of its own."""
    if not source.properties.seekable:
        assert source.properties.size is None
        with pytest.raises(SourceError, match=r"can only be read from the front$"):
            source.read_at(0, memoryview(bytearray(1)))
    return source


def test_properties_agree_with_the_content(source: Source) -> None:
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
def test_each_pass_gives_the_same_bytes(source: Source, buffer_bytes: int) -> None:
    """A stream fills each buffer except the last, and a second pass is like the first."""
    assert read_through(source, buffer_bytes) == DATA
    assert read_through(source, buffer_bytes) == DATA


def test_passes_are_independent(source: Source) -> None:
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


def test_an_empty_buffer_is_filled_at_once(source: Source) -> None:
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
def test_ranges_at_every_edge(seekable: Source, offset: int, size: int) -> None:
    """``read_at`` fills the buffer, and less only at the end; what it does not fill it does not touch."""
    if seekable.properties.seekable:
        assert read_range(seekable, offset, size) == DATA[offset : offset + size]


def test_ranges_from_many_threads(seekable: Source) -> None:
    """Ranges read at the same time do not disturb each other; nor do passes."""
    size = 50_000
    offsets = range(0, len(DATA), size)
    with ThreadPoolExecutor(8) as threads:
        if seekable.properties.seekable:
            parts = list(threads.map(lambda at: read_range(seekable, at, size), [*offsets] * 4))
            assert b"".join(parts) == DATA * 4
        passes = list(threads.map(lambda _: read_through(seekable), range(4)))
    assert passes == [DATA] * 4


def test_unchanged_is_unchanged(source: Source) -> None:
    """Reading changes nothing, and a source is the same as often as one asks."""
    source.check_unchanged()
    read_through(source)
    source.check_unchanged()


@pytest.mark.parametrize(
    "content",
    [DATA[:-7], DATA[: len(DATA) // 2], b"", DATA + b"1,x\r\n", DATA.replace(b"id,", b"ID,")],
    ids=["cut a little", "cut in half", "emptied", "appended", "same size"],
)
def test_every_change_is_noticed(place: Place, content: bytes) -> None:
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


def test_a_shorter_source_is_never_a_short_read(place: Place) -> None:
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


def test_uri_is_stable(source: Source) -> None:
    """The URI is one text, the same before and after reading."""
    before = source.properties
    read_through(source)
    assert source.properties == before
    assert before.uri


def test_close_may_be_repeated(source: Source) -> None:
    """Closing twice is closing once."""
    source.close()
    source.close()


def test_every_source_is_held_to_the_contract() -> None:
    """Whoever adds a source adds it here."""
    found = set()
    for module in pkgutil.iter_modules(splitjoin_cli.stores.sources.__path__, "splitjoin_cli.stores.sources."):
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            is_protocol = getattr(kind, "_is_protocol", False)
            if kind.__module__ == module.name and hasattr(kind, "check_unchanged") and not is_protocol:
                found.add(kind)
    assert {kind.__name__ for kind in found} == {kind.__name__ for kind in COVERED}
