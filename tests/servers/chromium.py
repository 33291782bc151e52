"""A headless Chromium for tests: Debian's, installed or fetched into .cache by ``make servers``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.servers.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

FETCHED = ROOT / ".cache" / "chromium"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
DARK = "--blink-settings=preferredColorScheme=0"
LIGHT = "--blink-settings=preferredColorScheme=1"
SECONDS = 60.0
_OWN = re.compile(r"(^|\.)(google|googleapis|gstatic|gvt1|chromium)\.(com|org)$")
"""Hosts that Chromium asks for its own sake, now and then, whatever is open: none is reached from here."""
_URL = re.compile(r'"url":"((?:https?|wss?|ftp)://[^"]*)"')


@dataclass(frozen=True, slots=True)
class Visit:
    """``dom``: of the page once it was loaded. ``console``: what it said there. ``hosts``: that it asked for."""

    dom: str
    console: tuple[str, ...]
    hosts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Browser:
    """The program, and what its environment needs where it was fetched."""

    program: Path
    env: Mapping[str, str]

    def visit(self, page: Path, *, dark: bool = False) -> Visit:
        """Open a file."""
        with tempfile.TemporaryDirectory() as directory:
            log = Path(directory, "net.json")
            done = self._run(directory, page, f"--log-net-log={log}", DARK if dark else LIGHT, "--dump-dom")
            found = _URL.findall(log.read_text(errors="replace"))
        console = tuple(line for line in done.stderr.splitlines() if "CONSOLE" in line)
        hosts = {urlsplit(url).hostname or "" for url in found}
        return Visit(done.stdout, console, frozenset(host for host in hosts if not _OWN.search(host)))

    def shoot(self, page: Path, picture: Path, *, width: int, height: int = 1200, dark: bool = False) -> bytes:
        """Its picture, a PNG."""
        with tempfile.TemporaryDirectory() as directory:
            size = f"--window-size={width},{height}"
            self._run(directory, page, size, DARK if dark else LIGHT, f"--screenshot={picture}")
        return picture.read_bytes()

    def print(self, page: Path, paper: Path) -> bytes:
        """What would be printed, as a PDF."""
        with tempfile.TemporaryDirectory() as directory:
            self._run(directory, page, "--no-pdf-header-footer", f"--print-to-pdf={paper}")
        return paper.read_bytes()

    def _run(self, directory: str, page: Path, *flags: str) -> subprocess.CompletedProcess[str]:
        profile = f"--user-data-dir={directory}/profile"
        return subprocess.run(
            [self.program, *FLAGS, profile, *flags, page.resolve().as_uri()],
            env={**os.environ, **self.env, "HOME": directory},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )


@pytest.fixture(scope="session")
def browser() -> Browser:
    """Skips where there is no Chromium; CI then fails."""
    fetched = FETCHED / "usr" / "lib" / "chromium" / "chromium"
    if fetched.exists():
        libraries = [str(path) for path in (FETCHED / "usr" / "lib").glob("*-linux-gnu*")]
        libraries += [str(path) for path in (FETCHED / "lib").glob("*-linux-gnu*")]
        nested = [f"{path}/{name}" for path in libraries for name in ("pulseaudio", "blas", "lapack")]
        env = {
            "LD_LIBRARY_PATH": ":".join([str(fetched.parent), *libraries, *nested]),
            "FONTCONFIG_FILE": str(FETCHED / "fonts.conf"),
        }
        return Browser(fetched, env)
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium: make servers fetches it where there is an apt-get")
    return Browser(Path(program), {})
