"""``--content-encoding``: the header of compressed chunks on S3, which changes nothing for splitjoin itself."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import splitjoin_cli

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.servers.s3 import Bucket

EXPORT = b"id,name\n1,a\n2,b\n3,c\n"


def test_chunks_say_how_they_are_encoded(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And manifests do not; verify, merge and a mended chunk find the same bytes, and the mended one says so too."""
    for name, value in bucket.env.items():
        monkeypatch.setenv(name, value)
    file, tracker = tmp_path / "acme.csv", f"sqlite:{tmp_path / 'jobs.db'}"
    file.write_bytes(EXPORT)
    place = f"{bucket.uri}in/"
    splitjoin_cli.split(file, place, date="1", rows=2, compress="gzip", content_encoding="gzip", tracker=tracker)
    chunk = "in/acme_1-2-2.csv.gz"

    def said(key: str) -> str | None:
        return bucket.client().head_object(Bucket=bucket.name, Key=key).get("ContentEncoding")

    assert (said(chunk), said("in/acme_1.manifest.json")) == ("gzip", None)
    assert splitjoin_cli.verify(place, source=file).to_json()["ok"]
    merged = tmp_path / "merged.csv"
    splitjoin_cli.merge(place, merged)
    assert merged.read_bytes() == EXPORT
    mended = tmp_path / "mended.csv"
    mended.write_bytes(b"id,name\n3,mended\n")
    splitjoin_cli.replace("acme_1", mended, chunk=2, dest=place, tracker=tracker)
    assert said(chunk) == "gzip"
    assert gzip.decompress(bucket.get(chunk)) == mended.read_bytes()
