"""What users of Python import: functions as the commands have options, results as they have documents."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import importlib
import inspect
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import click
import pytest

import splitjoin_cli
from splitjoin_cli.api import arguments
from splitjoin_cli.api import split as api_split
from splitjoin_cli.api.door import python_words
from splitjoin_cli.api.kinds import KINDS, keywords_of
from splitjoin_cli.api.split_options import SplitOptions
from splitjoin_cli.cli.group import COMMANDS
from splitjoin_cli.cli.run import run
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting.request import SplitRequest
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker

if TYPE_CHECKING:
    from collections.abc import Callable

METHODS = "phase, advance, chunk_done, warn, detail"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/chunks"
DOOR_ALONE = {"session", "observer", "dialect_typed", "delimiter_typed"}
TALK = {"as_json", "quiet", "verbose", "no_progress", "debug"}
LOOKING = {"watch", "timeout", "check"}
VERBS = ("split", "verify", "merge", "simulate", "status", "retry", "worker", "init")


def command(name: str) -> click.Command:
    """A subcommand, as it is typed."""
    found: click.Command = importlib.import_module(COMMANDS[name].module).command
    return found


def function(name: str) -> Callable[..., object]:
    """What a subcommand calls."""
    if name == "init":
        from splitjoin_cli.api.init import init  # noqa: PLC0415 -- no name of the front door

        return init
    found: Callable[..., object] = getattr(splitjoin_cli, {"worker": "Worker"}.get(name, name))
    return found


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small export, in the current directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "acme_20240131.csv"
    path.write_text("id,name\n" + "".join(f"{number},n{number}\n" for number in range(10)))
    return path


def run_json(*words: str) -> Any:  # noqa: ANN401 -- whatever the document is
    """What the command prints with --json, in this process."""
    out = io.TextIOWrapper(io.BytesIO(), write_through=True)
    with contextlib.redirect_stdout(out):
        run([*words, "--json", "--quiet"])
    return json.loads(out.buffer.getvalue())


def without_time(document: dict[str, Any]) -> dict[str, Any]:
    """What two runs have in common."""
    return {key: list(value) if key == "chunks" else value for key, value in document.items() if key != "seconds"}


def test_importing_the_package_imports_nothing_else() -> None:
    """No dependency, and of the standard library what Python itself has loaded."""
    code = (
        "import sys; before = set(sys.modules); import splitjoin_cli\n"
        "print(sorted(set(sys.modules) - before - {'__future__'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "['splitjoin_cli']\n"


def test_every_name_is_there_and_nothing_else() -> None:
    """Each is what it is called; one that is not is an AttributeError as of any module."""
    for name in splitjoin_cli.__all__:
        value = getattr(splitjoin_cli, name)
        assert getattr(value, "__name__", name) == name
    assert set(splitjoin_cli.__all__) <= set(dir(splitjoin_cli))
    with pytest.raises(AttributeError, match="module 'splitjoin_cli' has no attribute 'joins'"):
        splitjoin_cli.joins  # noqa: B018 -- it is not there


def test_no_folder_or_module_has_the_name_of_a_function() -> None:
    """An imported submodule would take the function's place."""
    beside = {path.stem for path in Path(splitjoin_cli.__file__).parent.iterdir()}
    assert beside.isdisjoint(splitjoin_cli.__all__)


def test_each_function_can_be_called_twice(export: Path, tmp_path: Path) -> None:
    """The first call imports what the function needs: the name is still the function's."""
    for _ in range(2):
        assert len(splitjoin_cli.split(export, "chunks", rows=4, client="acme", date="20240131").plan.chunks) == 3
        assert splitjoin_cli.verify("chunks", source=export).ok
        assert splitjoin_cli.merge("chunks", tmp_path / "again.csv", force=True).rows == 10
        assert splitjoin_cli.simulate("chunks", into="sqlite:load.db", tracker="sqlite:jobs.db").ok
        (job,) = splitjoin_cli.list_jobs(tracker="sqlite:jobs.db")
        assert splitjoin_cli.status(job.progress.file_name, tracker="sqlite:jobs.db").state == "joined"
        report = splitjoin_cli.retry(job.progress.file_name, tracker="sqlite:jobs.db", join=True)
        assert isinstance(report, splitjoin_cli.RejoinReport)
        assert report.joined
        worker = splitjoin_cli.Worker(QUEUE, into="sqlite:load.db", tracker="sqlite:jobs.db")
        assert worker.totals.received == 0


