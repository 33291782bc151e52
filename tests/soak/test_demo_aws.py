"""``make demo-aws``, from its set-up to its end: what it shows is true, and nothing of it stays, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.soak
SECONDS = 600.0


@pytest.fixture
def place() -> Iterator[Path]:
    """Where all temporary directories are made; servers that do not run as root get there."""
    with tempfile.TemporaryDirectory(prefix="splitjoin-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def processes_in(place: Path) -> list[str]:
    """The command lines of all processes that speak of a directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        if str(place) in line:
            found.append(line)
    return found


def test_the_story_is_told(place: Path) -> None:
    """Every row in both databases, one message of each join."""
    inherited = {**os.environ, "TMPDIR": str(place)}
    done = subprocess.run(
        ["make", "demo-aws"], cwd=ROOT, env=inherited, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "Every row of the export is in both databases, once, and each job was joined once."
    assert lines.count("100000 rows, 100000 different ids") == 2
    assert lines.count("1 join message") == 2
    assert (list(place.iterdir()), processes_in(place)) == ([], [])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_it_leaves_nothing(place: Path, number: signal.Signals, code: int) -> None:
    """The servers end, and so does the command among them."""
    began = place / "began"
    command = [sys.executable, "-m", "examples.aws_servers", "bash", "-c", f"touch {began}; sleep 600 & wait"]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "TMPDIR": str(place)})
    deadline = time.monotonic() + SECONDS
    while not began.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(number)
    assert process.wait(60) == code
    began.unlink()
    assert (list(place.iterdir()), processes_in(place)) == ([], [])
