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
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import pytest

import splitjoin_cli.stores.sources
from splitjoin_cli.core.bytes.codecs import compressor
from splitjoin_cli.core.bytes.lines import LineRule
from splitjoin_cli.core.model import ByteRange
from splitjoin_cli.stores.sources.local import LocalSource
from splitjoin_cli.stores.sources.memory import MemorySource
from splitjoin_cli.stores.sources.open import open_source
from splitjoin_cli.stores.sources.s3 import S3Source
from splitjoin_cli.stores.sources.spool import SpooledSource, spool_pipe
from splitjoin_cli.stores.sources.stoppable import StoppableSource
from splitjoin_cli.stores.sources.stream import StreamSource
from splitjoin_cli.stores.sources.url import UrlSource
from splitjoin_cli.stores.sources.web import HttpSource
from splitjoin_cli.stores.sources.web_ranges import HttpRanges
from splitjoin_cli.stores.sources.window import TailRule, Window, WindowSource
from splitjoin_cli.testing.sources import DATA, SourceContract, SourcePlace
from tests.servers.s3 import Bucket
from tests.stores.sources.http_server import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.s3 import S3Server


def _in_memory(_directory: Path) -> Iterator[SourcePlace]:
    source = MemorySource(DATA)
    yield SourcePlace(source, source.replace)


_gzip: Callable[[bytes], bytes] = lru_cache(gzip.compress)


_bz2: Callable[[bytes], bytes] = lru_cache(bz2.compress)


_xz: Callable[[bytes], bytes] = lru_cache(lambda data: lzma.compress(data, preset=1))


def _file(pack: Callable[[bytes], bytes], encoding: str | None = None) -> Callable[[Path], Iterator[SourcePlace]]:
    def make(directory: Path) -> Iterator[SourcePlace]:
        path = directory / "export"
        ticks = iter(range(1, 100))

        def write(content: bytes) -> None:
            path.write_bytes(pack(content))
            os.utime(path, ns=(0, next(ticks) * 10**9))

        write(DATA)
        yield SourcePlace(open_source(str(path), encoding=encoding), write)

    return make


def _http(pack: Callable[[bytes], bytes]) -> Callable[[Path], Iterator[SourcePlace]]:
    def make(_directory: Path) -> Iterator[SourcePlace]:
        with serving(pack(DATA)) as resource:

            def write(content: bytes) -> None:
                resource.data = pack(content)

            yield SourcePlace(open_source(resource.url), write)

    return make


def _http_ranges(_directory: Path) -> Iterator[SourcePlace]:
    with serving(DATA) as resource:

        def write(content: bytes) -> None:
            resource.data = content

        yield SourcePlace(HttpRanges(resource.url), write)


def _by_url(directory: Path) -> Iterator[SourcePlace]:
    path = directory / "export.csv"
    path.write_bytes(DATA)
    yield SourcePlace(UrlSource(path.as_uri()))  # the transport of smart-open that needs no server


def _spooled(directory: Path) -> Iterator[SourcePlace]:
    pipe = directory / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(DATA,))
    writer.start()
    source = spool_pipe(str(pipe), directory)
    writer.join()
    yield SourcePlace(source)


def _zstd(data: bytes) -> bytes:
    packer = compressor("zstd")
    return packer.compress(data) + packer.flush()


def _same(data: bytes) -> bytes:
    return data


def _wide(encoding: str) -> Callable[[bytes], bytes]:
    return lambda data: data.decode().encode(encoding)


def _stoppable(inner: Callable[[Path], Iterator[SourcePlace]]) -> Callable[[Path], Iterator[SourcePlace]]:
    """A source that nothing stops is the source."""

    def make(directory: Path) -> Iterator[SourcePlace]:
        for place in inner(directory):
            yield replace(place, source=StoppableSource(place.source, lambda: None))

    return make


def _around(pack: Callable[[bytes], bytes]) -> Callable[[Path], Iterator[SourcePlace]]:
    """A part of a file: with lines before, in and behind it that are left out."""
    cut = DATA.index(b"\n") + 1

    def make(directory: Path) -> Iterator[SourcePlace]:
        path = directory / "export"
        path.write_bytes(pack(b"Report\n" + DATA[:cut] + b"--\n" + DATA[cut:] + b"\nT|1\n"))
        base = open_source(str(path))
        start = len(b"Report\n")
        gap = ByteRange(start + cut, start + cut + len(b"--\n"))
        end = start + len(DATA) + gap.size if base.properties.seekable else None
        source = WindowSource(base, Window(start, gap, end, TailRule(1, LineRule(b","))))
        yield SourcePlace(source, lambda content: path.write_bytes(pack(content)))

    return make


PLACES: dict[str, Callable[[Path], Iterator[SourcePlace]]] = {
    "memory": _in_memory,
    "stoppable": _stoppable(_file(_same)),
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
    "ranges over http": _http_ranges,
    "smart-open": _by_url,
    "spooled": _spooled,
    "part of a file": _around(_same),
    "part of a stream": _around(_gzip),
}


S3_PLACES: dict[str, Callable[[bytes], bytes]] = {"s3": _same, "gzip on s3": _gzip}


COVERED = {MemorySource, LocalSource, SpooledSource, StreamSource, UrlSource, HttpSource, HttpRanges, S3Source} | {
    StoppableSource,
    WindowSource,
}


def _on_s3(bucket: Bucket, pack: Callable[[bytes], bytes]) -> Iterator[SourcePlace]:
    client, key = bucket.client(), f"in/{secrets.token_hex(8)}"

    def write(content: bytes) -> None:
        client.put_object(Bucket=bucket.name, Key=key, Body=pack(content))

    write(DATA)
    yield SourcePlace(open_source(f"{bucket.uri}{key}"), write)


@pytest.fixture(scope="module")
def shared_bucket(s3_server: S3Server) -> Bucket:
    """One bucket for all these tests: making one takes longer than any of them."""
    bucket = Bucket(f"sources-{secrets.token_hex(8)}", s3_server)
    bucket.client().create_bucket(Bucket=bucket.name)
    return bucket


@pytest.fixture(params=[*PLACES, *(pytest.param(name, marks=pytest.mark.server) for name in S3_PLACES)])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SourcePlace]:
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


def test_every_source_is_held_to_the_contract() -> None:
    """Whoever adds a source adds it here."""
    found = set()
    for module in pkgutil.iter_modules(splitjoin_cli.stores.sources.__path__, "splitjoin_cli.stores.sources."):
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            is_protocol = getattr(kind, "_is_protocol", False)
            if kind.__module__ == module.name and hasattr(kind, "check_unchanged") and not is_protocol:
                found.add(kind)
    assert {kind.__name__ for kind in found} == {kind.__name__ for kind in COVERED}


class TestSources(SourceContract):
    pass
