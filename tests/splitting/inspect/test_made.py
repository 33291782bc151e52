"""Files of known truth, as exporters write them: what is found is what they are, and what is proposed reads them."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.exports import Export, make
from benchmarks.inspecting import SHARES, judge, ours
from tests.splitting.inspect.slow import widths

EXPORTS = make(7)
BROKEN = {"pollock-row", "quotes"}  # their records are meant to be wrong, or their quotes letters


def settled(exports: list[Export]) -> list[Export]:
    """Those of one right answer."""
    return [one for one in exports if one.truth.clear]


@pytest.mark.parametrize("first", range(2))
def test_nearly_all_of_a_sample_are_found_as_they_are(first: int) -> None:
    """Of each kind some: nine in ten and more have all six answers right."""
    chosen = settled(EXPORTS)[first * 5 :: 17]
    right = Counter(share for one in chosen for share, ok in judge(one, ours(one.data)).items() if ok)
    assert right["all six"] >= 0.92 * len(chosen), right
    assert all(right[share] >= 0.95 * len(chosen) for share in SHARES), right


def test_what_is_proposed_gives_records_of_one_width() -> None:
    """The options, applied by a slow reader, leave no stray quote and one width, where the file has one."""
    odd = ("multitable", "record_d", "few", "header_only")
    whole = [one for one in EXPORTS if one.kind not in BROKEN and not any(name in one.name for name in odd)]
    for one in whole[::11]:
        found = ours(one.data)
        read = widths(one.data, found.options, encoding=one.truth.encoding)
        assert set(read) == {len(found.columns) or max(found.fields)}, (one.name, found.options, Counter(read))
        assert len(read) - bool(found.header) - found.repeated == found.records, one.name


@pytest.mark.soak
@pytest.mark.parametrize("seed", [21, 22, 23])
def test_all_of_a_seed_are_found_as_they_are(seed: int) -> None:
    """The shares of the benchmark hold on other seeds."""
    exports = settled(make(seed))
    right = Counter(share for one in exports for share, ok in judge(one, ours(one.data)).items() if ok)
    assert right["all six"] >= 0.97 * len(exports), right
