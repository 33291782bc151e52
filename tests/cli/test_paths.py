"""Paths that the system does not let the command look at, or read: errors of the outside world, and no bugs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ran

FILE_IN_IT = "name a file in it"
LONG = "x" * 300
"""Longer than a name may be: what Path.exists raises for, as for what is in a directory that may not be entered."""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["split", LONG, "chunks", "--client", "a"], f"cannot read {LONG}: File name too long"),
        (["split", "a.csv", LONG], "reading {here}/{long}/a_1.plan.json failed: File name too long"),
        (["split", "a.csv", "chunks", "--tracker", f"sqlite:{LONG}"], f"sqlite:{LONG}: unable to open database file"),
        (["inspect", LONG], f"cannot read {LONG}: File name too long"),
        (["verify", LONG], f"looking at {LONG} failed: File name too long"),
        (["verify", LONG, "--all"], f"looking at {LONG} failed: File name too long"),
        (["merge", LONG, "out.csv"], f"looking at {LONG} failed: File name too long"),
        (["ls", LONG], f"looking at {LONG} failed: File name too long"),
        (["rm", LONG, "--name", "a_1", "--force"], f"looking at {LONG} failed: File name too long"),
        (["init", "--tracker", f"sqlite:{LONG}"], f"sqlite:{LONG}: unable to open database file"),
        (["status", "--tracker", f"sqlite:{LONG}"], f"sqlite:{LONG}: unable to open database file"),
        (
            ["clear", "a_1", "--tracker", "none", "--into", f"sqlite:{LONG}"],
            f"sqlite:{LONG}: unable to open database file",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_path_that_cannot_be_looked_at_is_no_bug(
    splitjoin: Callable[..., Ran], arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names it and what the system says of it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPLITJOIN_DATE", "1")
    Path("a.csv").write_bytes(b"a,b\n1,2\n")
    ran = splitjoin(*arguments, "--json")
    assert ran.code == 1
    assert ran.document["error"]["message"] == message.format(here=tmp_path, long=LONG)


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["clear", "a_1", "--tracker", "none", "--into", "sqlite:place"], "sqlite:place is a directory", FILE_IN_IT),
        (["simulate", "chunks", "--into", "sqlite:place"], "sqlite:place is a directory", FILE_IN_IT),
        (["status", "--tracker", "sqlite:place"], "sqlite:place is a directory", FILE_IN_IT),
        (["init", "--tracker", "sqlite:place"], "sqlite:place is a directory", FILE_IN_IT),
        (
            ["simulate", "chunks", "--into", "duckdb:place"],
            'duckdb:place: IO Error: Could not read from file "{here}/place": Is a directory',
            FILE_IN_IT,
        ),
        (
            ["simulate", "chunks", "--into", "duckdb:\udce9.db"],
            "duckdb:\udce9.db: DuckDB opens no path that is not valid UTF-8",
            "rename it",
        ),
        (
            ["split", "a.csv", "a.csv/out"],
            "reading {here}/a.csv/out/a_1.plan.json failed: Not a directory",
            "a part of its path is a file: choose another directory",
        ),
        (
            ["inspect", LONG],
            f"cannot read {LONG}: File name too long",
            "choose a shorter name, or a directory with a shorter path",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_path_that_cannot_be_used_has_a_next_step(
    splitjoin: Callable[..., Ran],
    arguments: list[str],
    message: str,
    hint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A directory where a database's file is to be, a name that the driver cannot take, a file above a directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPLITJOIN_DATE", "1")
    Path("a.csv").write_bytes(b"a,b\n1,2\n")
    Path("place").mkdir()
    splitjoin("split", "a.csv", "chunks")
    ran = splitjoin(*arguments, "--json")
    error = ran.document["error"]
    assert (ran.code, error["message"], error["hint"]) == (1, message.format(here=tmp_path), hint)


def test_what_may_not_be_read_is_a_failure_and_no_usage_error(
    splitjoin: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line is right; of several sources the others are split."""
    monkeypatch.chdir(tmp_path)
    Path("a_20240131.csv").write_bytes(b"a,b\n1,2\n")
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert splitjoin("split", "a_20240131.csv", "chunks", "--json").code == 0
    assert splitjoin("verify", "chunks", "--json").code == 0


def test_a_directory_that_cannot_be_looked_at_is_no_bug(
    splitjoin: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is listed first, where the name is not sure: another day's split may be there."""
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_bytes(b"a,b\n1,2\n")
    for path, why in ((LONG, "File name too long"), ("loop", "Too many levels of symbolic links")):
        if path == "loop":
            Path(path).symlink_to(path)
        ran = splitjoin("split", "a.csv", path, "--json")
        assert (ran.code, ran.document["error"]["message"]) == (1, f"listing {tmp_path}/{path} failed: {why}")


def test_a_link_that_leads_to_itself_is_no_bug(
    splitjoin: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Path.resolve raises RuntimeError for it, up to Python 3.12."""
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    ran = splitjoin("clear", "a_1", "--tracker", "none", "--into", "duckdb:loop", "--json")
    assert ran.code == 1
    assert ran.document["error"]["message"].startswith("duckdb:loop: IO Error: ")


@pytest.mark.parametrize("kind", ["pipe", "loop"])
def test_a_report_is_not_written_over_what_is_no_file(
    kind: str, splitjoin: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe is not waited for until somebody writes to it."""
    monkeypatch.chdir(tmp_path)
    if kind == "pipe":
        os.mkfifo("pipe")
    else:
        Path("loop").symlink_to("loop")
    Path("a.csv").write_bytes(b"a,b\n1,2\n")
    tracker = ("--tracker", "sqlite:t.db")
    assert splitjoin("split", "a.csv", "chunks", "--client", "a", "--date", "1", *tracker).code == 0
    ran = splitjoin("status", "a_1", "--html", kind, *tracker, "--json")
    assert (ran.code, ran.document["error"]["message"]) == (2, f"{kind} is there, and is not an HTML page")
