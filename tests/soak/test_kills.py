"""Dozens of splits, each killed at random moments, end as an undisturbed one."""

from __future__ import annotations

import gzip
import random
from typing import TYPE_CHECKING

import pytest

from tests.e2e.command import Splitjoin
from tests.e2e.csvs import bulk
from tests.e2e.kills import kept, killed_splits, stored, undisturbed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.s3 import Bucket

MIB = 1024 * 1024
DEATHS = 25
"""Of each kind of split."""


@pytest.mark.soak
@pytest.mark.parametrize(
    "options",
    [
        ("acme.csv.gz", "--chunk-size", "12MiB"),  # parts as the stream comes
        ("acme.csv", "--chunk-size", "3MiB"),  # single PUTs
        ("acme.csv", "--chunk-size", "20MiB", "--compress", "gzip"),  # a writer for each chunk
        ("s3", "--chunk-size", "12MiB"),  # copies on the server
    ],
    ids=["stream", "file", "compress", "copy"],
)
def test_killed_splits_to_s3(tmp_path: Path, bucket: Bucket, options: tuple[str, ...]) -> None:
    """The same objects as undisturbed, manifest bytes included, and no open multipart upload, after each of them."""
    data = bulk(60 * MIB)
    (tmp_path / "acme.csv").write_bytes(data)
    (tmp_path / "acme.csv.gz").write_bytes(gzip.compress(data, 1))
    source, *rest = options
    if source == "s3":
        source = f"{bucket.uri}acme.csv"
        bucket.client().upload_file(str(tmp_path / "acme.csv"), bucket.name, "acme.csv")
    splitjoin = Splitjoin(tmp_path, bucket.env)

    def command(prefix: str) -> tuple[str, ...]:
        return ("split", source, f"{bucket.uri}{prefix}", "--client", "acme", "--date", "d", *rest)

    whole = undisturbed(splitjoin, command("whole/"), lambda: stored(bucket, "whole/"))
    for prefix in killed_splits(splitjoin, command, whole.seconds, deaths=DEATHS, draw=random.Random()):
        assert stored(bucket, prefix) == whole.left
        assert bucket.open_uploads() == []
        for key in bucket.keys(prefix):
            bucket.client().delete_object(Bucket=bucket.name, Key=key)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("size", "options"), [(200 * MIB, ("--chunk-size", "1MiB")), (MIB, ("--rows", "1"))], ids=["large", "many small"]
)
def test_killed_splits_into_a_directory(tmp_path: Path, size: int, options: tuple[str, ...]) -> None:
    """The same files as undisturbed, and no other."""
    (tmp_path / "acme.csv").write_bytes(bulk(size))
    splitjoin = Splitjoin(tmp_path)

    def command(directory: str) -> tuple[str, ...]:
        return ("split", "acme.csv", directory, "--date", "d", *options)

    whole = undisturbed(splitjoin, command("whole"), lambda: kept(tmp_path / "whole"))
    for directory in killed_splits(splitjoin, command, whole.seconds, deaths=2 * DEATHS, draw=random.Random()):
        assert kept(tmp_path / directory) == whole.left
        for path in (tmp_path / directory).iterdir():
            path.unlink()
