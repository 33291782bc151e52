"""``splitjoin worker`` as a command: what is refused before anything is received, and how much its log says."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.cli.log import LINES_PER_WINDOW, WINDOW_SECONDS, LogLines, log_lines
from splitjoin_cli.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ran
    from tests.servers.dynamodb import DynamoDbServer

    Splitjoin = Callable[..., Ran]

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/chunks"
BOTH = ["--tracker", "sqlite:jobs.db", "--into", "sqlite:sales.db"]

USAGE: dict[str, tuple[list[str], str]] = {
    "no tracker": ([QUEUE, "--into", "sqlite:sales.db"], "no tracker was named"),
    "no database": ([QUEUE, "--tracker", "sqlite:jobs.db"], "no database was named"),
    "no queue's URL": (["chunks", *BOTH], "not a queue's URL"),
    "a login in the queue's URL": (["https://u:p@host/1/q", *BOTH], "a queue's URL holds no user or password"),
    "no tracker's URL": ([QUEUE, "--tracker", "jobs", "--into", "sqlite:sales.db"], "not a tracker's URL"),
    "nothing to go on with": ([QUEUE, *BOTH, "--on-join", "mail:me"], "not what a join can go on with: mail:"),
    "a password": (
        [QUEUE, "--tracker", "sqlite:jobs.db", "--into", "mysql://me:secret@db/sales"],
        "the mysql URL holds a password, and process lists show it",
    ),
    "own table": (
        [QUEUE, *BOTH, "--table", "splitjoin_jobs"],
        "table 'splitjoin_jobs': names that begin with splitjoin_ are reserved for splitjoin's own tables",
    ),
    "own column": (
        [QUEUE, *BOTH, "--run-column", "Splitjoin_run"],
        "column 'Splitjoin_run': names that begin with splitjoin_ are reserved for splitjoin's own tables",
    ),
    "one file for both": (
        [QUEUE, "--tracker", "sqlite:a.db", "--into", "sqlite:a.db"],
        "the database and the tracker are the same SQLite file",
    ),
    "too many": ([QUEUE, *BOTH, "--workers", "65"], "Invalid value for '--workers': '65' is not a number from 1 to 64"),
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a directory of its own."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("case", USAGE)
def test_usage_errors(splitjoin: Splitjoin, tmp_path: Path, case: str) -> None:
    """Exit 2, and nothing was made or reached."""
    arguments, message = USAGE[case]
    ran = splitjoin("worker", *arguments, "--json")
    assert (ran.code, ran.document["error"]["message"]) == (2, message)
    assert "secret" not in ran.stdout + ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_queue_that_is_not_there(
    splitjoin: Splitjoin, ministack_server: DynamoDbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 1, with its URL and where to look."""
    ministack_server.use(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack_server.endpoint_url)
    url = f"{ministack_server.endpoint_url}/000000000000/{secrets.token_hex(8)}"
    ran = splitjoin("worker", url, *BOTH)
    assert (ran.code, ran.stdout) == (1, "")
    assert ran.stderr == (
        f"Error: sqs:GetQueueAttributes {url}: the queue does not exist\n"
        "Hint: check its URL, its region and its account; aws sqs list-queues shows those that are there\n"
    )


UNREACHABLE = {
    "the tracker": ["--tracker", "sqlite:away/jobs.db", "--into", "sqlite:sales.db"],
    "the database": ["--tracker", "sqlite:jobs.db", "--into", "sqlite:away/sales.db"],
}


@pytest.mark.parametrize("what", UNREACHABLE)
def test_what_cannot_be_reached_is_said_before_a_message_is_received(
    splitjoin: Splitjoin, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Exit 1; the queue, which does not exist either, was not asked."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    ran = splitjoin("worker", QUEUE, *UNREACHABLE[what])
    assert (ran.code, ran.stdout) == (1, "")
    assert ran.stderr.startswith("Error: sqlite:away/")
    assert "unable to open database file" in ran.stderr


def record(level: int, text: str, **extra: object) -> logging.LogRecord:
    """A line of the package's log."""
    made = logging.LogRecord("splitjoin_cli.any", level, __file__, 1, text, (), None)
    made.__dict__.update(extra)
    made.created = 0.0
    return made


def test_a_line_names_job_and_chunk() -> None:
    """With the time, and the level where it is more than news."""
    said: list[str] = []
    lines = LogLines(said.append)
    lines.emit(record(logging.INFO, "counted, 10 rows loaded", file_name="acme_1", chunk=3))
    lines.emit(record(logging.WARNING, "stuck", file_name="acme_1"))
    lines.emit(record(logging.ERROR, "no JSON"))
    assert said == [
        "1970-01-01T00:00:00Z acme_1 chunk 3: counted, 10 rows loaded",
        "1970-01-01T00:00:00Z acme_1: warning: stuck",
        "1970-01-01T00:00:00Z error: no JSON",
    ]


def test_the_rate_is_bounded() -> None:
    """Of more lines than so many in a window it is said how many they were."""
    said: list[str] = []
    now = [0.0]
    lines = LogLines(said.append, clock=lambda: now[0])
    for _ in range(LINES_PER_WINDOW + 7):
        lines.emit(record(logging.INFO, "counted"))
    assert len(said) == LINES_PER_WINDOW
    now[0] = WINDOW_SECONDS
    lines.emit(record(logging.INFO, "counted"))
    assert said[LINES_PER_WINDOW:] == ["and 7 more lines; -v shows all", "1970-01-01T00:00:00Z counted"]
    for _ in range(LINES_PER_WINDOW):
        lines.emit(record(logging.INFO, "counted"))
    lines.close()
    assert said[-1] == "and 1 more line; -v shows all"


@pytest.mark.parametrize(("options", "levels"), [({}, 2), ({"quiet": True}, 1), ({"verbose": True}, 2)])
def test_quiet_leaves_errors(options: dict[str, bool], levels: int, capfd: pytest.CaptureFixture[str]) -> None:
    """On stderr, all of them."""
    log = logging.getLogger("splitjoin_cli.any")
    with log_lines(Terminal(**options)):
        log.info("news")
        log.error("bad")
    log.error("after")
    out, err = capfd.readouterr()
    assert (out, len([line for line in err.splitlines() if line.endswith(("news", "bad"))])) == ("", levels)
