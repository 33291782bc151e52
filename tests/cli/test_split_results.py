"""``splitjoin split``: what it says of a result, in each of its ways to talk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import BadInputError, NameTakenError, SplitjoinError, StoreError
from splitjoin_cli.core.model import ChunkState

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.progress import Observer
    from tests.cli.conftest import Ran, RecordsRequests

    Splitjoin = Callable[..., Ran]

SPLIT = ("split", "acme.csv", "out", "--date=20240131")


def fails_some(core: RecordsRequests) -> None:
    """Make two of the three chunks fail."""
    for chunk in core.result["chunks"][:2]:
        chunk.update(state="failed", error="503 SlowDown")
    core.result.update(failed=2, uploaded=1, skipped=0, resume="splitjoin split --client=acme -- acme.csv out/")


def talks(observer: Observer) -> None:
    """One of everything that an observer hears."""
    observer.phase("scanning", 3_000_000, None)
    observer.advance(3_000_000)
    observer.phase("uploading", None, 3)
    observer.advance(500)
    observer.chunk_done(1, ChunkState.UPLOADED)
    observer.warn("2 records are longer than a chunk \x1b[2J[bold]")
    observer.detail("part 7 was sent again")


def test_stdout_is_the_manifest(splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """One line for a script to read; the summary is talk."""
    assert splitjoin(*SPLIT) == type(splitjoin(*SPLIT))(
        0,
        "out/acme_20240131.manifest.json\n",
        "3 chunks, 1,234 rows, 1.9 MiB: 2 uploaded, 1 skipped in 2.5 s\n",
    )
    assert len(core.requests) == 2


def test_json_is_the_result(splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """Exactly the core's document, and nothing else on stdout."""
    ran = splitjoin(*SPLIT, "--json")
    assert ran.code == 0
    assert ran.document == core.result
    assert ran.stdout.count("\n") == 1


