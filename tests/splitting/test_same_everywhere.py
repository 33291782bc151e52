"""A split's objects, its manifest with all warnings included, or its error: the same by any way, in any blocks."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING
from unittest import mock

from hypothesis import example, given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import SplitjoinError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.splitting import guesses
from splitjoin_cli.splitting.engines import spans
from splitjoin_cli.splitting.engines import unit as units
from splitjoin_cli.splitting.request import ChunkCount, ChunkSize, RowCount
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore
from tests.laws import examples
from tests.splitting.csvs import BOM, dialects, rare_dialects
from tests.splitting.engines.rigs import in_process, remote_of
from tests.splitting.runs import TwoPass, blocks_of, objects, request, split

if TYPE_CHECKING:
    from splitjoin_cli.core.model import StrayQuote
    from splitjoin_cli.splitting.request import SplitRequest

WHOLE = 1 << 20


@st.composite
def splits(draw: st.DrawFn) -> tuple[bytes, SplitRequest]:
    """Files with something to say of nearly each line, and now and then an error or two."""
    dialect = replace(
        draw(st.one_of(st.just(Dialect()), dialects(), rare_dialects())),
        header=draw(st.integers(0, 3)) > 0,
        skip_blank_lines=draw(st.integers(0, 4)) == 0,
    )
    dialect = replace(dialect, skip_repeated_headers=dialect.header and draw(st.integers(0, 4)) == 0)
    delimiter, quote, escape = dialect.delimiter, dialect.quotechar, dialect.escapechar
    row = f"a{delimiter}b"
    headers = [row, row, row, "a", f"a{delimiter}1"]
    pieces = [row, row, row, "1", f"1{delimiter}2{delimiter}3", "", " ", "\t", "x\ufeff", f"T{delimiter}7"]
    dirt = [f"x{delimiter}\r\ry"]
    if quote is not None:
        headers += [f"{quote}\n{quote}", f"{quote}a\n{quote}{delimiter}b"]
        pieces += [f"{quote}1\n\n \n{quote}{delimiter}{quote * 2}", f"{quote}{delimiter}\n{row}\n{quote}{delimiter}2"]
        dirt += [f"x{quote}{delimiter}", f"{quote}x{quote}y{delimiter}", f"{quote}x"]
    if escape is not None:
        pieces += [f"{escape}n{delimiter}1", f"{escape}\n{delimiter}{escape}", f"{escape}{escape}t{delimiter}"]
    header = draw(st.sampled_from(headers))
    ends = draw(st.sampled_from([["\n"], ["\r\n"], ["\n", "\r\n"]]))
    lines = draw(st.lists(st.tuples(st.sampled_from([*pieces, header]), st.sampled_from(ends)), max_size=40))
    if draw(st.integers(0, 2)) == 0:
        lines.insert(draw(st.integers(0, len(lines))), (draw(st.sampled_from(dirt)), "\n"))
    text = header + ends[0] + "".join(line + end for line, end in lines)
    data = BOM * draw(st.booleans()) + text.encode() + draw(st.sampled_from([b"", b"", b" ", b"\xff", b"\x1a", b"a"]))
    sizes = [st.builds(ChunkSize, st.integers(1, 300)), st.builds(ChunkCount, st.integers(1, 9))]
    size = draw(st.one_of(*sizes, st.builds(RowCount, st.integers(1, 9))))
    return data, request(dialect=dialect, size=size, strict=draw(st.integers(0, 3)) == 0)


def outcome(asked: tuple[bytes, SplitRequest], way: str, block_bytes: int, look_bytes: int, scanner: str) -> object:
    """What lies there after a split, or its error."""
    data, wanted = asked
    store = MemoryStore()
    with ExitStack() as stack:
        stack.enter_context(blocks_of(block_bytes))
        stack.enter_context(mock.patch.object(units, "best_block_bytes", return_value=block_bytes))
        stack.enter_context(mock.patch.object(guesses, "FIRST_LOOK", look_bytes))
        stack.enter_context(mock.patch.object(spans, "SPAN_BLOCKS", 3))
        stack.enter_context(mock.patch.dict(os.environ, {"SPLITJOIN_SCANNER": scanner}))
        remote = None
        if way == "engine":
            remote = remote_of(stack.enter_context(in_process(data, store)), data, lambda: TwoPass(store))
        try:
            split(data, MemorySink(store) if way == "directory" else TwoPass(store), wanted, remote=remote)
        except SplitjoinError as exc:
            return type(exc).__name__, exc.message, exc.hint
    return objects(store)


def asked(
    data: bytes,
    *,
    strict: bool = False,
    skips: bool = False,
    size: int = 24,
    encoding: str = "utf-8",
    stray_quote: StrayQuote = "error",
) -> tuple[bytes, SplitRequest]:
    """A split of a plain file."""
    dialect = Dialect(skip_blank_lines=skips, encoding=encoding, stray_quote=stray_quote)
    return data, request(dialect=dialect, size=ChunkSize(size), strict=strict)


@examples(25)
@example(split=asked(b"a,b\n1,2,3\n\n"), blocks=(4, 7), look_bytes=1)  # a blank line beside a longer record
@example(split=asked(b'"\n"\n"\n"\n1\n'), blocks=(3, 7), look_bytes=5)  # a header that overlaps itself
@example(split=asked(b'a,b\n1\n1,"x"y\n', strict=True), blocks=(4, 7), look_bytes=1)  # two errors in a block
@example(split=asked(b'a\nx"\n', skips=True), blocks=(3, 4), look_bytes=1)
@example(split=asked(b"a,b\n" + b"1,2\n" * 10 + b"T,10\n"), blocks=(8, 7), look_bytes=64)  # a short chunk at the end
@example(split=asked(b"a,\xff\n" + b"1,2\n" * 20, size=45, encoding="gb18030"), blocks=(16, 7), look_bytes=64)
@example(split=asked(b'a,b\n1,2\n3,"x\n4,5\n', stray_quote="literal"), blocks=(4, 7), look_bytes=1)  # open at the end
@given(
    split=splits(),
    blocks=st.tuples(st.sampled_from([3, 4, 7, 16, 64]), st.integers(3, 100)),
    look_bytes=st.sampled_from([1, 5, 64]),
)
def test_blocks_and_engines_change_nothing(
    split: tuple[bytes, SplitRequest], blocks: tuple[int, int], look_bytes: int
) -> None:
    """Warnings are part of the manifest, and an error is the first by its place."""
    whole = outcome(split, "store", WHOLE, look_bytes, "")
    for way, block_bytes, scanner in (
        ("store", blocks[0], ""),
        ("directory", blocks[0], ""),
        ("engine", blocks[0], ""),
        ("store", blocks[1], "numpy"),
    ):
        assert outcome(split, way, block_bytes, look_bytes, scanner) == whole, (way, block_bytes, scanner)
