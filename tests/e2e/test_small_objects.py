"""Many small chunks on S3: one request each for verify and merge, and every damage is found as ever."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.command import Splitjoin
    from tests.servers.proxy import Proxy
    from tests.servers.s3 import Bucket

pytestmark = pytest.mark.server

ROWS = 30
EXPORT = b"id,note\n" + b"".join(b"%d,text\n" % number for number in range(ROWS))


def of_chunks(proxy: Proxy) -> Counter[str]:
    """The requests for chunks by method, each key's own being the same; the others are counted as such."""
    asked = Counter((one.method, one.key) for one in proxy.requests if one.key.endswith(".csv"))
    assert set(asked.values()) <= {1, 2}
    found = Counter(method for method, _ in asked.elements())
    found["others"] = sum(not one.key.endswith(".csv") for one in proxy.requests)
    proxy.requests.clear()
    return found


def test_a_small_chunk_is_one_request(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """Verify and merge, into a file, to standard output and onto S3; the header of a merge costs one chunk's more."""
    (splitjoin_s3.directory / "acme.csv").write_bytes(EXPORT)
    place = f"{bucket.uri}in"
    splitjoin_s3.ok("split", "acme.csv", place, "--date", "d", "--rows", "1")
    proxy.requests.clear()
    report = splitjoin_s3.json("verify", place, AWS_ENDPOINT_URL_S3=proxy.url)
    assert report["ok"] is True
    asked = of_chunks(proxy)
    assert asked["GET"] == ROWS
    assert asked["HEAD"] == 0
    assert asked["others"] <= 8
    for out in ("out.csv", "-", f"{bucket.uri}merged/out"):
        splitjoin_s3.ok("merge", place, out, AWS_ENDPOINT_URL_S3=proxy.url)
        asked = of_chunks(proxy)
        assert (asked["GET"], asked["HEAD"]) == (ROWS + 1, 1)
    assert (splitjoin_s3.directory / "out.csv").read_bytes() == bucket.get("merged/out") == EXPORT


def test_damage_is_found_as_one_by_one(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """Another byte, another size, another chunk's metadata, none at all, and one that is gone."""
    (splitjoin_s3.directory / "acme.csv").write_bytes(EXPORT)
    splitjoin_s3.ok("split", "acme.csv", f"{bucket.uri}in", "--date", "d", "--rows", "1")
    client: Any = bucket.client()

    def name(number: int) -> str:
        return f"acme_d-{number:02}-{ROWS}.csv"

    def change(number: int, old: bytes, new: bytes, *, metadata_of: int | None) -> None:
        key = f"in/{name(number)}"
        data = bucket.get(key).replace(old, new)
        kept: dict[str, str] = {}
        if metadata_of is not None:
            kept = client.head_object(Bucket=bucket.name, Key=f"in/{name(metadata_of)}")["Metadata"]
        client.put_object(Bucket=bucket.name, Key=key, Body=data, Metadata=kept)

    change(5, b"text", b"TEXT", metadata_of=5)
    change(6, b"text", b"texts", metadata_of=6)
    change(7, b"x", b"x", metadata_of=8)
    change(8, b"x", b"x", metadata_of=None)
    client.delete_object(Bucket=bucket.name, Key=f"in/{name(9)}")
    ran = splitjoin_s3("verify", f"{bucket.uri}in", "--json")
    found = [(problem["number"], problem["kind"]) for problem in ran.document["problems"]]
    assert found == [(5, "checksum"), (6, "size"), (6, "coverage"), (6, "checksum"), (7, "metadata"), (9, "missing")]
