"""Where chunks lead through a range: what the rule of sizes says, from wherever the open chunk began."""

from __future__ import annotations

from array import array
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.splitting.records.stairs import stairs_of
from tests.laws import examples


def last_cut(ends: list[int], limit: int, capacity: int) -> int:
    """By hand: one chunk after the other, until one may reach the range's end."""
    cut = max([end for end in ends if end <= limit], default=0)
    while cut + capacity < ends[-1]:
        fits = [end for end in ends if cut < end <= cut + capacity]
        cut = fits[-1] if fits else min(end for end in ends if end > cut)
    return cut


@examples(60)
@given(
    sizes=st.one_of(
        st.lists(st.integers(1, 30), min_size=1, max_size=60),
        st.integers(1, 9).flatmap(lambda size: st.lists(st.just(size), min_size=1, max_size=60)),
    ),
    capacity=st.integers(0, 90),
)
def test_the_last_cut_is_known_from_every_limit(sizes: list[int], capacity: int) -> None:
    """Records of one size, where no two ways meet, and of many; larger than a chunk, too."""
    ends = list(accumulate(sizes))
    stairs = stairs_of(array("q", ends), 0, capacity)
    for limit in range(min(capacity + 1, ends[-1])):
        assert stairs.last_cut(limit) == last_cut(ends, limit, capacity)
