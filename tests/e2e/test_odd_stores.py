"""The installed command on a store behind a proxy that answers otherwise than S3 does."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.e2e.csvs import bulk, export
from tests.e2e.kills import end
from tests.e2e.test_signals import wait_for
from tests.seldom import seldom
from tests.servers import odd_stores

if TYPE_CHECKING:
    from tests.e2e.command import Splitjoin
    from tests.servers.proxy import Proxy
    from tests.servers.s3 import Bucket

MIB = 1024 * 1024
EXPORT = export(3000)


@pytest.fixture
def odd(splitjoin_s3: Splitjoin, proxy: Proxy) -> Splitjoin:
    """The command, with a store that is odd in every way."""
    proxy.alter = odd_stores.everything
    return splitjoin_s3.within(AWS_ENDPOINT_URL_S3=proxy.url)


def test_killed_split_sends_only_what_is_missing(odd: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """A chunk that is stored is known by its metadata, however its name is written; its checksum is not needed."""
    data = bulk(4 * MIB)
    (odd.directory / "acme.csv").write_bytes(data)
    command = ("split", "acme.csv", f"{bucket.uri}in/", "--date", "d", "--chunks", "8", "--jobs", "1")
    proxy.bytes_per_second = 2.0 * MIB
    process = odd.begin(*command)
    wait_for(lambda: len(bucket.keys("in/acme_d-")) >= 3)
    process.kill()
    end(process)
    assert process.returncode == -signal.SIGKILL
    stored = len(bucket.keys("in/acme_d-"))
    proxy.bytes_per_second = None
    result = odd.json(*command)
    assert 3 <= result["skipped"] <= stored + 1
    assert result["skipped"] + result["uploaded"] == 8
    again = odd.json(*command)
    assert (again["uploaded"], again["skipped"]) == (0, 8)
    assert odd.json("verify", f"{bucket.uri}in/", "--source", "acme.csv")["ok"] is True
    assert odd.ok("merge", f"{bucket.uri}in/", "-", "-q").out == data


def test_simulated_workers_load_the_chunks(odd: Splitjoin, bucket: Bucket) -> None:
    """Their metadata is found, also once the manifest is gone; status compares the chunks with the tracker."""
    (odd.directory / "acme.csv").write_bytes(EXPORT)
    odd.ok("split", "acme.csv", f"{bucket.uri}in/", "--date", "d", "--chunks", "4", "--tracker", "sqlite:t.db")
    bucket.client().delete_object(Bucket=bucket.name, Key="in/acme_d.manifest.json")
    result = odd.json("simulate", f"{bucket.uri}in/", "--into", "sqlite:load.db", "--tracker", "sqlite:t.db")
    assert (result["ok"], result["total_parts"], result["processed_parts"]) == (True, 4, 4)
    assert result["rows_loaded"] == result["rows_expected"] == 3000
    status = odd.json("status", "acme_d", "--tracker", "sqlite:t.db", "--dest", f"{bucket.uri}in/")
    assert (status["state"], status["never_uploaded"]) == ("joined", [])


def test_copies_that_cannot_be_believed_are_streamed(odd: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """From S3 to S3, on a store that answers copies without an ETag: said once, the same chunks, no upload open."""
    data = bulk(24 * MIB)
    bucket.client().put_object(Bucket=bucket.name, Key="acme.csv", Body=data)
    ran = odd.ok("split", f"{bucket.uri}acme.csv", f"{bucket.uri}in/", "--date", "d", "--chunk-size", "12MiB", "--json")
    assert proxy.copied() == 1
    assert (
        "Warning: this store does not copy parts of objects: the chunks' bytes pass through this machine\n"
        in ran.stderr
    )
    assert bucket.open_uploads() == []
    assert odd.ok("merge", f"{bucket.uri}in/", "-", "-q").out == data


@pytest.mark.parametrize(
    ("status", "code", "warning"),
    [
        seldom(
            501, "NotImplemented", "this store does not list unfinished uploads: those of a killed split stay until you"
        ),
        (
            403,
            "AccessDenied",
            "cannot remove what killed splits left: s3:ListMultipartUploads s3://BUCKET/: access denied",
        ),
    ],
)
def test_store_that_lists_no_uploads(
    odd: Splitjoin, bucket: Bucket, proxy: Proxy, status: int, code: str, warning: str
) -> None:
    """One warning, and the split is done."""
    proxy.refuse = odd_stores.refuses_to_list_uploads(status, code)
    (odd.directory / "acme.csv").write_bytes(EXPORT)
    ran = odd.ok("split", "acme.csv", f"{bucket.uri}in/", "--date", "d", "--chunks", "2")
    warnings = [line for line in ran.stderr.splitlines() if "uploads" in line or "killed" in line]
    (said,) = warnings
    assert said.startswith(f"Warning: {warning.replace('BUCKET', bucket.name)}")
    assert bucket.keys("in/") == ["in/acme_d-1-2.csv", "in/acme_d-2-2.csv", "in/acme_d.manifest.json"]


def test_interrupted_before_the_first_chunk_leaves_the_name_free(odd: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """The plan is taken back: another content can have the name."""
    (odd.directory / "acme.csv").write_bytes(bulk(8 * MIB))
    command = ("split", "acme.csv", f"{bucket.uri}in/", "--date", "d", "--chunks", "2", "--json")
    proxy.bytes_per_second = MIB / 2
    process = odd.begin(*command)
    wait_for(lambda: bucket.keys("in/") == ["in/acme_d.plan.json"])
    process.send_signal(signal.SIGTERM)
    end(process)
    assert process.returncode == 143
    assert bucket.keys("in/") == []
    proxy.bytes_per_second = None
    (odd.directory / "acme.csv").write_bytes(EXPORT)
    assert odd.json(*command[:-1])["uploaded"] == 2


def test_split_that_stored_no_chunk_leaves_the_name_free(odd: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """Every chunk failed, for a reason of its own: exit 3, and no plan; one that stored a chunk keeps it."""
    (odd.directory / "acme.csv").write_bytes(EXPORT)
    command = ("split", "acme.csv", f"{bucket.uri}in/", "--date", "d", "--chunks", "3", "--json")
    proxy.refuse = lambda asked: (400, "Odd") if asked.method == "PUT" and "acme_d-" in asked.key else None
    failed = odd(*command)
    assert (failed.code, failed.document["failed"], failed.document["uploaded"]) == (3, 3, 0)
    assert failed.document["resume"] is not None
    assert bucket.keys("in/") == []
    proxy.refuse = lambda asked: (400, "Odd") if asked.method == "PUT" and "acme_d-2" in asked.key else None
    assert odd(*command).code == 3
    assert bucket.keys("in/") == ["in/acme_d-1-3.csv", "in/acme_d-3-3.csv", "in/acme_d.plan.json"]


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (b"<html><body>Sign in</body></html>", "the store's answer has no IsTruncated"),
        (b"<Error/>", "an error without code and message"),
    ],
)
def test_a_page_in_place_of_a_listing_is_no_empty_place(
    odd: Splitjoin, bucket: Bucket, proxy: Proxy, page: bytes, why: str
) -> None:
    """A login page of a proxy can be read as XML: nothing in it says that the name is free, or the set gone."""
    (odd.directory / "acme.csv").write_bytes(EXPORT)
    split = ("split", "acme.csv", f"{bucket.uri}in/", "--date", "d", "--chunks", "2")
    odd.ok(*split)
    proxy.alter = lambda asked, answer: replace(answer, body=page) if "list-type" in asked.query else answer
    before = len(proxy.requests)
    for command in (("verify", f"{bucket.uri}in/"), (*split, "--force")):
        ran = odd(*command, "-q")
        assert (ran.code, ran.stdout) == (1, "")
        assert ran.stderr.startswith(f"Error: s3:ListObjectsV2 s3://{bucket.name}/: {why}\nHint: ")
        assert ran.stderr.endswith("look at the store, or at a proxy before it\n")
    assert {request.method for request in proxy.requests[before:]} <= {"GET", "HEAD"}
