"""Exports that lie on S3: into a directory, into another bucket, and copied within one store.

A proxy in front of the store counts the bytes of bodies in both directions.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from tests.e2e.csvs import bulk, check, export
from tests.seldom import seldom
from tests.servers.s3 import Bucket

if TYPE_CHECKING:
    from tests.e2e.command import Splitjoin
    from tests.servers.proxy import Asked, Proxy

MIB = 1024 * 1024
EXPORT = export(3000)
SENT_BYTES = 5 * MIB
"""Of each copied chunk: S3 takes no first part below it, and the header is no part of the source at that place."""


@pytest.fixture
def other(bucket: Bucket) -> Bucket:
    """Another bucket in the same store."""
    name = f"other-{secrets.token_hex(8)}"
    bucket.client().create_bucket(Bucket=name)
    return Bucket(name, bucket.server)


def put(bucket: Bucket, data: bytes) -> str:
    """Put an export there; its URI."""
    bucket.client().put_object(Bucket=bucket.name, Key="2024/acme.csv", Body=data)
    return f"{bucket.uri}2024/acme.csv"


def test_to_a_directory(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """An export on S3 becomes the chunks that the local file would, and is read once."""
    uri = put(bucket, EXPORT)
    (splitjoin_s3.directory / "acme.csv").write_bytes(EXPORT)
    options = ("--date", "d", "--chunk-size", "9KB")
    result = splitjoin_s3.json("split", uri, "out", *options, AWS_ENDPOINT_URL_S3=proxy.url)
    check(result, EXPORT, lambda name: (splitjoin_s3.directory / "out" / name).read_bytes())
    local = splitjoin_s3.json("split", "acme.csv", "local", *options)
    kept = ("run_id", "rows", "bytes", "dialect", "total_parts", "header_bytes")
    assert {key: result[key] for key in kept} == {key: local[key] for key in kept}
    assert len(EXPORT) <= proxy.answered(key="acme.csv") <= len(EXPORT) + 64 * 1024


def test_small_chunks_to_another_bucket(splitjoin_s3: Splitjoin, bucket: Bucket, other: Bucket) -> None:
    """Chunks too small to be copied are streamed, in any dialect and with any compression."""
    uri = put(bucket, EXPORT)
    for date, options in (("1", ()), ("2", ("--quotechar", "none")), ("3", ("--strict",))):
        result = splitjoin_s3.json("split", uri, other.uri, "--date", date, "--chunk-size", "9KB", *options)
        bodies = b"".join(other.get(chunk["name"])[result["header_bytes"] :] for chunk in result["chunks"])
        assert EXPORT[: result["header_bytes"]] + bodies == EXPORT
        name = f"acme_{date}"
        assert splitjoin_s3.json("verify", other.uri, "--name", name, "--source", uri)["ok"] is True


def test_copies_without_reading(splitjoin_s3: Splitjoin, bucket: Bucket, other: Bucket, proxy: Proxy) -> None:
    """Where every newline ends a record, a look around each cut is read, and 5 MiB of each chunk: no other byte.

    The store copies all the rest.
    """
    data = bulk(36 * MIB).replace(b'"', b"'")
    uri = put(bucket, data)
    options = ("--date", "d", "--chunk-size", "12MiB", "--quotechar", "none")
    result = splitjoin_s3.json("split", uri, f"{other.uri}in/", *options, AWS_ENDPOINT_URL_S3=proxy.url)
    total, probes = result["total_parts"], 64 * 1024
    assert total in (3, 4)
    assert proxy.copied() >= total - 1
    assert proxy.sent(key="in/") <= total * SENT_BYTES + 64 * 1024
    assert proxy.answered(key="acme.csv") <= total * (SENT_BYTES + 2 * probes) + 2 * probes
    assert result["rows"] is None
    assert [chunk["rows"] for chunk in result["chunks"]] == [None] * total
    bodies = b"".join(other.get(f"in/{chunk['name']}")[result["header_bytes"] :] for chunk in result["chunks"])
    assert data[: result["header_bytes"]] + bodies == data
    assert bucket.open_uploads() == other.open_uploads() == []
    whole = {"file_name": "acme_d", "ok": True, "problems": [], "mended": []}
    assert splitjoin_s3.json("verify", f"{other.uri}in/") == whole


@pytest.mark.parametrize(("rows", "size"), [seldom(3_000, "20KB"), (230_000, "11MiB")], ids=["streamed", "copied"])
def test_no_newline_that_is_escaped_is_cut_at(splitjoin_s3: Splitjoin, bucket: Bucket, rows: int, size: str) -> None:
    r"""What MySQL's OUTFILE writes, without quotes and with ``\\`` before a newline: cut as the local file is."""
    record = b"%d\tone\\\ntwo\\\\\tthree\\\n%s\n"
    data = b"id\ta\tb\n" + b"".join(record % (number, b"x" * (number % 90)) for number in range(rows))
    uri = put(bucket, data)
    (splitjoin_s3.directory / "acme.csv").write_bytes(data)
    options = ("--date", "d", "--chunk-size", size, "--quotechar", "none", "--escapechar", "\\", "--delimiter", "tab")
    local = splitjoin_s3.json("split", "acme.csv", "local", *options)
    result = splitjoin_s3.json("split", uri, f"{bucket.uri}in/", *options)
    assert (local["rows"], result["rows"]) == (rows, rows)
    kept = ("start", "end", "rows", "checksum")
    assert [[c[k] for k in kept] for c in result["chunks"]] == [[c[k] for k in kept] for c in local["chunks"]]
    whole = {"file_name": "acme_d", "ok": True, "problems": [], "mended": []}
    assert splitjoin_s3.json("verify", f"{bucket.uri}in/", "--source", uri) == whole


