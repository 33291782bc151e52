"""The law of tests/splitting/test_every_path.py, for fifty times as many files."""

from __future__ import annotations

import pytest

from tests.splitting.test_every_path import EXAMPLES, WAYS, Way, from_web, holds_for
from tests.stores.sources.http_server import serving


@pytest.mark.soak
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_every_way_makes_the_same_cuts(way: Way) -> None:
    """Ranges, rows and bytes, whatever the dialect, the blocks, and the moment of two deaths."""
    holds_for(way, 50 * EXAMPLES)


@pytest.mark.soak
@pytest.mark.parametrize("ranges", [True, False])
def test_http_makes_the_same_cuts(ranges: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """From a web server, with ranges and without."""
    with serving(b"") as resource:
        resource.ranges = ranges
        holds_for(from_web(resource), 50 * EXAMPLES)
