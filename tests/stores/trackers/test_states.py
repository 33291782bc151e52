"""How the trackers keep the state of a join: as the words of JoinState, and never as one that is not known."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.join.worker import End
from splitjoin_cli.stores.trackers.dynamodb_items import job_of
from splitjoin_cli.stores.trackers.jobs import JobSpec, JoinState, Run
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker

if TYPE_CHECKING:
    from pathlib import Path

RUN = Run("acme_20240131", "1a2b3c4d" * 4)
UNKNOWN = "acme_20240131: the tracker holds the join in the state 'parked', which this release does not know"


def test_the_words_of_the_states_are_those_of_documents_and_tables() -> None:
    """Files, tables and readers of JSON hold them: none changes."""
    assert json.loads(json.dumps([*ChunkState])) == ["planned", "uploaded", "skipped", "failed", "stored"]
    assert json.loads(json.dumps([*JoinState])) == ["none", "claimed", "waiting", "failed", "joined", "clearing"]
    assert json.loads(json.dumps([*End])) == ["counted", "joined", "replaced", "left", "failed"]


@pytest.mark.parametrize("state", [None, *JoinState])
def test_a_state_is_read_as_one_of_them(tmp_path: Path, state: JoinState | None) -> None:
    """From SQLite, where it is plain text, and from an item of DynamoDB, where none is ``none``."""
    with contextlib.closing(SqliteTracker(tmp_path / "jobs.sqlite")) as tracker:
        tracker.init()
        tracker.open_job(JobSpec(RUN, 1))
        with contextlib.closing(sqlite3.connect(tmp_path / "jobs.sqlite")) as db, db:
            if state:
                db.execute("UPDATE splitjoin_jobs SET join_state = ?", (str(state),))
            assert db.execute("SELECT join_state FROM splitjoin_jobs").fetchone() == (state or "none",)
        job = tracker.job(RUN.file_name)
        assert job is not None
        assert job.join.state is (state or JoinState.NONE)
    item = {"file_name": {"S": RUN.file_name}, **({"join_state": {"S": str(state)}} if state else {})}
    assert job_of(item).join.state is (state or JoinState.NONE)


def test_a_state_of_a_later_release_is_a_clear_error(tmp_path: Path) -> None:
    """Not a join that anybody might claim."""
    with contextlib.closing(SqliteTracker(tmp_path / "jobs.sqlite")) as tracker:
        tracker.init()
        tracker.open_job(JobSpec(RUN, 1))
        with contextlib.closing(sqlite3.connect(tmp_path / "jobs.sqlite")) as db, db:
            db.execute("UPDATE splitjoin_jobs SET join_state = 'parked'")
        with pytest.raises(StoreError) as read:
            tracker.job(RUN.file_name)
    with pytest.raises(StoreError) as taken:
        job_of({"file_name": {"S": RUN.file_name}, "join_state": {"S": "parked"}})
    assert read.value.message == taken.value.message == UNKNOWN
    assert read.value.hint == "use the release of splitjoin that wrote it, or a later one"
