"""``splitjoin status`` in a real terminal: columns that fit, colours, and what Ctrl-C leaves."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker
from tests.e2e.screen import on_a_screen

if TYPE_CHECKING:
    from pathlib import Path

    import pyte

    from tests.e2e.command import Splitjoin

LONG = "a_client_with_a_name_that_takes_nearly_all_of_a_line_in_the_table_20240131"
COLOURS = {"joined": "green", "running": "cyan", "failed": "red", "stuck": "brown"}  # pyte's word for yellow


@pytest.fixture
def tracker(tmp_path: Path) -> str:
    """A job in each of some states, one of them of a long name and a long error."""
    url = f"sqlite:{tmp_path / 'jobs.db'}"
    now = time.time()

    def ago(seconds: float) -> SqliteTracker:
        return SqliteTracker(tmp_path / "jobs.db", clock=lambda: now - seconds)

    for index, name in enumerate(("joined_1", "running_1", "stuck_1", LONG)):
        run = Run(name, f"{index}" * 32)
        since = 7200 if name == "stuck_1" else 120
        ago(since).open_job(JobSpec(run, 4, rows_expected=40_000_000, destination=f"s3://a-bucket-of-ours/{name}/in/"))
        for number in range(1, 5 if name == "joined_1" else 4):
            ago(since - 10).mark_done(run, number, total_parts=4, rows=10_000_000)
    ago(20).claim_join(Run("joined_1", "0" * 32), owner="worker-1", lease_seconds=60)
    ago(10).finish_join(Run("joined_1", "0" * 32))
    error = "record 7 of chunk 4 has 3 fields, and its header names 2: " + "a word and another " * 20
    ago(30).mark_failed(Run(LONG, "3" * 32), 4, error=error, final=True)
    return url


@pytest.mark.parametrize("columns", [80, 200])
def test_the_table_fits(splitjoin: Splitjoin, tracker: str, columns: int) -> None:
    """No line is wider than the terminal; every name is whole, and each state has its colour."""
    seen = on_a_screen(splitjoin, "status", "--tracker", tracker, columns=columns)
    assert seen.code == 0
    assert max(map(len, seen.plain)) <= columns
    assert seen.lines == seen.plain
    head, *rows = seen.lines
    began = ["began"] if columns == 200 else []
    assert head.split() == ["job", "state", "counted", "failed", "rows", *began, "last", "progress"]
    assert [row for row in rows if row.startswith(LONG)]
    assert len(rows) == (4 if columns == 200 else 5)
    for row, line in enumerate(seen.lines[1:], start=1):
        if state := next((state for state in COLOURS if f" {state} " in line), None):
            assert seen.colour(row, f" {state} "[1:]) == COLOURS[state]


def test_no_colour_where_none_is_wanted(splitjoin: Splitjoin, tracker: str) -> None:
    """NO_COLOR holds on a terminal; without one nothing is ever coloured."""
    seen = on_a_screen(splitjoin, "status", "--tracker", tracker, NO_COLOR="1")
    assert {cell.fg for row in seen.screen.buffer.values() for cell in row.values()} == {"default"}
    assert "\x1b" not in splitjoin.ok("status", "--tracker", tracker).stdout


@pytest.mark.parametrize("name", ["joined_1", "running_1", "stuck_1", LONG])
def test_the_report_fits(splitjoin: Splitjoin, tracker: str, name: str) -> None:
    """Only a command, which is to be copied, and what has no space is longer than 80 columns."""
    seen = on_a_screen(splitjoin, "status", name, "--tracker", tracker)
    long = [line for line in seen.plain if len(line) > 80]
    assert all(re.match(r"(first|next) +splitjoin ", line) or len(line.split()) <= 2 for line in long), long
    assert seen.plain[0].startswith(f"{name}: ")


def test_ctrl_c_leaves_the_last_view(splitjoin: Splitjoin, tracker: str) -> None:
    """Exit 130, the report as it was drawn last, and not a word of going on: there is nothing to resume."""

    def drawn(screen: pyte.Screen) -> bool:
        return any(line.startswith("join ") for line in screen.display)

    seen = on_a_screen(splitjoin, "status", "running_1", "--tracker", tracker, "--watch", "0.1", interrupt=drawn)
    assert seen.code == 130
    assert seen.lines[0] == "running_1: running, 3 of 4 chunks counted (75 %)"
    assert "not begun" in " ".join(seen.lines)
    assert not any(line.startswith("next") for line in seen.lines)  # it is watched already
    assert sum(line.startswith("running_1: ") for line in seen.lines) == 1
    assert not any(word in "\n".join(seen.lines).lower() for word in ("resume", "interrupted", "error", "traceback"))


def test_ctrl_c_with_json(splitjoin: Splitjoin, tracker: str) -> None:
    """The last state is the one document."""
    process = splitjoin.begin("status", "running_1", "--tracker", tracker, "--watch", "0.1", "--json")
    assert process.stderr is not None
    assert process.stderr.readline() == b"running_1: running, 3 of 4 chunks counted (75 %)\n"
    process.send_signal(2)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"")
    assert out.startswith(b'{"file_name": "running_1"')
    assert out.count(b"\n") == 1
