"""What the README and the guides tell to type is typed here, in its order, against a real S3 server."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.cli.group import COMMANDS

if TYPE_CHECKING:
    from tests.servers.s3 import S3Server

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
GUIDES = ROOT / "docs" / "guide"
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)
EXPORT = b"id,note\r\n" + b"".join(b'%d,"a line\r\nand ""another"""\r\n' % number for number in range(2000))
SEMICOLONS = b"id;note\n" + b"".join(b"%d;x\n" % number for number in range(100))


def section(page: str, title: str) -> str:
    """A second-level section's text, up to the next."""
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def commands(text: str) -> list[str]:
    """The lines to type: those that are indented as code."""
    return re.findall(r"^ {4}(.+)$", text, flags=re.MULTILINE)


@pytest.fixture
def desk(s3_server: S3Server, tmp_path: Path) -> dict[str, str]:
    """A directory, two buckets and a command with what the examples speak of; returns the environment."""
    (tmp_path / "export.csv").write_bytes(EXPORT)
    (tmp_path / "bin").mkdir()
    producer = tmp_path / "bin" / "produce-csv"
    producer.write_text("#!/bin/sh\nexec cat semicolons.csv\n")
    producer.chmod(0o755)
    (tmp_path / "semicolons.csv").write_bytes(SEMICOLONS)
    client = s3_server.client()
    there = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    for name in {"exports", "loads"} - there:
        client.create_bucket(Bucket=name)
    client.put_object(Bucket="exports", Key="2024/january.csv.gz", Body=gzip.compress(EXPORT))
    path = os.pathsep.join([str(tmp_path / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | s3_server.env | {"PATH": path}


def type_all(lines: list[str], desk: dict[str, str], directory: Path) -> None:
    """Type each line; each must succeed."""
    for line in lines:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=directory,
            env=desk,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_the_screen_of_use_without_aws(desk: dict[str, str], tmp_path: Path) -> None:
    """Each line of the README does what it says; what was split and merged again is what was split."""
    lines = commands(section(README, "Use").partition("With AWS")[0])
    assert len(lines) == 6
    type_all(lines, desk, tmp_path)
    assert (tmp_path / "again.csv").read_bytes() == EXPORT
    assert b'"run_id"' in (tmp_path / "joined.json").read_bytes()


def test_examples_of_the_guides(desk: dict[str, str], s3_server: S3Server, tmp_path: Path) -> None:
    """Those of split, and of load and join, in their order."""
    split, load = ((GUIDES / name).read_text() for name in ("split.md", "load-and-join.md"))
    lines = [*commands(section(split, "Split a file")), *commands(section(split, "Check and merge"))]
    lines += commands(load)
    assert len(lines) >= 12
    type_all(lines, desk, tmp_path)
    assert (tmp_path / "again.csv").read_bytes() == EXPORT
    listed = s3_server.client().list_objects_v2(Bucket="loads", Prefix="in/acme_20240131")["Contents"]
    assert {"in/acme_20240131.manifest.json", "in/acme_20240131-1-1.csv"} <= {item["Key"] for item in listed}


@pytest.mark.parametrize("page", ["README.md", "docs/reference/python.md"])
def test_python_examples_run(page: str, desk: dict[str, str], tmp_path: Path) -> None:
    """Each block of Python, one after another, in one directory."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        done = subprocess.run(
            [sys.executable, "-c", block], cwd=tmp_path, env=desk, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{block}\n{done.stderr}"


def test_the_airflow_task_runs_and_resumes(tmp_path: Path) -> None:
    """The callable of examples/, as Airflow calls it; the page shows the same lines."""
    source = (ROOT / "examples" / "airflow_task.py").read_text()
    assert source[source.index("from splitjoin_cli") :] in (GUIDES / "schedule.md").read_text()
    (tmp_path / "acme.csv").write_bytes(EXPORT)
    namespace: dict[str, Any] = {}
    exec(compile(source, "airflow_task.py", "exec"), namespace)  # noqa: S102 -- a task is loaded from its file
    results = [namespace["split_export"](f"{tmp_path}/acme.csv", f"{tmp_path}/in", "acme", "2024-01-31") for _ in "ab"]
    assert results[0] == results[1]
    assert (results[0]["file_name"], results[0]["rows"]) == ("acme_2024-01-31", 2000)


def test_the_readme_is_read_in_one_sitting() -> None:
    """It is short; help, runbook and reference have pages of their own."""
    assert len(README.encode()) <= 10_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link and picture of a page is a file that is there."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [link for link in links if link and not link.startswith(("http://", "https://"))]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion(shell: str) -> None:
    """The lines of the guide make each shell a script that completes splitjoin."""
    assert f"_SPLITJOIN_COMPLETE={shell}_source splitjoin" in section(
        (GUIDES / "split.md").read_text(), "Shell completion"
    )
    done = subprocess.run(
        [Path(sys.executable).with_name("splitjoin")],
        env=os.environ | {"_SPLITJOIN_COMPLETE": f"{shell}_source"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert "_SPLITJOIN_COMPLETE" in done.stdout


def test_commands_are_completed() -> None:
    """A word that is begun is one of the commands."""
    environment = {"_SPLITJOIN_COMPLETE": "bash_complete", "COMP_WORDS": "splitjoin ", "COMP_CWORD": "1"}
    done = subprocess.run(
        [Path(sys.executable).with_name("splitjoin")], env=os.environ | environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stdout.split() == [f"plain,{name}" for name in COMMANDS]


def test_every_command_is_in_the_reference() -> None:
    """With its help, as --help says it (cog checks the words)."""
    page = (ROOT / "docs" / "reference" / "commands.md").read_text()
    for name in COMMANDS:
        assert f"\n## splitjoin {name}\n" in page
