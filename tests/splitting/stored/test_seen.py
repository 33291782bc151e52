"""Objects that were seen are counted once, whatever they are called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.model import StoredObject
from splitjoin_cli.splitting.stored.seen import SeenObjects
from tests.laws import examples

NAMES = st.builds(
    "acme_1-{}-{}.csv{}".format, st.integers(0, 12), st.integers(1, 12), st.sampled_from(["", ".gz", ".zst", "x"])
) | st.sampled_from(
    ["acme_1.manifest.json", "acme_1-007-7.csv", f"acme_1-{10**9}-{10**10}.csv", f"acme_1-1-{10**17}.csv"]
)


@examples(60)
@given(st.lists(st.tuples(NAMES, st.integers(0, 100)), max_size=60))
def test_each_name_counts_once(objects: list[tuple[str, int]]) -> None:
    """Of many sets, with numbers and totals that nobody has: as a dict counts them, with the size of the first time."""
    seen, wanted = SeenObjects(), dict[str, int]()
    for name, size in objects:
        seen.add(StoredObject(name, size))
        wanted.setdefault(name, size)
    assert (seen.count, seen.size_bytes) == (len(wanted), sum(wanted.values()))