def test_rows_that_were_not_counted(splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """They are left out of the summary, not said to be none."""
    core.result["rows"] = None
    assert splitjoin(*SPLIT).stderr == "3 chunks, 1.9 MiB: 2 uploaded, 1 skipped in 2.5 s\n"


def test_dry_run_is_a_table(splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """The plan on stdout, columns aligned; what is not known is a question mark."""
    core.result["chunks"][2]["rows"] = None
    ran = splitjoin(*SPLIT, "--dry-run")
    assert ran.code == 0
    assert ran.stdout == (
        "number  rows  bytes  start  end     state  name\n"
        "     1     1     20     10   20  uploaded  acme_20240131-1-3.csv\n"
        "     2     2     20     20   30  uploaded  acme_20240131-2-3.csv\n"
        "     3     ?     20     30   40  uploaded  acme_20240131-3-3.csv\n"
        "3 chunks: 2 planned, 1 stored\n"
    )
    assert core.request.dry_run


@pytest.mark.parametrize("talk", [(), ("-q",)], ids=["usual", "quiet"])
def test_partial(splitjoin: Splitjoin, core: RecordsRequests, talk: tuple[str, ...]) -> None:
    """Exit 3 says which chunks failed, why, and what to type; stdout stays empty, for there is no manifest.

    The reasons belong to the error: cron's ``-q`` leaves them in.
    """
    fails_some(core)
    ran = splitjoin(*SPLIT, *talk)
    assert (ran.code, ran.stdout) == (3, "")
    assert ran.stderr == (
        "chunk 1 failed: 503 SlowDown\n"
        "chunk 2 failed: 503 SlowDown\n"
        "Error: 2 of 3 chunks failed\n"
        "Hint: to resume, type: splitjoin split --client=acme -- acme.csv out/\n"
    )


def test_many_failures_are_cut(splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """A million failures are not a million lines."""
    fails_some(core)
    core.result["chunks"] = [core.result["chunks"][0]] * 1234
    lines = splitjoin(*SPLIT).stderr.splitlines()
    assert len(lines) == 13
    assert lines[10] == "and 1,224 more"


def test_partial_as_json(splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """The whole result plus the error."""
    fails_some(core)
    ran = splitjoin(*SPLIT, "--json")
    assert ran.code == 3
    assert ran.document == core.result | {
        "error": {
            "code": 3,
            "message": "2 of 3 chunks failed",
            "hint": "to resume, type: splitjoin split --client=acme -- acme.csv out/",
        }
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInputError("line 3 has a quote where none may be", hint="--on-stray-quote literal takes it"), 4),
        (NameTakenError("acme_1 is there with other content", hint="--force replaces it"), 11),
        (StoreError("cannot put out/x: the disk is full", hint=None), 1),
    ],
)
def test_errors_of_the_core(error: SplitjoinError, code: int, splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """Each has its code; the message goes to stderr, or into the one document."""

    def fails(_observer: Observer) -> None:
        raise error

    core.events = fails
    ran = splitjoin(*SPLIT, "-q")
    hint = "" if error.hint is None else f"Hint: {error.hint}\n"
    assert (ran.code, ran.stdout, ran.stderr) == (code, "", f"Error: {error.message}\n{hint}")
    ran = splitjoin(*SPLIT, "--json")
    assert ran.code == code
    assert ran.document == {"error": {"code": code, "message": error.message, "hint": error.hint}}


def test_a_bug_is_an_error_without_secrets(splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """Exit 1, no traceback, and no password that a foreign message may quote."""

    def breaks(_observer: Observer) -> None:
        raise KeyError("https://me:secret@host/x.csv?X-Amz-Signature=secret")

    core.events = breaks
    ran = splitjoin(*SPLIT, "-q")
    assert (ran.code, ran.stdout) == (1, "")
    assert ran.stderr == (
        "Error: unexpected KeyError: 'https://host/x.csv'\nHint: this is a bug in splitjoin; -v shows where it is\n"
    )
    ran = splitjoin(*SPLIT, "-v")
    assert "Traceback (most recent call last)" in ran.stderr
    assert "secret" not in ran.stderr


def test_a_lost_connection_is_no_closed_stdout(splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """A broken pipe that nobody wrapped is an error with a message, never a silent exit."""

    def breaks(_observer: Observer) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    core.events = breaks
    ran = splitjoin(*SPLIT, "--json")
    assert ran.document["error"] == {
        "code": 1,
        "message": "the other side closed a connection: [Errno 32] Broken pipe",
        "hint": "run it again",
    }


def test_talk_for_a_log(splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """Without a terminal: a line when a phase begins and ends, warnings at once, control characters made visible."""
    core.events = talks
    ran = splitjoin(*SPLIT, "--json")
    assert json.loads(ran.stdout) == core.result
    assert ran.stderr == (
        "scanning 2.9 MiB\n"
        "scanning done: 2.9 MiB in 0.0 s\n"
        "uploading 3 chunks\n"
        "Warning: 2 records are longer than a chunk \\x1b[2J[bold]\n"
        "uploading done: 1 chunk, 500 B in 0.0 s\n"
    )


def test_verbose(splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """-v adds chunks and details."""
    core.events = talks
    lines = splitjoin(*SPLIT, "-v").stderr.splitlines()
    assert "chunk 1 uploaded" in lines
    assert "part 7 was sent again" in lines


def test_quiet(splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """-q leaves errors only, and there is none."""
    core.events = talks
    ran = splitjoin(*SPLIT, "-q")
    assert (ran.code, ran.stdout, ran.stderr) == (0, "out/acme_20240131.manifest.json\n", "")


def test_a_typed_flag_beats_the_environment(
    splitjoin: Splitjoin, core: RecordsRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """-v typed against SPLITJOIN_QUIET is what is meant."""
    core.events = talks
    monkeypatch.setenv("SPLITJOIN_QUIET", "1")
    assert "part 7 was sent again" in splitjoin(*SPLIT, "-v").stderr


def test_names_that_are_no_utf8(splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """A directory's bytes reach stdout as they are; in JSON they are escaped."""
    core.result["destination"] = "out\udcff/"
    assert splitjoin(*SPLIT).stdout == "out\udcff/acme_20240131.manifest.json\n"
    assert splitjoin(*SPLIT, "--json").document["destination"] == "out\udcff/"
