"""``verify`` and ``merge`` as commands, on a directory and on S3: output, documents, exit codes."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.cli.verify import EPILOG
from splitjoin_cli.splitting.stored.verify import KINDS
from tests.splitting.places import FILE_NAME, stored_split

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ran
    from tests.servers.s3 import Bucket

    Command = Callable[..., Ran]

HEADER = b"id,note\n"
CHUNKS = [[b"1,a\n", b'2,"two\nlines"\n'], [b"3,c\n"], [b"4,d\n", b'5,"e ""e"""']]
WHOLE = HEADER + b"".join(record for chunk in CHUNKS for record in chunk)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a whole split."""
    place = tmp_path / "chunks"
    place.mkdir()
    for name, data in stored_split(HEADER, CHUNKS).objects.items():
        (place / name).write_bytes(data)
    return place


@pytest.fixture
def prefix(s3_env: Bucket) -> str:
    """The same below a prefix of a bucket, compressed, with the chunks' metadata."""
    place = stored_split(HEADER, CHUNKS, compression="gzip")
    for name, data in place.objects.items():
        metadata = {"splitjoin": place.metadata[name]} if name in place.metadata else {}
        s3_env.client().put_object(Bucket=s3_env.name, Key=f"in/{name}", Body=data, Metadata=metadata)
    return f"{s3_env.uri}in"


