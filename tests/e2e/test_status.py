"""``splitjoin status --dest`` where an object on S3 can never be counted, and what it says to type."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.stores.trackers.jobs import Run
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker
from tests.e2e.command import Splitjoin
from tests.seldom import seldom

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.s3 import Bucket

NAMED = ("--client", "acme", "--date", "d")


@pytest.mark.parametrize("left", ["an older run's", seldom("one without metadata")])
def test_what_it_proposes_replaces_the_object(tmp_path: Path, bucket: Bucket, left: str) -> None:
    """Sent again, it would be left alone for ever: the split is to be done again, and is enough."""
    splitjoin = Splitjoin(tmp_path, {**bucket.env, "SPLITJOIN_TRACKER": "sqlite:jobs.db"})
    client: Any = bucket.client()
    (tmp_path / "old.csv").write_text("id\n" + "1\n" * 6)
    (tmp_path / "new.csv").write_text("id\n" + "2\n" * 6)
    place = f"{bucket.uri}in/"
    splitjoin.ok("split", "old.csv", place, *NAMED, "--rows", "2")
    old = client.get_object(Bucket=bucket.name, Key="in/acme_d-2-3.csv")
    body, metadata = old["Body"].read(), old["Metadata"]
    new = splitjoin.json("split", "new.csv", place, *NAMED, "--rows", "2", "--force", "--json")
    kept = metadata if left.startswith("an older") else {}
    client.put_object(Bucket=bucket.name, Key="in/acme_d-2-3.csv", Body=body, Metadata=kept)
    run = Run("acme_d", new["run_id"], 2)
    tracker = SqliteTracker(tmp_path / "jobs.db")
    for number in (1, 3):
        tracker.mark_done(run, number, total_parts=3, rows=2)
    time.sleep(1.1)
    ask = ("status", "acme_d", "--stuck-after", "1s", "--dest", place, "--json")
    document = splitjoin.json(*ask)
    assert (document["state"], document["never_uploaded"]) == ("stuck", [])
    about = "is of an older run" if kept else "carries no metadata of splitjoin"
    assert document["reason"][1].startswith(f"the object of chunk 2 {about}")
    words = shlex.split(document["next"][-1])
    assert words[:3] == ["splitjoin", "split", "--force"]
    again = splitjoin.json(*(("new.csv" if word == "SOURCE" else word) for word in words[1:]), "--rows", "2", "--json")
    assert (again["run_id"], again["uploaded"], again["skipped"]) == (new["run_id"], 1, 2)
    assert bucket.get("in/acme_d-2-3.csv") == b"id\n2\n2\n"
    after = splitjoin.json(*ask)
    assert shlex.split(after["next"][-1])[1] == "retry"
