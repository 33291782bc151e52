"""One file, any way that a split can take: the same cuts, those of a reader that knows nothing of the product."""

from __future__ import annotations

import gzip
import tempfile
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from splitjoin_cli.core.bytes.codecs import DecompressedStream, compressor
from splitjoin_cli.core.bytes.crc64 import crc64, tagged
from splitjoin_cli.core.bytes.lines import count_lines
from splitjoin_cli.core.errors import BadInputError, CopyRefusedError, UsageError
from splitjoin_cli.core.format.left_out import LeftOut
from splitjoin_cli.core.model import Dialect, S3Location, Skip
from splitjoin_cli.splitting import guesses, prepare, probe
from splitjoin_cli.splitting.engines import spans
from splitjoin_cli.splitting.engines import unit as units
from splitjoin_cli.splitting.engines.in_process import InProcess
from splitjoin_cli.splitting.engines.place import Place
from splitjoin_cli.splitting.request import ChunkCount, ChunkSize, RowCount
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore, location
from splitjoin_cli.stores.sources.memory import MemorySource
from splitjoin_cli.stores.sources.open import understood
from splitjoin_cli.stores.sources.positioned import PositionedStream
from splitjoin_cli.stores.sources.spool import SpooledSource
from splitjoin_cli.stores.sources.stream import StreamSource
from splitjoin_cli.stores.sources.url import UrlSource
from tests.splitting.csvs import BOM, dialects, dirty_files, rare_dialects, valid_files
from tests.splitting.engines.rigs import remote_of
from tests.splitting.runs import Fate, Killed, MortalSink, TwoPass, blocks_of, chunks, request, split, stream_of
from tests.splitting.slow_reader import Cut, OneColumnError, RefusedError, inside, lines_of, planned, text_of
from tests.stores.sources.http_server import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.core.model import SourceProperties
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.splitting.request import Size, SplitRequest
    from splitjoin_cli.splitting.result import SplitResult
    from splitjoin_cli.stores.sources.base import Source
    from tests.stores.sources.http_server import Resource

EXAMPLES = 12
"""Of each way; tests/soak asks for fifty times as many."""


class OnS3:
    """A source that lies on S3, in the store that MemorySinks are of or in another one."""

    def __init__(self, data: bytes, place: S3Location) -> None:
        self._inner = MemorySource(data, f"s3://{place.bucket}/{place.key}")
        self.properties: SourceProperties = replace(self._inner.properties, s3=place)

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:  # noqa: ARG002 -- Source's
        return self._inner.read_at(offset, buffer)

    def stream(self, came: Moved | None = None) -> PositionedStream:
        return PositionedStream(self, came)

    def check_unchanged(self) -> None:
        self._inner.check_unchanged()

    def close(self) -> None:
        self._inner.close()


class Copies(TwoPass):
    """S3 within one store, where every chunk is copied on the server, however small."""

    @property
    def least_copy_bytes(self) -> int:
        return 1


class RefusesCopies(Copies):
    """The same without the right to copy."""

    def copy(self, name: str, *_: object, **__: object) -> Any:  # noqa: ANN401 -- never returns
        raise CopyRefusedError(f"no copy of {name}")


@dataclass(frozen=True)
class Asked:
    """A file and what is asked for."""

    data: bytes
    dialect: Dialect
    size: Size
    skip: Skip = field(default_factory=Skip)

    def request(self, **more: Any) -> SplitRequest:  # noqa: ANN401 -- any of SplitRequest's
        return request(dialect=self.dialect, size=self.size, skip=self.skip, **more)