def test_results_are_the_commands_documents(export: Path, tmp_path: Path) -> None:
    """The same run in Python and typed, word for word."""
    name = ["--client=acme", "--date=20240131"]
    split = splitjoin_cli.split(export, "chunks", rows=4, client="acme", date="20240131", force=True)
    again = run_json("split", str(export), "chunks", "--rows=4", "--force", *name)
    assert without_time(split.to_json()) | {"uploaded": 0, "skipped": 3} == without_time(again) | {
        "chunks": [{**chunk, "state": "uploaded"} for chunk in again["chunks"]]
    }
    assert splitjoin_cli.verify("chunks").to_json() == run_json("verify", "chunks")
    merged = splitjoin_cli.merge("chunks", tmp_path / "again.csv")
    assert without_time(merged.to_json()) == without_time(run_json("merge", "chunks", merged.output, "--force"))
    urls = {"into": "sqlite:load.db", "tracker": "sqlite:jobs.db"}
    typed = [f"--{key}={value}" for key, value in urls.items()]
    first = splitjoin_cli.simulate("chunks", workers=1, into=urls["into"], tracker=urls["tracker"])
    second = run_json("simulate", "chunks", "--workers=1", *typed)
    assert without_time(first.to_json()).keys() == without_time(second).keys()
    job = splitjoin_cli.status("acme_20240131", tracker=urls["tracker"])
    assert job.to_json() == run_json("status", "acme_20240131", typed[1])
    assert [one.to_json() for one in splitjoin_cli.list_jobs(tracker=urls["tracker"])] == run_json("status", typed[1])
    rejoined = splitjoin_cli.retry("acme_20240131", tracker=urls["tracker"], join=True)
    assert rejoined.to_json() == run_json("retry", "acme_20240131", typed[1], "--join")


def test_what_retry_would_send_is_the_commands_document(tmp_path: Path) -> None:
    """Also where nothing is stored yet, and the tracker alone is asked."""
    tracker = SqliteTracker(tmp_path / "jobs.db")
    with contextlib.closing(tracker):
        tracker.open_job(JobSpec(Run("acme_1", "r1"), 2, destination=str(tmp_path)))
    with pytest.raises(splitjoin_cli.UsageError) as caught:
        splitjoin_cli.retry("acme_1", tracker=tracker.uri, dry_run=True)
    assert caught.value.message == (
        f"the chunks of acme_1 are in a directory, {tmp_path}, and queues and functions read S3 alone"
    )


@pytest.mark.parametrize("name", VERBS)
def test_options_are_called_as_on_the_command_line(name: str) -> None:
    """By the same names; DOOR_ALONE is for Python alone, talk and looking again for a terminal."""
    typed = {one.name for one in command(name).params if isinstance(one, click.Option)} - TALK - LOOKING
    ours = keywords(function(name)) - DOOR_ALONE
    assert ours == typed


def keywords(called: Callable[..., Any]) -> set[str]:
    """The keywords of a function, those of a dialect included."""
    parameters = inspect.signature(called).parameters.values()
    found = {one.name for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY}
    of_dialect = [str(one.annotation) for one in parameters if one.kind is inspect.Parameter.VAR_KEYWORD]
    for kind in (arguments.HeaderKeywords, arguments.DialectKeywords):
        if any(kind.__name__ in text for text in of_dialect):
            found |= kind.__annotations__.keys()
    return found


FIELDS = {
    **dict.fromkeys(("dialect", "null", "c_escapes", "escape_in", "line_end", "on_stray_quote"), "dialect"),
    **dict.fromkeys(("skip_initial_space", "skip_blank_lines", "skip_repeated_headers"), "dialect"),
    "skip_lines": "skip", "skip_trailer": "skip",
    "chunk_size": "size", "chunks": "size", "rows": "size",
    "delimiter": "dialect", "quotechar": "dialect", "escapechar": "dialect", "no_header": "dialect",
    "sse": "objects", "sse_kms_key_id": "objects", "storage_class": "objects", "tag": "objects",
    "request_payer": "objects", "expected_bucket_owner": "objects", "content_encoding": "objects",
    "profile": "aws", "region": "aws", "endpoint_url": "aws", "session": "aws",
}  # fmt: skip
"""Options of ``split`` that travel in a value with others; each other one is a field of its own name."""


