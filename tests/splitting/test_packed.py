"""What counts of a chunk while its stored bytes leave."""

from __future__ import annotations

from splitjoin_cli.core.progress import Tally
from splitjoin_cli.splitting.packed import Packed


def test_a_chunks_bytes_count_as_those_that_are_stored_leave() -> None:
    """What a writer has taken has not left; what became a tenth counts tenfold; what is sent again is taken back."""
    told: list[int] = []
    tally = Tally(told.append)
    packed = Packed(tally)
    assert packed.noted(b"", 400) == b""
    assert told == []
    packed.noted(b"x" * 100, 600)
    for size, counted in ((50, 500), (50, 1000), (-80, 200), (80, 1000)):
        packed.sent(size)
        assert tally.size == counted
    assert sum(told) == 1000


def test_what_is_stored_as_it_is_counts_one_to_one() -> None:
    """An export that cannot seek, not compressed."""
    told: list[int] = []
    packed = Packed(Tally(told.append))
    for size in (7, 5, 9):
        packed.noted(bytes(size), size)
        packed.sent(size)
    assert told == [7, 5, 9]
