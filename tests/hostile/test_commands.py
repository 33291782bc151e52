"""Each command over a directory with a hostile manifest or plan: success or a refusal, and nothing beyond the place."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from splitjoin_cli.cli.terminal import Terminal
from splitjoin_cli.stores.sinks.directory import DirectorySink
from tests.hostile.documents import NAMES, hostile_bytes, our_layout, put, right_manifest
from tests.hostile.places import COMMANDS, SOURCE, beside_a_neighbour, check_command, check_worker
from tests.hostile.test_parsers import RIGHT_PLAN
from tests.splitting.places import FILE_NAME, MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

    from splitjoin_cli.stores.sinks.base import Condition

RIGHT = right_manifest()
QUICK = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
PEAK_MIB = 100


@pytest.fixture(autouse=True)
def _own_temporary_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What simulations leave goes with the test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
@QUICK
@given(document=hostile_bytes(RIGHT))
def test_a_hostile_manifest(words: list[str], document: bytes) -> None:
    """Whatever the manifest holds."""
    with beside_a_neighbour(manifest=document) as root:
        check_command(root, words)


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
@QUICK
@given(document=hostile_bytes(RIGHT_PLAN))
def test_a_hostile_plan(words: list[str], document: bytes) -> None:
    """Whatever the plan holds: a resume reads it, and so do all others that look for one."""
    with beside_a_neighbour(plan=document) as root:
        check_command(root, words)


def standing_plan(root: Path) -> dict[str, Any]:
    """The plan that a split of the source into the place leaves when it is killed."""
    kept: list[bytes] = []

    def noting(sink: DirectorySink, name: str, data: bytes, *, when: Condition | None = None) -> bool:
        kept.append(data)
        return put_small(sink, name, data, when=when)

    put_small = DirectorySink.put_small
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(DirectorySink, "put_small", noting)
        check_command(root, COMMANDS["split"])
    (root / "in" / MANIFEST).unlink()
    (plan,) = kept
    document: dict[str, Any] = json.loads(plan)
    return document


@settings(QUICK, max_examples=40)
@given(data=st.data())
def test_a_resume_of_a_hostile_plan_is_exact_or_refused(data: st.DataObject) -> None:
    """A plan that was right but for what somebody wrote into it: what is stored is the source, or no split."""
    with beside_a_neighbour() as root:
        for name in NAMES:
            (root / "in" / name).unlink()
        plan = standing_plan(root)
        stored = sorted((root / "in").iterdir())
        data.draw(st.sampled_from(stored)).unlink()
        (root / "in" / f"{FILE_NAME}.plan.json").write_bytes(data.draw(hostile_bytes(plan)))
        if check_command(root, COMMANDS["split"]).code == 0:
            assert check_command(root, COMMANDS["merge"]).code == 0
            assert (root / "out.csv").read_bytes() == SOURCE


def test_a_plan_with_other_boundaries_is_not_resumed() -> None:
    """Ends that are in range, and not at records' ends: the run's id is of the boundaries, so the source is scanned."""
    with beside_a_neighbour() as root:
        for name in NAMES:
            (root / "in" / name).unlink()
        plan = standing_plan(root)
        (end, *rest) = plan["chunks"][0]["ends"]
        changed = put(plan, ("chunks", 0, "ends"), [end - 1, *rest])
        (root / "in" / f"{FILE_NAME}.plan.json").write_bytes(our_layout(changed))
        assert check_command(root, COMMANDS["split"]).code in {0, 11}
        (root / "in" / f"{FILE_NAME}.plan.json").write_bytes(our_layout(plan))
        assert check_command(root, COMMANDS["split"]).code == 0
        assert check_command(root, COMMANDS["merge"]).code == 0
        assert (root / "out.csv").read_bytes() == SOURCE


@QUICK
@given(document=hostile_bytes(RIGHT))
def test_a_worker_beside_a_hostile_manifest(document: bytes) -> None:
    """The worker takes run and dialect from it, or refuses."""
    with beside_a_neighbour(manifest=document) as root:
        check_worker(root)


def test_right_documents_pass() -> None:
    """What the properties above begin with is right: otherwise they would test refusals alone."""
    with beside_a_neighbour(manifest=our_layout(RIGHT)) as root:
        assert check_command(root, COMMANDS["verify"]).out == f"{FILE_NAME}: ok, 3 chunks, 4 rows\n"
        assert check_command(root, COMMANDS["merge"]).code == 0
        assert (root / "out.csv").read_bytes() == SOURCE
        assert check_command(root, COMMANDS["simulate"]).code == 0
        check_worker(root)


@pytest.mark.parametrize("command", ["merge", "verify", "simulate", "split"])
@pytest.mark.parametrize("name", ["../other/name_1", "/etc/passwd_1", "..", "other/name_1", "..\\other\\name_1"])
def test_no_command_leaves_the_place(command: str, name: str) -> None:
    """A manifest that names files elsewhere is refused, by document and field."""
    with beside_a_neighbour(manifest=our_layout(put(RIGHT, ("file_name",), name))) as root:
        heard = check_command(root, COMMANDS[command])
    assert heard.code == 1
    assert f"{MANIFEST} holds no manifest that splitjoin can read: file_name: expected " in heard.out + heard.err


def test_escapes_in_names_reach_no_stream() -> None:
    """``verify`` and ``simulate`` tell of a fingerprint, of an extra object: what would move a cursor is escaped."""
    with beside_a_neighbour(manifest=our_layout(put(RIGHT, ("source", "uri"), "\x1b[2J\u202ex"))) as root:
        heard = check_command(root, COMMANDS["split"])
    assert heard.code == 11
    assert "a finished split of \\x1b[2J\\u202ex" in heard.err


def test_data_lines_and_talk_show_escapes(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Reports and tables on stdout as well as talk on stderr: the bytes of odd paths alone pass as they are."""
    text = "a\x1b[2J\x9b\u202e\ud800\r\tb\udcff"
    terminal = Terminal()
    terminal.data(text)
    terminal.lines([text])
    terminal.note(text)
    out, err = capfdbinary.readouterr()
    shown = b"a\\x1b[2J\\x9b\\u202e\\ud800\\x0d\tb"
    assert out == 2 * (shown + b"\xff\n")
    assert err.startswith(shown)


MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""
"""A small process of its own: what a process took before its exec counts as well."""


def _peak_mib(words: list[str], directory: Path) -> int:
    """The installed command's peak of resident memory."""
    measured = [sys.executable, "-c", MEASURE, *words]
    return int(subprocess.run(measured, cwd=directory, capture_output=True, check=True).stdout)


CLAIMS = [
    ["verify", "p"],
    ["verify", "p", "--json"],
    ["merge", "p", "out.csv"],
    ["simulate", "p", "--into", "sqlite:l.db", "--tracker", "sqlite:t.db", "--json"],
    ["status", "j_1", "--tracker", "sqlite:t.db", "--dest", "p"],
    ["status", "j_1", "--tracker", "sqlite:t.db", "--dest", "p", "--reconcile", "--into", "sqlite:l.db"],
    ["status", "--tracker", "sqlite:t.db"],
]


def test_a_claim_of_ten_million_chunks_costs_a_range(tmp_path: Path) -> None:
    """One small file, whose name says that it is one of 10,000,000, costs no command 100 MiB."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "j_1-1-10000000.csv").write_bytes(b"id,name\n1,a\n")
    peaks = {" ".join(words): _peak_mib(["splitjoin", *words], tmp_path) for words in CLAIMS}
    assert {words: peak for words, peak in peaks.items() if peak > PEAK_MIB} == {}


def test_a_claim_of_ten_million_chunks_is_told_as_a_range(tmp_path: Path) -> None:
    """One problem for all that are missing, with the first one's number; in the documented shape."""
    (tmp_path / "j_1-1-10000000.csv").write_bytes(b"id,name\n1,a\n")
    (tmp_path / "j_1-5-10000000.csv").write_bytes(b"id,name\n1,a\n")
    done = subprocess.run(["splitjoin", "verify", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines()[1:] == [
        "missing: chunks 2-4 of 10000000 are not there",
        "missing: chunks 6-10000000 of 10000000 are not there",
        "j_1: 3 problems",
    ]