def test_an_option_of_split_is_in_three_places() -> None:
    """A field of SplitRequest, a parameter of api.split.split, an option of cli/split.py; what it does comes besides.

    The command that resumes a split is read off the fields (test_split_options.test_every_option).
    """
    parameters = {"source", "destination"} | keywords(api_split.split) - {"observer", "files_from"}
    fields = {one.name for one in dataclasses.fields(SplitRequest)} - {"share"}
    assert {FIELDS.get(name, name) for name in parameters} == fields
    options = {one.name for one in command("split").params if isinstance(one, click.Option)} - TALK
    assert options - {"files_from"} == parameters - {"source", "destination", *DOOR_ALONE}
    both = parameters - {"source", "destination"} | {"observer"}
    assert SplitOptions.__annotations__.keys() == both  # of one source, and of several


OPTIONS = dict.fromkeys(("client", "dest", "chunks", "compress", "quotechar", "to", "chunk_size", "name"), False) | {
    "force": True,
    "no_header": True,
}


@pytest.mark.parametrize(
    ("typed", "python"),
    [
        ("--force replaces it; or choose another --client", "force=True replaces it; or choose another client="),
        ("add --client NAME", "add client=NAME"),
        ("add --name CLIENT_DATE", "add name=CLIENT_DATE"),
        ("type --client hidden, or another name", "type client='hidden', or another name"),
        ("give --dest s3://... or more", "give dest='s3://...' or more"),
        ("say which: --chunks 3,7-9", "say which: chunks='3,7-9'"),
        ("--compress gzip makes them small", "compress='gzip' makes them small"),
        ("--quotechar none: no quotes", "quotechar=None: no quotes"),
        ("give --to lambda:NAME or --to sqs:QUEUE_URL", "give to='lambda:NAME' or to='sqs:QUEUE_URL'"),
        ("--chunk-size: '1x' is not a size", "chunk_size=: '1x' is not a size"),
        ("--no-header if it has none", "no_header=True if it has none"),
        (
            "splitjoin retry --force is a command; --force is not",
            "splitjoin retry --force is a command; force=True is not",
        ),
        ("--secret is of another function", "--secret is of another function"),
    ],
)
def test_hints_speak_python(typed: str, python: str) -> None:
    """Options are spelled as the function has them; commands, and what the function has not, stay."""
    assert python_words(typed, OPTIONS) == python


def test_an_error_is_told_in_pythons_words(export: Path) -> None:
    """Its message, its hint, and the hint below its traceback."""
    splitjoin_cli.split(export, "chunks", client="acme", date="20240131")
    export.write_text("id,name\n1,other\n")
    with pytest.raises(splitjoin_cli.NameTakenError) as caught:
        splitjoin_cli.split(export, "chunks", client="acme", date="20240131")
    hint = "force=True replaces it; or choose another client=, date= or destination"
    assert (caught.value.hint, caught.value.__notes__) == (hint, [f"Hint: {hint}"])
    with pytest.raises(splitjoin_cli.UsageError) as usage:
        splitjoin_cli.split("-", "chunks")
    assert str(usage.value) == "standard input has no name: client= is needed"
    assert usage.value.hint == "add client=NAME"
    with pytest.raises(splitjoin_cli.UsageError) as worker:
        splitjoin_cli.Worker(QUEUE, into="sqlite:a.db", tracker="sqlite:a.db")
    assert worker.value.hint == "give tracker= another file"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 1, "chunks": 2}, "chunks= and rows= exclude each other"),
        ({"chunk_size": "12x"}, "chunk_size=: '12x' is not a size: write 64MiB, 100MB, 1GiB, or plain bytes"),
        ({"chunk_size": 0}, "chunk_size=: 0 is not between 1 byte and 8 EiB"),
        ({"quotechar": ";;"}, "not one ASCII character other than CR and LF: ';;'"),
        ({"sse": "AES256"}, "chunks is a directory, and options of objects on S3 were given"),
        ({"tracker": "mysql:x"}, "not a tracker's URL"),
        ({"profile": "p", "session": boto3.Session()}, "a session has a profile of its own"),
        ({"session": "x"}, "session= takes a boto3 session, not str"),
        ({"observer": object()}, f"observer= takes an object with the methods {METHODS}, not object"),
        ({"chunks": "3"}, "chunks= takes a whole number, not str"),
        ({"jobs": True}, "jobs= takes a whole number, not bool"),
        ({"date": 20240131}, "date= takes a date or text, not int"),
        ({"c_escapes": True}, "c_escapes=True needs an escape character"),
        ({"tag": "a"}, "tag= takes pairs of texts, not str"),
        ({"tag": ["ab"]}, "tag=: a tag is a key and a value, both text"),
        ({"tracker": b"mysql://me:secret@db"}, "tracker= takes text, not bytes"),
        ({"endpoint_url": "localhost:9000"}, "endpoint_url=: 'localhost:9000' is not an http:// or https:// URL"),
    ],
)
def test_values_are_checked(options: dict[str, Any], message: str, export: Path) -> None:
    """As the command checks its own, before anything is read."""
    with pytest.raises(splitjoin_cli.UsageError) as caught:
        splitjoin_cli.split(export, "chunks", **options)
    assert caught.value.message == message
    assert not Path("chunks").exists()


