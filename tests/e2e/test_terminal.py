"""What the command says while it works: bars on a terminal, bounded lines in a log, nothing with -q; help at once."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli import __version__
from tests.e2e.command import COMMAND
from tests.e2e.csvs import bulk

if TYPE_CHECKING:
    from tests.e2e.command import Splitjoin
    from tests.servers.proxy import Proxy
    from tests.servers.s3 import Bucket

MIB = 1024 * 1024
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
HEAVY = {"numpy", "boto3", "botocore", "awscrt", "smart_open", "rich", "isal", "requests", "backports.zstd", "jinja2"}


def on_a_terminal(splitjoin: Splitjoin, *arguments: str, **env: str) -> tuple[int, str, str]:
    """Run it with stderr on a pseudo-terminal: exit code, stdout, what the terminal got without its escapes."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, *arguments],
        cwd=splitjoin.directory,
        env=splitjoin.environment(TERM="xterm-256color", COLUMNS="120", **env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            block = os.read(ours, 65536)
        except OSError:  # the other side is closed: Linux says EIO
            break
        if not block:
            break
        seen += block
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out.decode(), ESCAPES.sub("", seen.decode())


def test_bars_on_a_terminal(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """A bar says the phase, n of N chunks, bytes of bytes, rate and time left; stdout has the manifest alone."""
    (splitjoin_s3.directory / "acme.csv").write_bytes(bulk(8 * MIB))
    proxy.bytes_per_second = 4.0 * MIB
    command = ("split", "acme.csv", bucket.uri, "--date", "d", "--chunk-size", "1MiB", "--jobs", "1")
    code, out, seen = on_a_terminal(splitjoin_s3, *command, AWS_ENDPOINT_URL_S3=proxy.url)
    assert (code, out) == (0, f"{bucket.uri}acme_d.manifest.json\n")
    drawn = re.split(r"[\r\n]+", seen)
    between = [line for line in drawn if line.startswith("uploading") and re.search(r"\b[2-6] of 8 chunks", line)]
    assert between
    told = r" +\d+ % +[2-6] of 8 chunks +\d\.\d MiB of 7\.9 MiB +(\d+\.\d [KM]iB|\?)/s +(\d\.\d s|\?) left"
    assert any(re.search(told, line) for line in between), between
    assert "8 chunks, " in drawn[-2]


def test_lines_without_a_terminal(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """In a log each phase is two lines, with one each ten seconds between; no escape, no carriage return."""
    (splitjoin_s3.directory / "acme.csv").write_bytes(bulk(4 * MIB))
    proxy.bytes_per_second = 4.0 * MIB
    command = ("split", "acme.csv", bucket.uri, "--date", "d", "--chunk-size", "100KB")
    ran = splitjoin_s3.ok(*command, AWS_ENDPOINT_URL_S3=proxy.url)
    patterns = (
        r"scanning 4\.0 MiB",
        r"scanning done: 4\.0 MiB in \d+\.\d s",
        r"uploading 42 chunks, 4\.0 MiB",
        r"uploading done: 42 chunks, 4\.0 MiB in \d+\.\d s",
        r"42 chunks, [\d,]+ rows, 4\.0 MiB: 42 uploaded, 0 skipped in \d+\.\d s",
    )
    lines = ran.stderr.splitlines()
    assert len(lines) == len(patterns)
    for pattern, line in zip(patterns, lines, strict=True):
        assert re.fullmatch(pattern, line), line
    assert ran.stdout == f"{bucket.uri}acme_d.manifest.json\n"


def test_quiet_and_verbose(splitjoin: Splitjoin) -> None:
    """-q says nothing but errors; -v names each chunk; stdout is the same for all."""
    (splitjoin.directory / "acme.csv").write_bytes(bulk(MIB))
    command = ("split", "acme.csv", "out", "--date", "d", "--chunks", "3")
    manifest = f"{splitjoin.directory}/out/acme_d.manifest.json\n"
    quiet, verbose = splitjoin.ok(*command, "-q"), splitjoin.ok(*command, "-v")
    assert (quiet.stdout, quiet.stderr) == (manifest, "")
    assert verbose.stdout == manifest
    for number in (1, 2, 3):
        assert f"\nchunk {number} skipped\n" in verbose.stderr
    failed = splitjoin("split", "nothing.csv", "out", "-q")
    assert (failed.code, failed.stdout, failed.stderr.splitlines()[0][:7]) == (1, "", "Error: ")
    (splitjoin.directory / "ragged.csv").write_bytes(b"a,b\n1,2\n1,2,3\n")
    assert splitjoin.ok("split", "ragged.csv", "out", "-q").stderr == ""


@pytest.mark.parametrize(
    "arguments", [("--help",), ("split", "--help"), ("--version",), ("verify", "-h")], ids=" ".join
)
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    """Help and version are there at once: nothing that takes long to import is imported for them."""
    asked = (
        "import sys\n"
        "from splitjoin_cli.cli.run import run\n"
        "code = run(sys.argv[1:])\n"
        "sys.stderr.write(' '.join(sys.modules))\n"
        "sys.exit(code)\n"
    )
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", asked, *arguments], capture_output=True, text=True, check=False)
    sys.stderr.write(f"{' '.join(arguments)}: {time.perf_counter() - began:.3f} s\n")  # shown by -rA, not judged
    assert done.returncode == 0
    assert HEAVY.intersection(done.stderr.split()) == set()


def test_version_and_module(splitjoin: Splitjoin) -> None:
    """The command and the module are one."""
    assert splitjoin.ok("--version").stdout == f"splitjoin {__version__}\n"
    done = subprocess.run(
        [sys.executable, "-m", "splitjoin_cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"splitjoin {__version__}\n"


def test_options_in_the_environment(splitjoin: Splitjoin) -> None:
    """Every option has a variable, and a typed one beats an exclusive one from the environment."""
    (splitjoin.directory / "acme.csv").write_bytes(b"n\n1\n2\n3\n4\n")
    told = splitjoin.within(SPLITJOIN_CHUNK_SIZE="4", SPLITJOIN_DATE="d", SPLITJOIN_JSON="1", SPLITJOIN_QUIET="1")
    by_size = told.ok("split", "acme.csv", "size")
    assert (by_size.document["total_parts"], by_size.document["file_name"], by_size.stderr) == (4, "acme_d", "")
    assert told.ok("split", "acme.csv", "rows", "--rows", "2").document["total_parts"] == 2