class Way:
    """A way from a source to a sink; ``run`` makes the split and returns what came of it."""

    def __init__(
        self,
        open_source: Callable[[bytes, MemoryStore], Source],
        sink: type[MemorySink] = TwoPass,
        *,
        dies: bool = False,
        **options: Any,  # noqa: ANN401 -- any of SplitRequest's
    ) -> None:
        self._open, self._sink, self._dies, self._options = open_source, sink, dies, options

    def run(self, asked: Asked, die_at: int) -> tuple[SplitResult, dict[str, bytes]]:
        store = MemoryStore()
        wanted = asked.request(**self._options)
        if self._dies:
            for at in (die_at, die_at // 2):
                with suppress(Killed), closing(self._open(asked.data, store)) as source:
                    split(source, MortalSink(self._sink(store), Fate(at, after=at % 2 > 0)), wanted)
        with closing(self._open(asked.data, store)) as source:
            return split(source, self._sink(store), wanted), chunks(store)


class OnEngine(Way):
    """By units of an engine, which run in this process and go through JSON text; in blocks as here."""

    def run(self, asked: Asked, die_at: int) -> tuple[SplitResult, dict[str, bytes]]:
        store, wanted = MemoryStore(), asked.request(**self._options)
        block_bytes: int = vars(prepare)["best_block_bytes"]()  # as it was patched
        place = Place(lambda _: self._open(asked.data, store), lambda _: self._sink(store))
        with closing(InProcess(place)) as engine, ExitStack() as stack:
            stack.enter_context(mock.patch.object(units, "best_block_bytes", return_value=block_bytes))
            stack.enter_context(mock.patch.object(spans, "SPAN_BLOCKS", 2 + die_at % 3))
            remote = remote_of(engine, asked.data, lambda: self._sink(store))
            return split(self._open(asked.data, store), self._sink(store), wanted, remote=remote), chunks(store)


def plain(data: bytes, _: MemoryStore) -> Source:
    """A file, as it is."""
    return MemorySource(data)


def copyable(data: bytes, store: MemoryStore) -> Source:
    """It lies on S3, in the sink's own store."""
    store.exports["b/acme.csv"] = data
    return OnS3(data, location(store, "b", "acme.csv"))


def elsewhere(data: bytes, _: MemoryStore) -> Source:
    """It lies on S3, in another store."""
    return OnS3(data, S3Location("b", "acme.csv", '"1"', store="another"))


def gzipped(data: bytes, _: MemoryStore) -> Source:
    """As split opens a .gz."""
    return understood(MemorySource(gzip.compress(data, 1)))


def zstandard(data: bytes, _: MemoryStore) -> Source:
    """As split opens a .zst."""
    packer = compressor("zstd")
    packed = packer.compress(data) + packer.flush()
    return StreamSource(
        MemorySource(packed), partial(DecompressedStream, compression="zstd", name="acme"), compression="zstd"
    )


def in_utf16(data: bytes, _: MemoryStore) -> Source:
    """Read back as UTF-8; a byte order mark in ``data`` comes after UTF-16's own."""
    return understood(MemorySource(b"\xff\xfe" + data.decode().encode("utf-16-le")), encoding="utf-16")


def forward(data: bytes, _: MemoryStore) -> Source:
    """A source that cannot seek."""
    return stream_of(data)


def spooled(data: bytes, _: MemoryStore) -> Source:
    """What standard input becomes."""
    file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 -- the source closes it
    file.write(data)
    return SpooledSource(file, len(data), "-")


WAYS = {
    "file to directory": Way(plain, MemorySink),
    "file to S3": Way(plain),
    "S3 streamed": Way(elsewhere),
    "S3 to directory": Way(elsewhere, MemorySink),
    "S3 copied": Way(copyable, Copies),
    "S3 that refuses copies": Way(copyable, RefusesCopies),
    "S3 small chunks streamed": Way(copyable),
    "S3 to compressed chunks": Way(copyable, Copies, compress="gzip"),
    "stream to directory": Way(forward, MemorySink),
    "stream to S3": Way(forward),
    "gzip": Way(gzipped),
    "zstd to gzip": Way(zstandard, MemorySink, compress="gzip"),
    "UTF-16": Way(in_utf16),
    "standard input": Way(spooled, MemorySink),
    "standard input to S3": Way(spooled),
    "file to zstd": Way(plain, MemorySink, compress="zstd"),
    "file to directory, killed twice": Way(plain, MemorySink, dies=True),
    "file to S3, killed twice": Way(plain, dies=True),
    "by an engine": OnEngine(plain),
    "by an engine to gzip": OnEngine(plain, compress="gzip"),
    "by an engine, S3 copied": OnEngine(copyable, Copies),
    "by an engine, S3 that refuses copies": OnEngine(copyable, RefusesCopies),
    "S3 copied, killed twice": Way(copyable, Copies, dies=True),
    "stream to S3, killed twice": Way(forward, dies=True),
}

SIZES = st.one_of(
    st.builds(ChunkSize, st.integers(1, 120)),
    st.builds(ChunkCount, st.integers(1, 12)),
    st.builds(RowCount, st.integers(1, 9)),
)


@st.composite
def unquoted(draw: st.DrawFn, dialect: Dialect) -> bytes:
    """Any text of a dialect without quotes: escape characters before anything, before a newline most of all."""
    pieces = ["a", "é", '"', dialect.delimiter, "\n", "\n", "\r\n", "ab"]
    if dialect.escapechar is not None:
        pieces += [dialect.escapechar + after for after in ("\n", "\n", "\r\n", "\r", dialect.escapechar, "", "a")]
    text = "".join(draw(st.lists(st.sampled_from(pieces), min_size=1, max_size=60)))
    return BOM * draw(st.booleans()) + text.encode()


@st.composite
def questions(draw: st.DrawFn) -> Asked:
    """Files by the rules, in dialects with and without quotes and escapes; dirty ones; now and then a refused one."""
    known = replace(draw(dialects()), stray_quote=draw(st.sampled_from(["error", "literal"])))
    dialect = replace(draw(st.one_of(st.just(known), rare_dialects())), header=draw(st.booleans()))
    if dialect.quotechar is None and draw(st.booleans()):
        data = draw(unquoted(dialect))
    elif draw(st.integers(0, 4)) == 0:
        data = draw(dirty_files(dialect))
    else:
        data = draw(valid_files(dialect))
        data *= draw(st.integers(1, 3)) if data.endswith(b"\n") and not data.startswith(BOM) else 1
    if draw(st.integers(0, 2)) == 0:
        blanks = "\t" not in (dialect.quotechar, dialect.escapechar) and draw(st.booleans())  # else a tab is not blank
        dialect = replace(
            dialect,
            skip_blank_lines=blanks,
            skip_repeated_headers=dialect.header and (not blanks or draw(st.booleans())),
        )
        data = draw(with_lines_that_are_no_records(data, dialect))
    if not draw(st.integers(0, 2)):
        return draw(surrounded(Asked(data, dialect, draw(SIZES))))
    return Asked(data, dialect, draw(SIZES))


@st.composite
def with_lines_that_are_no_records(draw: st.DrawFn, data: bytes, dialect: Dialect) -> bytes:
    """``data`` with blank lines, and the header, here and there."""
    try:
        lines = lines_of(data, dialect)
    except RefusedError:
        return data
    header = text_of(lines[0], data, dialect)
    more = [b"\n", b"\r\n", b"  \t\n", b" \n", header + b"\n", header + b"\r\n"]
    parts = [data[line.start : line.end] + draw(st.sampled_from([b"", b"", *more])) for line in lines]
    return b"".join(parts) + draw(st.sampled_from([b"", b"", b" ", header, *more]))


@st.composite
def surrounded(draw: st.DrawFn, asked: Asked) -> Asked:
    """The same with lines before and behind it, as many as are to be left out, or not quite."""
    line = st.sampled_from([b"Report\n", b"\r\n", b"T|3\r\n", b" \n", b"\n", asked.dialect.delimiter.encode() + b"\n"])
    before, behind = (b"".join(draw(st.lists(line, max_size=4))) for _ in range(2))
    before = draw(st.sampled_from([b"", BOM, b"sep=;\r\n", BOM + b"sep=|\n"])) + before
    cut = draw(st.integers(0, 2))
    data = before + asked.data + b"\n" * (not asked.data.endswith(b"\n")) + (behind[:-cut] if cut else behind)
    lines, trailer = before.count(b"\n"), len(behind.split())
    skip = Skip(max(lines - draw(st.integers(0, 1)), 0), max(trailer + draw(st.integers(-1, 1)), 0))
    return replace(asked, data=data, skip=skip)


@contextmanager
def small_steps(block_bytes: int, look_bytes: int) -> Iterator[None]:
    """So that a small file has many blocks, looks of a guess and steps of a probe."""
    with ExitStack() as stack:
        stack.enter_context(blocks_of(block_bytes))
        for module, name in ((probe, "FIRST_BYTES"), (probe, "LAST_BYTES"), (guesses, "FIRST_LOOK")):
            stack.enter_context(mock.patch.object(module, name, look_bytes))
        yield


def check(asked: Asked, run: Callable[[], tuple[SplitResult, dict[str, bytes]]]) -> None:
    """The split's plan, and what is stored, are the slow reader's; what that refuses is refused."""
    try:
        before, data, behind = inside(asked.data, asked.dialect, asked.skip)
        assume((asked.dialect.quotechar or "\n").encode() not in behind.replace(b"\n", b""))
        header, cuts = planned(data, asked.dialect, asked.size)
    except RefusedError:
        try:
            result, _ = run()
        except (BadInputError, UsageError):  # blank lines in a file of one column may be seen first
            return
        assert result.rows is None, "what was scanned is refused"
        return
    except OneColumnError:
        with pytest.raises(UsageError):
            run()
        return
    result, stored = run()
    table = result.plan.chunks
    found = [Cut(chunk.range.start, chunk.range.end, -1 if chunk.rows is None else chunk.rows) for chunk in table]
    if table.total_rows is None:
        assert asked.dialect.quotechar is None
        assert asked.dialect.escapechar is None
        cuts = [cut._replace(rows=-1) for cut in cuts]
    assert found == [cut._replace(start=cut.start + len(before), end=cut.end + len(before)) for cut in cuts]
    assert list(stored.values()) == [data[:header] + data[cut.start : cut.end] for cut in cuts]
    assert result.plan.header_start == len(before)
    said = result.plan.left_out or LeftOut()
    assert (said.lines, said.trailer_lines) == (count_lines(before), count_lines(behind))
    whole = f"{len(asked.data)}-{tagged(crc64(asked.data))}"
    assert table.total_rows is None or result.plan.source.fingerprint == whole


ESCAPED = Dialect("\t", None, "\\")
MYSQL = Dialect("||", header=False, line_end_rule="lf", stray_quote="mysql")
OPENED = b'\xef\xbb\xbf""\r\n""\r\n"\n"\n'
"""One record of quotes that do not close before a carriage return, and a trailer that is a quote."""


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_every_way_makes_the_same_cuts(way: Way) -> None:
    """Ranges, rows and bytes, whatever the dialect, the blocks, and the moment of two deaths."""
    holds_for(way, EXAMPLES)


@pytest.mark.parametrize("ranges", [True, False])
def test_http_makes_the_same_cuts(ranges: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """From a web server, with ranges and without."""
    with serving(b"") as resource:
        resource.ranges = ranges
        holds_for(from_web(resource), EXAMPLES)


def from_web(resource: Resource) -> Way:
    """The way from a web server."""

    def serve(data: bytes, _: MemoryStore) -> Source:
        resource.data = data
        return UrlSource(resource.url)

    return Way(serve)


def holds_for(way: Way, examples: int) -> None:
    """The law for one way."""

    @settings(max_examples=examples, deadline=None)
    @given(
        asked=questions(),
        block_bytes=st.sampled_from([3, 7, 16, 64, 1000]),
        look_bytes=st.sampled_from([1, 5, 64]),
        die_at=st.integers(1, 30),
    )
    @example(
        asked=Asked(b"id\tn\n1\tone\\\ntwo\n2\tb\n", ESCAPED, ChunkSize(16)), block_bytes=7, look_bytes=5, die_at=9
    )
    @example(asked=Asked(b"id\tn\\\nm\n1\ta\n2\tb\n", ESCAPED, ChunkCount(2)), block_bytes=16, look_bytes=64, die_at=9)
    @example(asked=Asked(OPENED, MYSQL, ChunkSize(16), Skip(trailer=1)), block_bytes=7, look_bytes=5, die_at=9)
    def law(asked: Asked, block_bytes: int, look_bytes: int, die_at: int) -> None:
        with small_steps(block_bytes, look_bytes):
            check(asked, lambda: way.run(asked, die_at))

    law()