def test_paths_and_days_are_taken_as_python_has_them(export: Path, tmp_path: Path) -> None:
    """A path is a place, a day is a date, and one number of a chunk stands for several."""
    tracker = f"sqlite:{tmp_path / 'jobs.db'}"
    result = splitjoin_cli.split(export, tmp_path / "chunks", date=dt.date(2024, 2, 1), rows=4, tracker=tracker)
    assert result.file_name == "acme_20240201"
    with pytest.raises(splitjoin_cli.UsageError) as caught:
        splitjoin_cli.retry(result.file_name, tracker=tracker, chunks=9, dry_run=True)
    assert caught.value.message == "acme_20240201 has no chunk 9"
    with pytest.raises(splitjoin_cli.UsageError, match="jobs=: 0 is not a number from 1 to 1024"):
        splitjoin_cli.verify(tmp_path / "chunks", jobs=0)


def test_every_annotation_of_the_front_door_has_a_kind() -> None:
    """So that a value of another type is a clear error in each function."""
    functions = [getattr(splitjoin_cli, name) for name in splitjoin_cli._FUNCTIONS]
    unknown = {
        f"{function.__name__}({name}: {keyword.annotation})"
        for function in functions
        for name, keyword in keywords_of(function).items()
        if not set(keyword.annotation.split(" | ")) <= set(KINDS)
    }
    assert unknown == set()


class Hears(Silent):
    """Remembers the phases."""

    def __init__(self) -> None:
        self.phases: list[str] = []

    def phase(self, name: str, total_bytes: int | None, total_chunks: int | None) -> None:  # noqa: ARG002 -- an Observer's
        self.phases.append(name)


def test_an_observer_hears_what_happens(export: Path) -> None:
    """The same that the terminal shows."""
    heard = Hears()
    splitjoin_cli.split(export, "chunks", client="acme", date="20240131", chunk_size="1KiB", observer=heard)
    splitjoin_cli.verify("chunks", observer=heard)
    assert heard.phases == ["splitting", "naming", "verifying"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compress": "bz2"}, "compress=: 'bz2' is not one of 'gzip', 'zstd', 'none'"),
        ({"on_stray_quote": "ignore"}, "on_stray_quote=: 'ignore' is not one of 'error', 'literal', 'mysql'"),
        ({"jobs": 0}, "jobs=: 0 is not a number from 1 to 1024"),
    ],
)
def test_a_split_stores_nothing_under_a_wrong_word_or_number(
    export: Path, options: dict[str, Any], message: str
) -> None:
    """What the command's options refuse is refused here too, before a plan is written."""
    with pytest.raises(splitjoin_cli.UsageError) as caught:
        splitjoin_cli.split(export, "chunks/", **options)
    assert str(caught.value) == message
    assert not Path("chunks").exists()


@pytest.mark.parametrize("workers", [0, 65])
def test_no_call_waits_for_workers_that_there_cannot_be(export: Path, workers: int) -> None:
    """Without a worker a simulation would never end."""
    message = f"workers=: {workers} is not a number from 1 to 64"
    with pytest.raises(splitjoin_cli.UsageError) as caught:
        splitjoin_cli.simulate(export, workers=workers)
    assert str(caught.value) == message
    with pytest.raises(splitjoin_cli.UsageError) as caught:
        splitjoin_cli.Worker(QUEUE, into="sqlite:sales.db", tracker="sqlite:jobs.db", workers=workers)
    assert str(caught.value) == message


@pytest.mark.usefixtures("export")
def test_an_empty_source_is_called_empty() -> None:
    """An unset variable of a script is no client with too few characters, whether a client was typed or not."""
    for client in (None, "acme"):
        with pytest.raises(splitjoin_cli.UsageError) as caught:
            splitjoin_cli.split("", "chunks/", client=client)
        assert str(caught.value) == "SOURCE is empty"
        assert caught.value.hint == "name a file, a URL, or - for standard input"
