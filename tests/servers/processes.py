"""What every server fixture needs: find a binary, take free ports, wait until the server answers, end it by pid."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
SERVERS_BIN = ROOT / ".cache" / "servers" / "bin"
START_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05


class ServerDiedError(Exception):
    """A server ended, or did not answer, before it was ready."""


def find_binary(name: str) -> Path:
    """The binary that ``make servers`` installed, else the one on PATH; skips the test where there is none."""
    found = shutil.which(name, path=f"{SERVERS_BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    if found is None:
        pytest.skip(f"{name} is not installed: run `make servers`")
    return Path(found)


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody listened on a moment ago, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    directory: Path,
    ready: Callable[[], bool],
    seconds: float = START_SECONDS,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
    stop: signal.Signals = signal.SIGKILL,
    group: bool = False,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in ``directory`` until the block is left; it is ready when ``ready`` says so.

    ``user``: as whom, where root starts it (see ``lowered``). ``stop``: what ends it; after STOP_SECONDS, SIGKILL does.
    ``group``: it starts processes of its own, which are to end with it.
    What it says goes to ``server.log`` in the directory. Raises ServerDiedError, with the end of that log.
    """
    log = directory / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=directory, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, user=user,
            start_new_session=group,
        )  # fmt: skip
    try:
        _wait(process, ready, seconds=seconds, log=log)
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if group:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def lowered(directory: Path) -> str | None:
    """Whom servers that refuse to run as root run as, who then owns ``directory``; None where nobody is root."""
    if os.geteuid() != 0:
        return None
    shutil.chown(directory, "nobody")
    return "nobody"


def world_readable(place: Path, copy: Path, *, parts: Sequence[str] = (".",)) -> Path:
    """``place``, or a copy of its ``parts`` where a server that does not run as root could not get to one of them.

    The parts keep their places to each other: binaries find their libraries by the way from one to the other.
    """
    if os.geteuid() != 0 or all(_is_open(place / part) for part in parts):
        return place
    for part in parts:
        shutil.copytree(place / part, copy / part, symlinks=True, dirs_exist_ok=True)
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o055 if path.is_dir() or mode & 0o100 else 0o044))
    return copy


def _is_open(place: Path) -> bool:
    """Whether anybody may enter a directory, by the way that leads to it too."""
    return all(folder.stat().st_mode & 0o001 for folder in (place, *place.resolve().parents))


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], bool], *, seconds: float, log: Path) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:]
            state = "did not answer" if process.returncode is None else f"exited {process.returncode}"
            raise ServerDiedError(f"{process.args!r} {state} within {seconds:g} s:\n{tail}")
        time.sleep(POLL_SECONDS)