@pytest.mark.parametrize("command", ["verify", "merge"])
def test_what_was_interrupted_is_run_again(
    splitjoin: Command, directory: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """From its beginning: there is nothing to resume, and nothing is said of it."""

    def stopped(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(f"splitjoin_cli.api.{command}.{command}", stopped)
    ran = splitjoin(command, str(directory), *(["out.csv"] if command == "merge" else []))
    assert (ran.code, ran.stderr) == (143, "Error: terminated by SIGTERM\nHint: run the same command again\n")


def test_verify_says_that_all_is_right(splitjoin: Command, directory: Path) -> None:
    """The report is data: it goes to stdout."""
    ran = splitjoin("verify", str(directory), "-q")
    assert (ran.code, ran.stdout, ran.stderr) == (0, f"{FILE_NAME}: ok, 3 chunks, 5 rows\n", "")


def test_one_is_singular(splitjoin: Command, tmp_path: Path) -> None:
    """``1 chunk``, ``1 row``; not ``1 chunks``."""
    (tmp_path / "acme.csv").write_bytes(b"id\n1\n")
    made, again = str(tmp_path / "made"), str(tmp_path / "again.csv")
    ran = splitjoin("split", str(tmp_path / "acme.csv"), made, "--date=1", "--no-progress")
    assert ran.stderr.startswith("1 chunk, 1 row, 5 B: 1 uploaded, 0 skipped in ")
    assert splitjoin("verify", made).stdout == "acme_1: ok, 1 chunk, 1 row\n"
    assert splitjoin("merge", made, again, "--no-progress").stderr.startswith("1 chunk of acme_1, 5 B, merged in ")


@pytest.mark.parametrize("options", [["--no-progress"], ["--no-progress", "-v"]])
def test_no_progress(splitjoin: Command, tmp_path: Path, options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings and the summary are still said; with -v details; no line of a phase, nor a bar."""
    (tmp_path / "acme.csv").write_bytes(b"id,name\n1\n")
    place = str(tmp_path / "made")
    ran = splitjoin("split", str(tmp_path / "acme.csv"), place, "--date=1", *options)
    lines = ran.stderr.splitlines()
    details = [line for line in lines if line.startswith("finding the records with ")]
    assert len(details) == ("-v" in options)
    warning = "Warning: line 2 (byte 8) has 1 field, the first has 2; such records are in 1 of 1 chunk"
    assert [line for line in lines if line not in details][:-1] == [warning]
    assert lines[-1].startswith("1 chunk, 1 row, 10 B: 1 uploaded, 0 skipped in ")
    monkeypatch.setenv("SPLITJOIN_NO_PROGRESS", "1")
    assert splitjoin("split", str(tmp_path / "acme.csv"), place, "--date=2").stderr.splitlines()[0] == warning


def test_verify_lists_problems_and_exits_1(splitjoin: Command, directory: Path) -> None:
    """A line for each problem and their number; the document alone with --json."""
    (directory / f"{FILE_NAME}-2-3.csv").unlink()
    ran = splitjoin("verify", str(directory), "-q")
    assert ran.code == 1
    assert ran.stdout == f"missing: chunk 2 of 3 is not there\n{FILE_NAME}: 1 problem\n"
    ran = splitjoin("verify", str(directory), "--json")
    assert ran.code == 1
    assert ran.document == {
        "file_name": FILE_NAME,
        "ok": False,
        "problems": [{"number": 2, "kind": "missing", "message": "chunk 2 of 3 is not there"}],
        "mended": [],
    }


@pytest.mark.parametrize(("content", "code"), [(WHOLE, 0), (WHOLE + b"\n", 1)])
def test_verify_compares_with_the_source(
    splitjoin: Command, directory: Path, tmp_path: Path, content: bytes, code: int
) -> None:
    """--source is opened as split opens it."""
    source = tmp_path / "export.csv"
    source.write_bytes(content)
    assert splitjoin("verify", str(directory), "--source", str(source), "--json").code == code


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["verify", "none"], 1, "no such directory: none"),
        (["verify", "file"], 2, "file is not a directory"),
        (["verify", "chunks", "--name", "../x"], 2, "'../x' is not the name of a job"),
        (["verify", "chunks", "--source", "none.csv"], 1, "cannot read none.csv: no such file"),
        (["verify"], 2, "PREFIX_OR_DIR is missing"),
        (["verify", "chunks", "--encoding", "utf-16"], 2, "--encoding is for --source"),
        (["rm", "chunks"], 2, "--name is missing"),
        (["verify", "empty"], 1, "there are no chunks and no manifest in "),
        (["merge", "chunks", "-"], 2, "the file and the JSON document cannot both go to stdout"),
        (["merge", "chunks", "file"], 11, "file is there already"),
        (["merge", "chunks", "empty"], 2, "empty is a directory"),
        (["merge", "chunks", "s3://bucket/"], 2, "s3://bucket/ names no object"),
        (["merge", "chunks"], 2, "OUT is missing"),
    ],
)
def test_mistakes_are_named(
    splitjoin: Command,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    """Each mistake has its exit code and one JSON document; nothing is made or changed."""
    monkeypatch.chdir(directory.parent)
    (directory.parent / "file").write_bytes(b"kept")
    (directory.parent / "empty").mkdir()
    ran = splitjoin(*arguments, "--json")
    assert ran.code == code
    assert ran.document["error"]["code"] == code
    assert ran.document["error"]["message"].startswith(message)
    assert sorted(path.name for path in directory.parent.iterdir()) == ["chunks", "empty", "file"]
    assert (directory.parent / "file").read_bytes() == b"kept"


def test_verify_all(splitjoin: Command, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each split of a place in a line; one under way is a problem only where all must be finished."""
    (directory / "z_1.plan.json").write_text("{}")
    whole = splitjoin("verify", str(directory), "--name", FILE_NAME, "-q").stdout.splitlines()[-1]
    ran = splitjoin("verify", str(directory), "--all", "-q")
    assert (ran.code, ran.stdout) == (0, f"{whole}\nz_1: under way, not checked\n")
    assert [one["ok"] for one in json.loads(splitjoin("verify", str(directory), "--all", "--json").stdout)] == [
        True,
        True,
    ]
    ran = splitjoin("verify", str(directory), "--all", "--finished")
    assert (ran.code, ran.stdout.splitlines()[1]) == (
        1, "z_1: 2 problems: manifest: z_1.manifest.json is not there: the split is not whole",
    )  # fmt: skip
    assert ran.stderr.endswith("1 of 2 splits has problems\n")
    (tmp_path / "empty").mkdir()
    empty = splitjoin("verify", str(tmp_path / "empty"), "--all", "--json")
    assert (empty.code, empty.stdout) == (0, "[]\n")
    for words in (["--all", "--name", FILE_NAME], ["--all", "--source", "x"], ["--finished"]):
        assert splitjoin("verify", str(directory), *words).code == 2
    monkeypatch.setenv("SPLITJOIN_ALL", "1")
    assert splitjoin("verify", str(directory), "--name", FILE_NAME, "-q").stdout.splitlines()[-1] == whole


def test_verify_all_goes_on_where_a_manifests_name_is_no_files(splitjoin: Command, directory: Path) -> None:
    """It was an error that left all other splits unchecked."""
    (directory / "a_1-1-1.csv").write_bytes(b"id\n1\n")
    (directory / "a_1.manifest.json").mkdir()
    ran = splitjoin("verify", str(directory), "--all", "-q")
    problem = f"{directory}/a_1.manifest.json is a directory, and splitjoin needs that name for a file"
    assert (ran.code, ran.stdout.splitlines()[0]) == (1, f"a_1: 1 problem: manifest: {problem}")
    assert ran.stdout.splitlines()[1].startswith(f"{FILE_NAME}: ok")


@pytest.mark.parametrize("arguments", [["verify", "none"], ["merge", "none", "out.csv"], ["simulate", "none/"]])
def test_a_missing_directory_of_chunks_has_a_next_step(
    splitjoin: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """Mostly the command runs in another directory than the split did."""
    monkeypatch.chdir(tmp_path)
    error = splitjoin(*arguments, "--json").document["error"]
    assert (error["code"], error["message"]) == (1, "no such directory: none")
    assert error["hint"] == "check the path; it is relative to the working directory"


def test_merge_writes_the_file_and_names_it(splitjoin: Command, directory: Path, tmp_path: Path) -> None:
    """OUT on stdout, talk on stderr."""
    out = tmp_path / "out.csv"
    ran = splitjoin("merge", str(directory), str(out))
    assert (ran.code, ran.stdout) == (0, f"{out}\n")
    assert ran.stderr.splitlines()[-1].startswith(f"3 chunks of {FILE_NAME}, {len(WHOLE)} B, merged in ")
    assert out.read_bytes() == WHOLE


def test_merge_says_when_the_manifest_knows_better(splitjoin: Command, directory: Path, tmp_path: Path) -> None:
    """The dialect options are for sets without a manifest."""
    ran = splitjoin("merge", str(directory), str(tmp_path / "out.csv"), "--delimiter", ";", "--no-progress")
    warning = f"the manifest of {FILE_NAME} says how its records are written: the dialect given is not used"
    assert (ran.code, ran.stderr.splitlines()[0]) == (0, f"Warning: {warning}")


def test_merge_describes_what_it_made(splitjoin: Command, directory: Path, tmp_path: Path) -> None:
    """The document of merge."""
    out = tmp_path / "out.csv"
    document = splitjoin("merge", str(directory), str(out), "--json").document
    assert document.pop("seconds") >= 0
    assert document == {
        "file_name": FILE_NAME,
        "output": str(out),
        "bytes": len(WHOLE),
        "rows": 5,
        "total_parts": 3,
    }


def test_merge_to_stdout_writes_nothing_else_there(splitjoin: Command, directory: Path) -> None:
    """``-`` is the file alone."""
    ran = splitjoin("merge", str(directory), "-", "-q")
    assert (ran.code, ran.stdout.encode(), ran.stderr) == (0, WHOLE, "")


def test_merge_of_a_set_that_is_not_whole_fails(splitjoin: Command, directory: Path, tmp_path: Path) -> None:
    """Exit 1, the missing number, the next step."""
    (directory / f"{FILE_NAME}-2-3.csv").unlink()
    ran = splitjoin("merge", str(directory), str(tmp_path / "out.csv"), "-q")
    assert (ran.code, ran.stdout) == (1, "")
    assert ran.stderr == (
        f"Error: {FILE_NAME} is not whole: chunk 2 of 3 missing\nHint: run the split again: it stores what is missing\n"
    )
    assert not (tmp_path / "out.csv").exists()


def test_prefix_on_s3_is_verified(splitjoin: Command, prefix: str, s3_env: Bucket) -> None:
    """Chunks and their metadata are read from S3; one of another run is found."""
    whole = {"file_name": FILE_NAME, "ok": True, "problems": [], "mended": []}
    assert splitjoin("verify", prefix, "--json").document == whole
    key = f"in/{FILE_NAME}-2-3.csv.gz"
    s3_env.client().put_object(Bucket=s3_env.name, Key=key, Body=s3_env.get(key), Metadata={"splitjoin": "{}"})
    ran = splitjoin("verify", prefix, "--json")
    assert (ran.code, [problem["kind"] for problem in ran.document["problems"]]) == (1, ["metadata"])


def test_prefix_on_s3_is_merged_to_a_file_and_to_an_object(
    splitjoin: Command, prefix: str, s3_env: Bucket, tmp_path: Path
) -> None:
    """From S3 to a file, and to an object beside the chunks, which is not replaced without --force."""
    assert splitjoin("merge", prefix, str(tmp_path / "out.csv")).code == 0
    assert (tmp_path / "out.csv").read_bytes() == WHOLE
    out = f"{s3_env.uri}out/whole.csv"
    assert splitjoin("merge", prefix, out).code == 0
    assert s3_env.get("out/whole.csv") == WHOLE
    ran = splitjoin("merge", prefix, out, "--json")
    assert (ran.code, ran.document["error"]["message"]) == (11, f"{out} is there already")
    assert s3_env.open_uploads() == []


def test_missing_bucket_is_named(splitjoin: Command, s3_env: Bucket) -> None:
    """A bucket that is not there is an error, not an empty place."""
    missing = f"s3://{s3_env.name}-none/"
    ran = splitjoin("verify", missing, "--json")
    assert ran.code == 1
    assert "bucket does not exist" in ran.document["error"]["message"]


def test_help_has_every_kind_of_problem() -> None:
    """What scripts match on is in the help, in the words of the library."""
    for kind, meaning in KINDS.items():
        assert f"  {kind:<10}  {meaning}\n" in EPILOG
