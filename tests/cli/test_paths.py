"""Paths that the system does not let the command look at, or read: errors of the outside world, and no bugs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ran

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


def test_what_may_not_be_read_is_a_failure_and_no_usage_error(
    splitjoin: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line is right; of several sources the others are split."""
    monkeypatch.chdir(tmp_path)
    Path("a_20240131.csv").write_bytes(b"a,b\n1,2\n")
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert splitjoin("split", "a_20240131.csv", "chunks", "--json").code == 0
    assert splitjoin("verify", "chunks", "--json").code == 0
