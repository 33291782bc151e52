"""Chunks shared out in stretches: each is sent once, and no job is idle while another has chunks that wait."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.model import ByteRange, Chunk
from splitjoin_cli.core.parallel import in_any_order
from splitjoin_cli.splitting.stretches import Stretches, neighbours


def chunk(number: int, size: int = 10) -> Chunk:
    """One of so many bytes, as long as all before it."""
    return Chunk(number, ByteRange(number * size, (number + 1) * size), None, None)


@given(st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)), st.integers(1, 100), st.integers(1, 9))
def test_stretches_are_of_neighbours(missing: set[int], copied: set[int], most_bytes: int, most_chunks: int) -> None:
    """All chunks in their order; no stretch crosses a gap, is too long, or holds one that joins no other."""
    chunks = [chunk(number) for number in sorted(missing)]
    found = list(
        neighbours(chunks, lambda one: one.number not in copied, most_bytes=most_bytes, most_chunks=lambda: most_chunks)
    )
    assert [one for stretch in found for one in stretch] == chunks
    for stretch in found:
        numbers = [one.number for one in stretch]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert len(numbers) == 1 or (len(numbers) <= most_chunks and 10 * len(numbers) <= most_bytes)
        assert len(numbers) == 1 or not copied & {*numbers}


def test_who_has_nothing_left_takes_half_of_what_waits() -> None:
    """One stretch, four jobs: four chunks are under way at once, and what a job goes on to shrinks."""
    together, seen, lock = threading.Barrier(4, timeout=20), list[tuple[int, int]](), threading.Lock()

    def send(one: Chunk, end: int) -> None:
        with lock:
            seen.append((one.number, end))
        together.wait()

    def give_up() -> None:
        raise AssertionError

    with ThreadPoolExecutor(4) as executor:
        stretches = Stretches(send)
        in_any_order(executor, stretches.calls([[chunk(number) for number in range(16)]], 4), 4, give_up)
    assert sorted(number for number, _ in seen) == list(range(16))
    assert seen[0] == (0, 160)
    assert all((number + 1) * 10 <= end <= 160 for number, end in seen)
