"""Splits onto S3: from files, streams and compressed exports, with checksums that the store holds too."""

from __future__ import annotations

import base64
import bz2
import datetime as dt
import gzip
import json
import lzma
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.command import Splitjoin
from tests.e2e.csvs import bulk, check, export
from tests.stores.sources.http_server import serving

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd
from tests.seldom import seldom

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.proxy import Asked, Proxy
    from tests.servers.s3 import Bucket

EXPORT = export(3000)
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd.compress,
}
DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".csv": bytes,
    ".gz": gzip.decompress,
    ".zst": zstd.decompress,
}


def reader(bucket: Bucket, prefix: str) -> Callable[[str], bytes]:
    """What gives the bytes of a chunk under ``prefix``, decompressed."""
    return lambda name: DECOMPRESS[Path(name).suffix](bucket.get(prefix + name))


def names(result: dict[str, Any]) -> list[str]:
    """The objects that a split must have left, sorted."""
    return sorted([*(chunk["name"] for chunk in result["chunks"]), f"{result['file_name']}.manifest.json"])


@pytest.mark.parametrize(
    "size", [("--chunk-size", "20KB"), seldom(("--chunks", "7")), seldom(("--rows", "1000"))], ids=str
)
def test_file_to_s3(splitjoin_s3: Splitjoin, bucket: Bucket, size: tuple[str, str]) -> None:
    """Chunks and manifest are there, and nothing else; each says what it is, under a checksum that the store keeps."""
    (splitjoin_s3.directory / "acme.csv").write_bytes(EXPORT)
    result = splitjoin_s3.json("split", "acme.csv", f"{bucket.uri}in", "--date", "d", *size)
    check(result, EXPORT, reader(bucket, "in/"))
    assert bucket.keys("") == [f"in/{name}" for name in names(result)]
    assert result["destination"] == f"{bucket.uri}in/"
    for chunk in result["chunks"]:
        assert chunk["uri"] == f"{bucket.uri}in/{chunk['name']}"
        head = bucket.client().head_object(Bucket=bucket.name, Key=f"in/{chunk['name']}", ChecksumMode="ENABLED")
        assert chunk["checksum"] == f"crc64nvme:{head['ChecksumCRC64NVME']}"
        said = json.loads(head["Metadata"]["splitjoin"])
        expected = {"run_id": result["run_id"], "number": chunk["number"], "rows": chunk["rows"]}
        assert expected.items() <= said.items()
        assert (said["start"], said["end"], said["total"]) == (chunk["start"], chunk["end"], result["total_parts"])
    assert splitjoin_s3.json("verify", f"{bucket.uri}in/", "--source", "acme.csv") == {
        "file_name": "acme_d", "ok": True, "problems": [], "mended": [],
    }  # fmt: skip
    assert splitjoin_s3.ok("merge", f"{bucket.uri}in/", "-").out == EXPORT


