"""A chunk's body beside its range of the source: where the first difference is, without a copy of either."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.model import ByteRange
from splitjoin_cli.splitting.stored.comparing import Comparison
from splitjoin_cli.stores.sources.memory import MemorySource
from tests.laws import examples


@examples(50)
@given(
    body=st.binary(min_size=1, max_size=40),
    there=st.binary(max_size=45),
    same=st.integers(0, 40),
    start=st.integers(0, 3),
    block_bytes=st.integers(1, 12),
)
def test_the_first_difference_is_found(body: bytes, there: bytes, same: int, start: int, block_bytes: int) -> None:
    """Whatever the blocks are; a source that ends before the body differs at its end."""
    source = b"x" * start + body[:same] + there
    comparison = Comparison(MemorySource(source), ByteRange(start, start + len(body)), block_bytes)
    for at in range(0, len(body), block_bytes):
        comparison.feed(memoryview(body)[at : at + block_bytes])
    beside = source[start:]
    wanted = [start + at for at in range(len(body)) if body[at : at + 1] != beside[at : at + 1]]
    assert comparison.differs_at == (wanted[0] if wanted else None)


def test_blocks_are_compared_where_they_are() -> None:
    """To copy them took more time than to compare them."""
    size = 1 << 20
    body = memoryview(bytearray(size))
    comparison = Comparison(MemorySource(bytes(size)), ByteRange(0, size), size)
    tracemalloc.start()
    try:
        comparison.feed(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert comparison.differs_at is None
    assert peak < size // 4
