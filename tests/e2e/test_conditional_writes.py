"""A bucket whose policy demands conditional writes: every command that stores an object works in it.

S3 user guide, "Enforce conditional writes on Amazon S3 buckets": what makes an object visible without ``If-None-Match``
or ``If-Match`` is 403. The proxy refuses as such a policy does.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest

import splitjoin_cli
from splitjoin_cli.api.rm import rm
from splitjoin_cli.core.errors import AccessError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.proxy import Asked, Proxy
    from tests.servers.s3 import Bucket

pytestmark = pytest.mark.server

CONDITIONS = {"if-none-match", "if-match"}


def unconditional(asked: Asked) -> tuple[int, str] | None:
    """Refuse what makes an object without a condition: PutObject, CopyObject, CompleteMultipartUpload."""
    puts = asked.method == "PUT" and "partNumber" not in asked.query and bool(asked.key)
    completes = asked.method == "POST" and "uploadId" in asked.query
    return (403, "AccessDenied") if (puts or completes) and not CONDITIONS & asked.headers else None


@pytest.fixture
def guarded(bucket: Bucket, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place in it."""
    for name, value in (bucket.env | {"AWS_ENDPOINT_URL_S3": proxy.url}).items():
        monkeypatch.setenv(name, value)
    proxy.refuse = unconditional
    return f"{bucket.uri}in/"


def export(rows: int, seed: int = 1) -> bytes:
    """One that hardly compresses."""
    noise = random.Random(seed)
    return b"id,name\n" + b"".join(b"%d,%s\n" % (row, noise.randbytes(250).hex().encode()) for row in range(rows))


@pytest.mark.parametrize("rows", [40, pytest.param(24_000, marks=pytest.mark.soak)])
def test_every_command_stores_on_condition(rows: int, guarded: str, bucket: Bucket, tmp_path: Path) -> None:
    """Streamed, replaced, mended, merged, removed; and what is large in parts, and copied within the store."""
    file, other = tmp_path / "acme.csv", tmp_path / "other.csv"
    file.write_bytes(export(rows))
    other.write_bytes(export(rows, seed=2))
    done = splitjoin_cli.split(file, guarded, client="acme", date="1", chunks=1, compress="gzip")
    assert done.to_json()["failed"] == 0
    replaced = splitjoin_cli.split(other, guarded, client="acme", date="1", chunks=2, force=True)
    assert (replaced.to_json()["failed"], replaced.to_json()["uploaded"]) == (0, 2)
    merged = splitjoin_cli.merge(guarded, f"{bucket.uri}merged.csv")
    assert merged.size_bytes == other.stat().st_size
    copied = splitjoin_cli.split(f"{bucket.uri}merged.csv", f"{bucket.uri}copies/", date="1", chunks=1)
    assert copied.to_json()["failed"] == 0
    chunk = tmp_path / "mended.csv"
    chunk.write_bytes(bucket.get("in/acme_1-1-2.csv") + b"24001,mended\n")
    tracker = f"sqlite:{tmp_path / 'jobs.db'}"
    splitjoin_cli.split(other, guarded, client="acme", date="1", chunks=2, tracker=tracker)
    splitjoin_cli.replace("acme_1", chunk, chunk=1, dest=guarded, tracker=tracker)
    assert json.loads(bucket.get("in/acme_1.manifest.json"))["chunks"][0]["mended"]
    assert rm(guarded, name="acme_1", force=True).removed == 3
    assert bucket.keys() == ["copies/merged_1-1-1.csv", "copies/merged_1.manifest.json", "merged.csv"]


def test_what_such_a_bucket_refuses_is_named(guarded: str, bucket: Bucket, proxy: Proxy, tmp_path: Path) -> None:
    """A store that refuses the conditions themselves leaves nothing to be done: the right that is missing is said."""
    file = tmp_path / "acme.csv"
    file.write_bytes(export(10))
    proxy.refuse = lambda asked: (403, "AccessDenied") if asked.method == "PUT" and asked.key else None
    with pytest.raises(AccessError) as caught:
        splitjoin_cli.split(file, guarded, client="acme", date="1")
    assert caught.value.hint == "the identity in use needs s3:PutObject"
    assert bucket.keys() == []