def test_bucket_without_prefix_and_names_of_other_scripts(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """A bucket alone is a destination, and a client may be written in any script."""
    (splitjoin_s3.directory / "кириллица.csv").write_bytes(EXPORT)
    result = splitjoin_s3.json("split", "кириллица.csv", f"s3://{bucket.name}", "--date", "2024-01-31")
    check(result, EXPORT, reader(bucket, ""))
    assert bucket.keys("") == ["кириллица_2024-01-31-1-1.csv", "кириллица_2024-01-31.manifest.json"]


@pytest.mark.parametrize("suffix", ["gz", *map(seldom, sorted(COMPRESS.keys() - {"gz"}))])
def test_compressed_export_to_s3(splitjoin_s3: Splitjoin, bucket: Bucket, suffix: str) -> None:
    """A compressed export is split as the one inside it."""
    (splitjoin_s3.directory / f"acme.csv.{suffix}").write_bytes(COMPRESS[suffix](EXPORT))
    result = splitjoin_s3.json("split", f"acme.csv.{suffix}", bucket.uri, "--date", "d", "--chunk-size", "30KB")
    check(result, EXPORT, reader(bucket, ""))
    assert (result["file_name"], bucket.keys("")) == ("acme_d", names(result))


@pytest.mark.parametrize(("compress", "suffix"), [("gzip", ".csv.gz"), seldom("zstd", ".csv.zst")])
def test_compressed_chunks_on_s3(splitjoin_s3: Splitjoin, bucket: Bucket, compress: str, suffix: str) -> None:
    """Compressed chunks hold the same records, and what is said of sizes and checksums is of the stored objects."""
    (splitjoin_s3.directory / "acme.csv").write_bytes(EXPORT)
    options = ("--date", "d", "--chunk-size", "30KB", "--compress", compress)
    result = splitjoin_s3.json("split", "acme.csv", bucket.uri, *options)
    check(result, EXPORT, reader(bucket, ""))
    assert bucket.keys("") == [*(f"acme_d-{number}-3{suffix}" for number in (1, 2, 3)), "acme_d.manifest.json"]
    for chunk in result["chunks"]:
        head = bucket.client().head_object(Bucket=bucket.name, Key=chunk["name"], ChecksumMode="ENABLED")
        assert chunk["stored_bytes"] == head["ContentLength"] < chunk["bytes"]
        assert chunk["checksum"] == f"crc64nvme:{head['ChecksumCRC64NVME']}"
    assert splitjoin_s3.json("verify", bucket.uri, "--source", "acme.csv")["ok"] is True


def test_standard_input_to_s3_in_parts(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """A pipe of several times the part size is stored as it came, and no multipart upload stays open."""
    data = bulk(40_000_000)
    options = ("--client", "acme", "--date", "d", "--chunk-size", "18MiB")
    result = splitjoin_s3.json("split", "-", bucket.uri, *options, stdin=gzip.compress(data, 1))
    assert result["total_parts"] == 3
    assert bucket.open_uploads() == []
    assert splitjoin_s3.ok("merge", bucket.uri, "-", "-q").out == data


def test_http_export_with_a_secret_in_its_url(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """A web server that knows no ranges is read twice; its URL's secrets are in no manifest and no metadata."""
    with serving(EXPORT) as resource:
        resource.ranges = False
        ran = splitjoin_s3.ok(
            "split", f"{resource.url}?token=hush", bucket.uri, "--date", "d", "--chunks", "3", "--json", "-v"
        )
    check(ran.document, EXPORT, reader(bucket, ""))
    kept = b"".join(bucket.get(key) for key in bucket.keys(""))
    metadata = str([bucket.client().head_object(Bucket=bucket.name, Key=key)["Metadata"] for key in bucket.keys("")])
    assert "hush" not in ran.stdout + ran.stderr + metadata
    assert b"hush" not in kept


def test_object_options_reach_the_objects(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """Tags are on every chunk, also where a value holds what URLs must escape."""
    (splitjoin_s3.directory / "acme.csv").write_bytes(EXPORT)
    options = ("--date", "d", "--chunks", "2", "--tag", "team=a & b", "--tag", "cost=7")
    result = splitjoin_s3.json("split", "acme.csv", bucket.uri, *options)
    for name in names(result):
        tags = bucket.client().get_object_tagging(Bucket=bucket.name, Key=name)["TagSet"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "a & b", "cost": "7"}


def test_endpoint_of_a_profile(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """A profile of the AWS CLI's files gives endpoint and keys; a variable beats it, and --endpoint-url beats both."""
    (splitjoin_s3.directory / "acme.csv").write_bytes(EXPORT)
    server = bucket.server
    config = splitjoin_s3.directory / "config"
    config.write_text(
        f"[profile compatible]\naws_access_key_id = {server.access_key}\naws_secret_access_key = {server.secret_key}\n"
        f"region = {server.region}\nservices = here\n[services here]\ns3 =\n  endpoint_url = {server.endpoint_url}\n"
    )
    bare = Splitjoin(splitjoin_s3.directory, {"AWS_CONFIG_FILE": str(config), "AWS_EC2_METADATA_DISABLED": "true"})
    chosen = bare.within(AWS_PROFILE="compatible")
    command = ("split", "acme.csv", bucket.uri, "--date")
    assert chosen.json(*command, "1")["uploaded"] == 1
    assert bare.json(*command, "2", "--profile", "compatible")["uploaded"] == 1
    elsewhere = chosen.within(AWS_ENDPOINT_URL_S3="http://127.0.0.1:9")
    beaten = elsewhere(*command, "3", "--json")
    assert (beaten.code, "127.0.0.1:9" in beaten.error["message"]) == (1, True)
    assert elsewhere.json(*command, "4", "--endpoint-url", server.endpoint_url)["uploaded"] == 1


def test_store_that_does_not_know_the_checksums(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """A compatible store that refuses the checksum's header gets what it knows, and botocore adds no trailer to it."""
    seen: list[str] = []

    def old_store(asked: Asked) -> tuple[int, str] | None:
        if "uploads" not in asked.query:  # an upload is begun with what it wants to be told, before the scan
            seen.extend(name for name in asked.headers if "checksum" in name or "trailer" in name)
        return (501, "NotImplemented") if "x-amz-checksum-crc64nvme" in asked.headers else None

    proxy.refuse = old_store
    (splitjoin_s3.directory / "acme.csv").write_bytes(EXPORT)
    command = ("split", "acme.csv", bucket.uri, "--date", "d", "--chunks", "5")
    result = splitjoin_s3.json(*command, AWS_ENDPOINT_URL_S3=proxy.url)
    check(result, EXPORT, reader(bucket, ""))
    assert set(seen) <= {"x-amz-checksum-crc64nvme", "x-amz-checksum-mode"}
    chunk = result["chunks"][0]
    assert len(base64.b64decode(chunk["checksum"].removeprefix("crc64nvme:"))) == 8


def test_other_content_on_s3_is_not_overwritten(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """Exit 11 names both runs and changes nothing; --force replaces the run and removes chunks it has no use for."""
    source = splitjoin_s3.directory / "acme.csv"
    source.write_bytes(EXPORT)
    command = ("split", "acme.csv", bucket.uri, "--date", "d")
    first = splitjoin_s3.json(*command, "--chunks", "9")
    before = {key: bucket.get(key) for key in bucket.keys("")}
    source.write_bytes(export(300, seed=3))
    refused = splitjoin_s3(*command, "--chunks", "2", "--json")
    assert refused.code == 11
    assert first["run_id"] in refused.error["message"]
    assert before == {key: bucket.get(key) for key in bucket.keys("")}
    second = splitjoin_s3.json(*command, "--chunks", "2", "--force")
    check(second, export(300, seed=3), reader(bucket, ""))
    assert bucket.keys("") == names(second)


def test_manifest_on_s3_is_the_same_bytes(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """Under any prefix, with any parallelism, at any time: the same bytes; a run with nothing to do leaves it alone."""
    (splitjoin_s3.directory / "acme.csv").write_bytes(EXPORT)
    for prefix, jobs in (("a/", "1"), ("b/", "16")):
        splitjoin_s3.ok("split", "acme.csv", bucket.uri + prefix, "--date", "d", "--chunk-size", "5KB", "--jobs", jobs)
    assert bucket.get("a/acme_d.manifest.json") == bucket.get("b/acme_d.manifest.json")
    before = bucket.client().head_object(Bucket=bucket.name, Key="a/acme_d.manifest.json")["LastModified"]
    again = splitjoin_s3.json("split", "acme.csv", f"{bucket.uri}a/", "--date", "d", "--chunk-size", "5KB")
    assert (again["uploaded"], again["skipped"]) == (0, again["total_parts"])
    after = bucket.client().head_object(Bucket=bucket.name, Key="a/acme_d.manifest.json")["LastModified"]
    assert after == before


def test_a_yesterday_that_was_not_finished_is_resumed(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """A cron job past midnight does not begin a second split of the same content: exit 11 says how to resume."""
    (splitjoin_s3.directory / "acme.csv").write_bytes(EXPORT)
    proxy.refuse = lambda asked: (403, "AccessDenied") if "-2-3" in asked.key else None
    command = ("split", "acme.csv", bucket.uri, "--chunks", "3", "--json")
    today = dt.datetime.now(tz=dt.UTC).date()
    yesterday = f"{today - dt.timedelta(1):%Y%m%d}"
    partial = splitjoin_s3(*command, "--date", yesterday, AWS_ENDPOINT_URL_S3=proxy.url)
    assert partial.code == 3
    refused = splitjoin_s3(*command)
    assert refused.code == 11
    assert f"to resume it, type: splitjoin split --client=acme --date={yesterday} " in refused.error["hint"]
    assert {key.partition("-")[0].partition(".")[0] for key in bucket.keys("")} == {f"acme_{yesterday}"}
    splitjoin_s3.ok(*command, "--date", yesterday)
    done = splitjoin_s3(*command)
    assert (done.code, done.error["message"].partition(" (run ")[0]) == (
        11,
        f"{bucket.uri} has a finished split of the same content, of {yesterday}",
    )
    splitjoin_s3.ok(*command, "--run-label", "again")
