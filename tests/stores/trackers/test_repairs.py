"""The rules of a clear, each condition alone: what a claim of it still holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from splitjoin_cli.stores.trackers import repairs, rules
from splitjoin_cli.stores.trackers.answers import ClearClaim
from splitjoin_cli.stores.trackers.jobs import Job, Join, JoinState, Run

RUN = Run("acme_20240131", "1a2b3c4d" * 4)
SEEN = Job(RUN.file_name, 2, run_id=RUN.run_id)
HELD, CLAIM = repairs.clearing(SEEN, RUN, token=RUN.run_id, now=0.0)


@pytest.mark.parametrize(
    "changed",
    [
        {"run_id": "ffff" * 8},
        {"generation": 2},
        {"round": 1},
        {"join": replace(HELD.join, state=JoinState.JOINED)},
        {"join": replace(HELD.join, fence=2)},
        {"join": replace(HELD.join, token="f" * 32)},
    ],
    ids=["run", "generation", "round", "state", "fence", "token"],
)
def test_a_clear_holds_only_what_it_claimed(changed: dict[str, Any]) -> None:
    """Each thing alone makes it another's; so does a job that is gone."""
    assert isinstance(CLAIM, ClearClaim)
    assert repairs.clears(HELD, CLAIM)
    assert not repairs.clears(replace(HELD, **changed), CLAIM)
    assert not repairs.clears(None, CLAIM)
    assert not repairs.is_cleared(None, CLAIM)


def test_a_job_without_a_run_has_no_round() -> None:
    """A published counter made it: whoever counts there is of the first round, whatever it was told."""
    rules.check_round(Job(RUN.file_name, 2, join=Join()), replace(RUN, round=1))