def test_copies_after_one_scan(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """With quotes the export is read once, to find the records; what is sent is the first 5 MiB of each chunk."""
    data = bulk(36 * MIB)
    uri = put(bucket, data)
    options = ("--date", "d", "--chunk-size", "12MiB")
    result = splitjoin_s3.json("split", uri, f"{bucket.uri}in/", *options, AWS_ENDPOINT_URL_S3=proxy.url)
    assert splitjoin_s3.ok("merge", f"{bucket.uri}in/", "-", "-q").out == data
    total = result["total_parts"]
    assert proxy.copied() >= total - 1
    assert proxy.sent(key="in/") <= total * SENT_BYTES + 64 * 1024
    again = total * SENT_BYTES  # the sent bytes are read a second time, for they come after the scan
    assert len(data) <= proxy.answered(key="acme.csv") <= len(data) + again + 64 * 1024


def test_streamed_chunks_are_read_as_far_as_they_go(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """Chunks too small to be copied are read once for the scan and once to be sent, though many are read at once."""
    data = bulk(24 * MIB)
    uri = put(bucket, data)
    options = ("--date", "d", "--chunk-size", "6MiB")
    result = splitjoin_s3.json("split", uri, f"{bucket.uri}in/", *options, AWS_ENDPOINT_URL_S3=proxy.url)
    assert result["uploaded"] == 4
    assert proxy.answered(key="2024/acme.csv") <= 2 * len(data) + 64 * 1024


def test_refused_copies_are_streamed(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """A store, or a policy, that refuses to copy costs a second read and nothing else."""
    data = bulk(24 * MIB)
    uri = put(bucket, data)
    proxy.refuse = lambda asked: (403, "AccessDenied") if asked.copies else None
    options = ("--date", "d", "--chunk-size", "11MiB")
    result = splitjoin_s3.json("split", uri, f"{bucket.uri}in/", *options, AWS_ENDPOINT_URL_S3=proxy.url)
    assert (result["uploaded"], result["failed"]) == (result["total_parts"], 0)
    assert splitjoin_s3.ok("merge", f"{bucket.uri}in/", "-", "-q").out == data
    assert bucket.open_uploads() == []


def test_from_another_store(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """An export in a store with credentials of its own comes by a presigned URL, whose signature gets nowhere."""
    put(bucket, EXPORT)
    url = bucket.client().generate_presigned_url("get_object", {"Bucket": bucket.name, "Key": "2024/acme.csv"})
    ran = splitjoin_s3.ok("split", url, f"{bucket.uri}in/", "--date", "d", "--chunks", "3", "--json", "-v")
    check(ran.document, EXPORT, lambda name: bucket.get(f"in/{name}"))
    assert ran.document["source"]["uri"] == url.partition("?")[0]
    said = ran.stdout + ran.stderr + bucket.get("in/acme_d.manifest.json").decode()
    assert "Signature" not in said
    assert bucket.server.access_key not in said


def test_source_that_changes_is_noticed(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """An export that is replaced between the scan and the upload ends the split: exit 1, and no manifest."""
    uri = put(bucket, EXPORT)
    replaced: list[str] = []

    def replace(asked: Asked) -> None:
        if asked.method == "PUT" and asked.key.endswith(".plan.json") and not replaced:
            replaced.append(put(bucket, export(3000, seed=9)))

    proxy.answering = replace
    command = ("split", uri, f"{bucket.uri}in/", "--date", "d", "--chunks", "3", "--json")
    ran = splitjoin_s3(*command, AWS_ENDPOINT_URL_S3=proxy.url)
    assert replaced
    assert ran.code == 1
    assert uri in ran.error["message"]
    assert "changed" in ran.error["message"]
    assert "in/acme_d.manifest.json" not in bucket.keys("")


def test_rows_and_strict_are_scanned(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """--rows and --strict count records also where every newline ends one."""
    data = bulk(2 * MIB).replace(b'"', b"'").replace(b"\n\n", b"\n")
    uri = put(bucket, data)
    options = ("--date", "d", "--rows", "20000", "--quotechar", "none")
    result = splitjoin_s3.json("split", uri, f"{bucket.uri}in/", *options)
    assert result["rows"] == data.count(b"\n") - 1
    assert [chunk["rows"] for chunk in result["chunks"][:-1]] == [20_000] * (result["total_parts"] - 1)
