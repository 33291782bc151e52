"""Each condition of the join removed in turn must fail a test: see tools/mutants.py."""

from __future__ import annotations

import pytest

from tools import mutants


@pytest.mark.soak
def test_every_condition_of_the_join_is_noticed() -> None:
    """None survives but those that are said to change nothing, and those do."""
    assert mutants.survivors(mutants.check()) == []
