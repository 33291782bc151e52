"""A cron loop of 300 exports in one command, killed at any moment, also across midnight: each is split once, whole."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.servers.s3 import Bucket

pytestmark = pytest.mark.soak

FILES, KILLS = 300, 12
DAY = dt.datetime(2026, 11, 30, 23, 30, tzinfo=dt.UTC)
ON_A_DAY = """
import datetime as dt, sys
from splitjoin_cli.api import splits
splits.run_splits.__kwdefaults__["now"] = lambda: dt.datetime.fromisoformat(sys.argv[1])
from splitjoin_cli.cli.run import run
sys.exit(run(sys.argv[2:]))
"""
"""The command, at another time."""


def begin(day: dt.datetime, *words: str, cwd: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the command on a day."""
    command = [sys.executable, "-c", ON_A_DAY, day.isoformat(), *words, "--json", "-q"]
    return subprocess.Popen(command, cwd=cwd, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def loop(place: str, tmp_path: Path, env: Mapping[str, str], seed: int) -> dict[str, int]:
    """Exports with no date in their names; runs that are killed before and after midnight; how often each client."""
    draw = random.Random(seed)
    exports = tmp_path / "in"
    exports.mkdir()
    for number in range(FILES):
        rows = "".join(f"{row},{number}\n" for row in range(draw.randint(0, 2000)))
        (exports / f"acme{number:03}.csv").write_text(f"id,export {number}\n{rows}")
    command = ("split", "in/*.csv", place, "--rows", "700")
    died = 0
    for turn in range(KILLS):
        process = begin(DAY + dt.timedelta(days=turn // (KILLS // 3)), *command, cwd=tmp_path, env=env)
        time.sleep(draw.uniform(0.5, 6))
        process.kill()
        process.communicate()
        died += process.returncode < 0
    last = begin(DAY + dt.timedelta(days=3), *command, cwd=tmp_path, env=env)
    out, err = last.communicate()
    document = json.loads(out)
    failed = [one["error"] for one in document["splits"] if "error" in one]
    assert {one["code"] for one in failed} <= {11}, err
    assert all(one["message"].endswith("it is done") for one in failed)
    assert len(document["splits"]) == FILES
    print(f"killed {died} times; {len(failed)} were done on a day before, {document['done']} by the last run")  # noqa: T201
    checked = begin(DAY, "verify", place, "--all", "--finished", cwd=tmp_path, env=env)
    reports = json.loads(checked.communicate()[0])
    assert [one for one in reports if not one["ok"]] == []
    clients: dict[str, int] = {}
    for one in reports:
        client = one["file_name"].rpartition("_")[0]
        clients[client] = clients.get(client, 0) + 1
    return clients


ONCE = {f"acme{number:03}": 1 for number in range(FILES)}


@pytest.mark.parametrize("seed", [1, 2])
def test_on_disk(tmp_path: Path, seed: int) -> None:
    """Each export is there once, whole, under the date of one of the days, and nothing is left over."""
    assert loop("out", tmp_path, os.environ, seed) == ONCE
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")] == []


def test_on_s3(bucket: Bucket, tmp_path: Path) -> None:
    """The same in a bucket, where a killed split leaves its plan and is resumed under its date."""
    assert loop(f"{bucket.uri}out/", tmp_path, {**os.environ, **bucket.env}, 3) == ONCE
    assert [key for key in bucket.keys("") if key.endswith(".plan.json")] == []
    assert bucket.open_uploads() == []
