"""``--debug``: timings and decisions as JSON lines, wherever they were asked to go, and nothing else changed by it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from splitjoin_cli.cli.debug import with_value
from splitjoin_cli.cli.group import COMMANDS, cli
from splitjoin_cli.core import trace
from splitjoin_cli.core.native import kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ran

    Splitjoin = Callable[..., Ran]

SPLIT = ("split", "acme.csv", "chunks", "--client=acme", "--date=1", "--rows=2")


@pytest.fixture(autouse=True)
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small export in the current directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "acme.csv"
    path.write_text("id,name\n" + "".join(f"{number},n{number}\n" for number in range(5)))
    return path


def lines_of(text: str) -> list[dict[str, Any]]:
    """The JSON lines of a text, which holds nothing else."""
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        (["split", "a.csv", "out", "--debug"], ["split", "a.csv", "out", "--debug=-"]),
        (["split", "--debug", "a.csv", "out"], ["split", "--debug=-", "a.csv", "out"]),
        (["split", "--debug", "t.jsonl", "a.csv", "out"], ["split", "--debug=t.jsonl", "a.csv", "out"]),
        (["split", "a.csv", "out", "--debug", "trace"], ["split", "a.csv", "out", "--debug=trace"]),
        (["split", "a.csv", "--debug", "out"], ["split", "a.csv", "--debug=-", "out"]),
        (["status", "--debug", "acme_1"], ["status", "--debug=-", "acme_1"]),
        (["status", "acme_1", "--debug", "-q"], ["status", "acme_1", "--debug=-", "-q"]),
        (["status", "acme_1", "--debug", "trace"], ["status", "acme_1", "--debug=trace"]),
        (["ls", "--debug", "chunks"], ["ls", "--debug=-", "chunks"]),
        (["inspect", "--debug", "a.csv"], ["inspect", "--debug=-", "a.csv"]),
        (["rm", "--name", "acme_1", "--debug", "chunks"], ["rm", "--name", "acme_1", "--debug=-", "chunks"]),
        (["replace", "acme_1", "--debug", "a.csv"], ["replace", "acme_1", "--debug=-", "a.csv"]),
        (["split", "a.csv", "--rows", "2", "--debug", "out"], ["split", "a.csv", "--rows", "2", "--debug=-", "out"]),
        (["split", "a.csv", "--strict", "out", "--debug", "t"], ["split", "a.csv", "--strict", "out", "--debug=t"]),
        (["init", "--debug", "trace"], ["init", "--debug=trace"]),
        (["split", "--", "--debug", "out"], ["split", "--", "--debug", "out"]),
        (["split", "a.csv", "out", "--debug=x.csv"], ["split", "a.csv", "out", "--debug=x.csv"]),
    ],
)
def test_a_file_is_told_from_the_commands_own_words(typed: list[str], taken: list[str]) -> None:
    """By its name, or by its place behind all that the command needs: an export is never written into."""
    assert with_value(typed) == taken


def test_the_last_word_after_sources_is_dest(tmp_path: Path) -> None:
    """What stands before it is a file: one of several sources."""
    source = tmp_path / "b.csv"
    source.touch()
    assert with_value(["split", "a.csv", str(source), "--debug", "out"])[-2:] == ["--debug=-", "out"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_it(name: str) -> None:
    """As all that is about talk."""
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    assert "--debug" in {text for one in found.params for text in one.opts}


def test_what_a_split_decided_and_how_long_it_took(splitjoin: Splitjoin) -> None:
    """Its source, its scanner, its phases and chunks, its end; each with the time, in order."""
    ran = splitjoin(*SPLIT, "--quiet", "--debug")
    assert (ran.code, ran.stdout) == (0, f"{Path('chunks').absolute()}/acme_1.manifest.json\n"), ran
    told = lines_of(ran.stderr)
    assert [one["elapsed"] for one in told] == sorted(one["elapsed"] for one in told)
    assert all(one["at"].endswith("Z") for one in told)
    events = [one["event"] for one in told]
    assert events[0] == "started"
    assert told[-1]["event"] == "ended"
    assert told[-1]["exit_code"] == 0
    opened = next(one for one in told if one["event"] == "source opened")
    assert (opened["uri"], opened["seekable"], opened["bytes"]) == ("acme.csv", True, 33)
    assert any(one["event"] == "decision" and "finding the records with" in one["message"] for one in told)
    naming = next(one for one in told if one["event"] == "phase ended" and one["name"] == "naming")
    assert naming["chunks"] == 3
    assert naming["seconds"] >= 0
    assert [one["number"] for one in told if one["event"] == "chunk"] == [1, 2, 3]


def test_lines_go_to_the_end_of_a_file(splitjoin: Splitjoin) -> None:
    """Two runs are both in it, and stderr says what it always says."""
    for _ in range(2):
        ran = splitjoin(*SPLIT, "--debug", "t.jsonl", "--quiet")
        assert (ran.code, ran.stderr) == (0, "")
    assert [one["event"] for one in lines_of(Path("t.jsonl").read_text())].count("started") == 2


def test_a_file_of_something_else_is_left_alone(splitjoin: Splitjoin, export: Path) -> None:
    """A slip of the hand must not write into an export."""
    before = export.read_bytes()
    ran = splitjoin(*SPLIT, "--debug=acme.csv", "--json")
    assert ran.document == {
        "error": {
            "code": 2,
            "message": "--debug: acme.csv is there, and holds no debug lines",
            "hint": "name a new file, or leave it out for stderr: --debug",
        }
    }
    assert export.read_bytes() == before
    assert not Path("chunks").exists()


def test_a_directory_cannot_be_written(splitjoin: Splitjoin) -> None:
    """Said before anything begins."""
    ran = splitjoin(*SPLIT, "--debug=.")
    assert (ran.code, ran.stderr.splitlines()[0]) == (2, "Error: --debug: cannot write .: Is a directory")


def test_the_variable(splitjoin: Splitjoin, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, a word for yes (stderr), or for no; what is typed wins."""
    monkeypatch.setenv("SPLITJOIN_DEBUG", "0")
    assert splitjoin("info", "--quiet").stderr == ""
    monkeypatch.setenv("SPLITJOIN_DEBUG", "1")
    assert [one["event"] for one in lines_of(splitjoin("info").stderr)] == ["started", "ended"]
    assert splitjoin("info", "--debug=t.jsonl").stderr == ""
    assert len(lines_of(Path("t.jsonl").read_text())) == 2


