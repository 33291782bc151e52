"""``splitjoin init``: it makes the tracker's table, and says what it did."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from tests.cli.conftest import Ran
    from tests.servers.dynamodb import DynamoDbServer

    Splitjoin = Callable[..., Ran]


def test_sqlite(splitjoin: Splitjoin, tmp_path: Path) -> None:
    """Made once; the second time all is as it should be."""
    url = f"sqlite:{tmp_path / 'jobs.db'}"
    assert splitjoin("init", "--tracker", url).stdout == f"{url} was made\n"
    assert splitjoin("init", "--tracker", url).stdout == f"{url} is as it should be\n"
    assert splitjoin("init", "--tracker", url, "--json").document == {
        "tracker": url, "created": False, "changed": [], "unsupported": [],
    }  # fmt: skip


def test_dynamodb(splitjoin: Splitjoin, ministack_server: DynamoDbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is there afterwards, and status finds no job in it."""
    for name, value in ministack_server.env.items():
        monkeypatch.setenv(name, value)
    table = f"jobs-{secrets.token_hex(6)}"
    monkeypatch.setenv("SPLITJOIN_TRACKER", f"dynamodb:{table}")
    made = splitjoin("init", "--json")
    assert (made.code, made.document["created"]) == (0, True)
    assert splitjoin("init", "--json").document["created"] is False
    assert splitjoin("status", "--json").stdout == "[]\n"
    assert ministack_server.client().describe_table(TableName=table)["Table"]["TableName"] == table


def test_a_tracker_that_cannot_be_reached(splitjoin: Splitjoin, tmp_path: Path) -> None:
    """Exit 1, with what SQLite says, and what to look at."""
    url = f"sqlite:{tmp_path / 'nowhere' / 'jobs.db'}"
    ran = splitjoin("init", "--tracker", url)
    assert (ran.code, ran.stdout) == (1, "")
    hint = "check that its directory is there, and that you may write to it"
    assert re.fullmatch(rf"Error: sqlite:.*: unable to open database file\nHint: {hint}\n", ran.stderr)


def test_without_a_tracker(splitjoin: Splitjoin) -> None:
    """A usage error."""
    ran = splitjoin("init")
    assert ran.code == 2
    assert ran.stderr == "Error: no tracker was named\nHint: give --tracker URL, or set SPLITJOIN_TRACKER\n"
