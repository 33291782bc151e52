"""Exports of 4 GiB, and a record of 1 GiB among ordinary ones: memory stays flat, whatever the sizes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks import measure
from tests.e2e.command import COMMAND, Splitjoin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.s3 import Bucket

GIB = 1024**3
MIB = 1024 * 1024
MOST_PEAK_BYTES = 200 * MIB
ROOT = Path(__file__).resolve().parents[2]
PEAK = """
import re, sys
from pathlib import Path
from splitjoin_cli.cli.run import run
code = run(sys.argv[1:])
sys.stderr.write(re.search(r"VmHWM:[ \\t]*([0-9]+) kB", Path("/proc/self/status").read_text())[1])
sys.exit(code)
"""
LARGE_RECORD = """\
import sys
with open(sys.argv[1], "wb") as file:
    file.write(b"id,name,note\\n")
    ordinary = b"".join(b'%d,name,"two\\nlines"\\n' % number for number in range(100_000))
    for _ in range(60):
        file.write(ordinary)
    file.write(b'7,name,"')
    for _ in range(1024):
        file.write(b"0123456789abcde\\n" * (1 << 16))
    file.write(b'"\\n')
    for _ in range(60):
        file.write(ordinary)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """4 GiB with newlines in quotes; written by another process, so that this one stays small (see measure)."""
    path = tmp_path_factory.mktemp("large") / "acme.csv"
    subprocess.run([sys.executable, "-m", "benchmarks.data", path, str(4 * GIB)], cwd=ROOT, check=True)
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def large_record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Twelve million ordinary records, and one of 1 GiB in their middle."""
    path = tmp_path_factory.mktemp("record") / "acme.csv"
    subprocess.run([sys.executable, "-c", LARGE_RECORD, path], check=True)
    yield path
    path.unlink()


@contextlib.contextmanager
def discarding() -> Iterator[str]:
    """The URL of an S3 server that reads and forgets: what is measured is the client."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.discard_server"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.kill()


def split(splitjoin: Splitjoin, *arguments: str | Path, **env: str) -> measure.Usage:
    """Split; say what it took, and hold its peak memory to the limit."""
    command = [str(COMMAND), "split", *map(str, arguments), "--client", "acme", "--date", "d", "-q"]
    log = splitjoin.directory / "log"
    usage = measure.run_apart(command, env=splitjoin.environment(**env), log=log)
    size = Path(arguments[0]).stat().st_size
    rate = size / usage.seconds / MIB
    said = " ".join(str(argument) for argument in arguments[1:])
    print(  # noqa: T201 -- what a soak is asked for
        f"\n{size / GIB:.2f} GiB to {said}: {usage.seconds:.1f} s, {rate:.0f} MiB/s, {usage.cpu_seconds:.1f} s CPU, "
        f"peak {usage.peak_bytes / MIB:.0f} MiB"
    )
    assert usage.peak_bytes < MOST_PEAK_BYTES
    return usage


def empty(directory: Path) -> None:
    """Give the disk its space back at once."""
    for path in directory.iterdir():
        path.unlink()


@pytest.mark.soak
@pytest.mark.parametrize("compress", ["none", "zstd"])
def test_four_gibibytes_into_a_directory(tmp_path: Path, large: Path, compress: str) -> None:
    """Local to local: flat memory, and the chunks are the export."""
    splitjoin, out = Splitjoin(tmp_path), tmp_path / "out"
    split(splitjoin, large, out, "--compress", compress)
    assert splitjoin.ok("verify", out, "--source", large).code == 0
    empty(out)


@pytest.mark.soak
@pytest.mark.parametrize("options", [(), ("--compress", "gzip"), ("--chunk-size", "2GiB")], ids=" ".join)
def test_four_gibibytes_to_a_store_that_forgets(tmp_path: Path, large: Path, options: tuple[str, ...]) -> None:
    """Local to S3 as single PUTs, as streams, and in parts: flat memory, measured without the store's own work."""
    env = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
    with discarding() as url:
        split(Splitjoin(tmp_path, env), large, "s3://bucket/in/", *options, AWS_ENDPOINT_URL_S3=url)


@pytest.mark.soak
def test_four_gibibytes_to_s3(tmp_path: Path, large: Path, bucket: Bucket) -> None:
    """Local to a server that stores: flat memory, and what is stored is the export."""
    splitjoin = Splitjoin(tmp_path, bucket.env)
    split(splitjoin, large, bucket.uri)
    assert bucket.open_uploads() == []
    verified = measure.run_apart(
        [str(COMMAND), "verify", bucket.uri, "-q"], env=splitjoin.environment(), log=tmp_path / "log"
    )
    assert verified.peak_bytes < MOST_PEAK_BYTES
    for key in bucket.keys(""):
        bucket.client().delete_object(Bucket=bucket.name, Key=key)


@pytest.mark.soak
@pytest.mark.parametrize("options", [(), ("--strict",)], ids=" ".join)
def test_a_record_of_one_gibibyte_into_a_directory(
    tmp_path: Path, large_record: Path, options: tuple[str, ...]
) -> None:
    """It is alone in its chunk, and memory does not grow by it."""
    splitjoin, out = Splitjoin(tmp_path), tmp_path / "out"
    split(splitjoin, large_record, out, "--chunk-size", "64MiB", *options)
    assert max(path.stat().st_size for path in out.iterdir()) > GIB
    assert splitjoin.ok("verify", out, "--source", large_record).code == 0
    empty(out)


@pytest.mark.soak
@pytest.mark.parametrize("compress", ["none", "gzip"])
def test_a_record_of_one_gibibyte_to_s3(tmp_path: Path, large_record: Path, compress: str) -> None:
    """The same onto S3, in parts, compressed or not."""
    env = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
    with discarding() as url:
        options = ("--chunk-size", "64MiB", "--compress", compress)
        split(Splitjoin(tmp_path, env), large_record, "s3://bucket/in/", *options, AWS_ENDPOINT_URL_S3=url)


@pytest.mark.soak
@pytest.mark.parametrize("into", ["sqlite:sales.db", "duckdb:sales.duckdb"])
def test_a_record_of_one_gibibyte_is_refused_by_loaders(tmp_path: Path, large_record: Path, into: str) -> None:
    """The split warns of it; loading takes a few times the most that a record may be, and all others are loaded."""
    splitjoin = Splitjoin(tmp_path)
    ran = splitjoin.ok("split", large_record, "out", "--client", "acme", "--date", "d", "--chunk-size", "1100MiB")
    said = "1 record is larger than 256MiB (line 12000002): a worker loads it only with a larger --max-record"
    assert said in ran.stderr
    arguments = ["simulate", "out", "--into", into, "--max-record", "64MiB", "--json", "-q"]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["rows_expected"] - document["rows_loaded"] < 4_000_000  # those of its chunk
    peak = int(done.stderr.split()[-1]) * 1024
    print(f"\n{into}: peak {peak / MIB:.0f} MiB")  # noqa: T201 -- what a soak is asked for
    assert peak < 8 * 64 * MIB