def test_no_secret_is_in_a_line(splitjoin: Splitjoin) -> None:
    """URLs lose user, password and query, in errors too."""
    ran = splitjoin("split", "ftp://host/a.csv?token=s3cr3t", "chunks", "--client=a", "--debug")
    assert ran.code != 0
    assert "s3cr3t" not in ran.stderr


def test_errors_are_told(splitjoin: Splitjoin) -> None:
    """With their type, and the exit code at the end."""
    said = splitjoin("verify", "nowhere", "--debug").stderr.splitlines()
    told = [json.loads(line) for line in said if line.startswith("{")]
    assert [(one["event"], one.get("type"), one.get("exit_code")) for one in told[-2:]] == [
        ("error", "NotFoundError", None),
        ("ended", None, 1),
    ]


def test_a_trace_costs_nothing_where_nobody_hears() -> None:
    """And ends with the block of whoever heard it, also by an error."""
    told: list[tuple[str, dict[str, Any]]] = []
    trace.note("unheard")
    with trace.hearing(lambda event, facts: told.append((event, dict(facts)))):
        assert trace.heard()
        with pytest.raises(KeyError), trace.timed("block", number=1):
            raise KeyError
    assert not trace.heard()
    ((event, facts),) = told
    assert (event, facts["number"], facts["error"]) == ("block", 1, "KeyError")


SWITCHES = ["SPLITJOIN_SCANNER=numpy", "SPLITJOIN_CRC=python", "SPLITJOIN_SPECULATION=off"]


@pytest.mark.parametrize("switch", [*SWITCHES, " ".join(SWITCHES)])
def test_switches_change_the_way_and_not_the_bytes(switch: str, tmp_path: Path) -> None:
    """The plain scanner, the plain checksum, no guesses: chunks and manifest are the same bytes."""
    (tmp_path / "big.csv").write_bytes(b"id,note\n" + b'1,"two\nlines"\n2,x\n' * 60_000)
    words = ["split", "big.csv", "--client=a", "--date=1", "--chunk-size=256KiB"]
    environment = dict(pair.split("=") for pair in switch.split())
    code = (
        "import sys; from splitjoin_cli.cli.run import run; code = run(sys.argv[1:])\n"
        "print(sorted({'numpy', 'splitjoin_cli.core.bytes.crc64_python'} & set(sys.modules)))"
    )
    for out, variables in (("usual", {}), ("plain", environment)):
        done = subprocess.run(
            [sys.executable, "-c", code, *words, out, "-v"],
            cwd=tmp_path, env={"PATH": "/usr/bin:/bin", **variables}, capture_output=True, text=True, check=True,
        )  # fmt: skip
    usual, plain = (sorted((tmp_path / name).iterdir()) for name in ("usual", "plain"))
    assert [path.name for path in usual] == [path.name for path in plain]
    assert [path.read_bytes() for path in usual] == [path.read_bytes() for path in plain]
    if kernel() is not None:
        used = done.stdout.splitlines()[-1]
        assert ("numpy" in used) == ("SCANNER" in switch)
        assert ("crc64_python" in used) == ("CRC" in switch)
