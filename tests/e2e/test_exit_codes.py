"""What goes wrong: the code it ends with, what it says, and what it leaves, which the same command resumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.csvs import HEADER, check, export
from tests.seldom import seldom

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.command import Splitjoin
    from tests.servers.proxy import Asked, Proxy
    from tests.servers.s3 import Bucket

EXPORT = export(2000)
SECRET = "wJalrXUtnFEMIexampleSECRETkey"  # noqa: S105 -- of nobody


@pytest.fixture(autouse=True)
def _export(tmp_path: Path) -> None:
    """An export lies there."""
    (tmp_path / "acme.csv").write_bytes(EXPORT)


def test_missing_source(splitjoin: Splitjoin) -> None:
    """A file that is not there is exit 1, named."""
    ran = splitjoin("split", "nothing.csv", "out")
    assert (ran.code, ran.stdout) == (1, "")
    assert ran.stderr.startswith("Error: cannot read nothing.csv")
    assert not (splitjoin.directory / "out").exists()


def test_missing_source_on_s3(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """An object that is not there and a bucket that is not there are told apart."""
    ran = splitjoin_s3("split", f"{bucket.uri}nothing.csv", "out", "--json")
    assert (ran.code, ran.error["message"]) == (1, f"cannot read {bucket.uri}nothing.csv: the object does not exist")
    ran = splitjoin_s3("split", "s3://no-such-bucket-here/acme.csv", "out", "--json")
    assert ran.code == 1
    assert ran.error["message"] == "cannot read s3://no-such-bucket-here/acme.csv: the bucket does not exist"


def test_missing_bucket(splitjoin_s3: Splitjoin) -> None:
    """A destination bucket that is not there is exit 1: the operation, the place, and the way out."""
    ran = splitjoin_s3("split", "acme.csv", "s3://no-such-bucket-here/in/", "--json")
    assert ran.code == 1
    assert ran.error["message"].endswith("s3://no-such-bucket-here/: the bucket does not exist")
    assert ran.error["message"].startswith("s3:")
    assert ran.error["hint"] == "check its name, or make it (aws s3 mb)"


@pytest.mark.parametrize("key", ["AWS_ACCESS_KEY_ID", seldom("AWS_SECRET_ACCESS_KEY")])
def test_wrong_credentials(splitjoin_s3: Splitjoin, bucket: Bucket, key: str) -> None:
    """Keys that are wrong are exit 1; the operation and the place are named, and no key is."""
    ran = splitjoin_s3.within(**{key: SECRET})("split", "acme.csv", f"{bucket.uri}in/", "--json", "-v")
    assert ran.code == 1
    assert ran.error["message"].startswith(f"s3:ListObjectsV2 s3://{bucket.name}/")
    assert "credentials" in ran.error["message"]
    assert SECRET not in ran.stdout + ran.stderr
    assert bucket.server.secret_key not in ran.stdout + ran.stderr
    assert bucket.keys("") == []


def test_no_credentials(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """No keys at all are told from wrong ones, with the ways to give them."""
    bare = splitjoin_s3.within(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    ran = bare("split", "acme.csv", f"{bucket.uri}in/", "--json")
    assert ran.code == 1
    assert "no AWS credentials were found" in ran.error["message"]
    assert "--profile" in ran.error["hint"]


def test_a_file_where_the_directory_should_be(splitjoin: Splitjoin) -> None:
    """A file in the way is exit 1 and stays as it is."""
    (splitjoin.directory / "out").write_text("mine")
    ran = splitjoin("split", "acme.csv", "out")
    assert (ran.code, ran.stderr.splitlines()[0]) == (1, "Error: not a directory: out")
    assert (splitjoin.directory / "out").read_text() == "mine"


BAD = {
    "stray": (HEADER + b'1,a,b\n2,a"b,c\n', "line 3"),
    "open": (HEADER + b'1,a,b\n2,"a,c\n3,b,c\n', "line 3"),
    "after": (HEADER + b'1,a,b\n2,"a"b,c\n', "line 3"),
    "lone-cr": (b"a,b\r1,2\r3,4\r", "CR"),
    "empty": (b"", "empty"),
    "utf-16": (EXPORT.decode().encode("utf-16"), "UTF-16"),
    "zip": (b"PK\x03\x04" + bytes(100), "zip"),
}


@pytest.mark.parametrize("kind", ["stray", "lone-cr", "zip", *map(seldom, ("open", "after", "empty", "utf-16"))])
def test_bad_input_uploads_nothing(splitjoin_s3: Splitjoin, bucket: Bucket, kind: str) -> None:
    """Exit 4 says where and what, before anything was stored: not on S3, not in a directory."""
    data, said = BAD[kind]
    (splitjoin_s3.directory / "bad.csv").write_bytes(data)
    for destination in (f"{bucket.uri}in/", "out"):
        ran = splitjoin_s3("split", "bad.csv", destination, "--json")
        assert ran.code == 4
        assert ran.error["message"].startswith("bad.csv")
        assert said in ran.error["message"]
        assert ran.error["hint"]
    assert bucket.keys("") == []
    assert bucket.open_uploads() == []
    out = splitjoin_s3.directory / "out"
    assert not out.exists() or list(out.iterdir()) == []


@pytest.mark.parametrize("status", [(403, "AccessDenied"), seldom((400, "InvalidRequestOfSomeKind"))], ids=str)
def test_some_chunks_fail_and_the_same_command_resumes(
    splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy, status: tuple[int, str]
) -> None:
    """Exit 3: the others are stored, no manifest is written; again, only what is missing is sent."""
    proxy.refuse = lambda asked: status if asked.method == "PUT" and asked.key in failing else None
    failing = {"in/acme_d-03-12.csv", "in/acme_d-07-12.csv"}
    command = ("split", "acme.csv", f"{bucket.uri}in/", "--date", "d", "--chunks", "12")
    ran = splitjoin_s3(*command, AWS_ENDPOINT_URL_S3=proxy.url)
    assert (ran.code, ran.stdout) == (3, "")
    assert "Error: 2 of 12 chunks failed\nHint: to resume, type: splitjoin split " in ran.stderr
    assert ran.stderr.count("chunk 3 failed: ") == ran.stderr.count("chunk 7 failed: ") >= 1
    assert len(bucket.keys("in/acme_d-")) == 10
    assert "in/acme_d.manifest.json" not in bucket.keys("")
    proxy.refuse = lambda _: None
    proxy.requests.clear()
    again = splitjoin_s3.json(*command, AWS_ENDPOINT_URL_S3=proxy.url)
    assert (again["uploaded"], again["skipped"], again["failed"]) == (2, 10, 0)
    sent = {one.key for one in proxy.requests if one.method == "PUT" and one.key.endswith(".csv")}
    assert sent == failing
    check(again, EXPORT, lambda name: bucket.get(f"in/{name}"))


def test_what_may_be_retried_is_retried(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """Throttling and 5xx are no failures: each request is tried again until it is done."""
    tried: set[tuple[str, str]] = set()

    def first_time(asked: Asked) -> tuple[int, str] | None:
        request = (asked.method, asked.key)
        if request in tried or asked.method not in ("PUT", "GET"):
            return None
        tried.add(request)
        return (503, "SlowDown") if len(tried) % 2 else (500, "InternalError")

    proxy.refuse = first_time
    result = splitjoin_s3.json(
        "split", "acme.csv", bucket.uri, "--date", "d", "--chunks", "6", AWS_ENDPOINT_URL_S3=proxy.url
    )
    assert (result["uploaded"], result["failed"]) == (6, 0)
    assert len(tried) >= 8
    check(result, EXPORT, bucket.get)


def test_manifest_that_cannot_be_written(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """Without its manifest a split is not done: exit 1, and again it sends the manifest alone."""
    proxy.refuse = lambda asked: (
        (403, "AccessDenied") if asked.method == "PUT" and asked.key.endswith(".manifest.json") else None
    )
    command = ("split", "acme.csv", bucket.uri, "--date", "d", "--chunks", "3")
    ran = splitjoin_s3(*command, "--json", AWS_ENDPOINT_URL_S3=proxy.url)
    assert ran.code == 1
    assert ran.error["message"] == f"s3:PutObject {bucket.uri}acme_d.manifest.json: access denied"
    again = splitjoin_s3.json(*command)
    assert (again["uploaded"], again["skipped"]) == (0, 3)
    assert "acme_d.manifest.json" in bucket.keys("")
    assert "acme_d.plan.json" not in bucket.keys("")


def test_dry_run_is_a_table(splitjoin: Splitjoin) -> None:
    """The plan as a table: a line for each chunk, columns aligned, on stdout; nothing is stored."""
    (splitjoin.directory / "small.csv").write_bytes(b"n\n1\n22\n333\n")
    ran = splitjoin.ok("split", "small.csv", "out", "--date", "d", "--rows", "2", "--dry-run", "-q")
    assert ran.stdout == (
        "number  rows  bytes  start  end    state  name\n"
        "     1     2      7      2    7  planned  small_d-1-2.csv\n"
        "     2     1      6      7   11  planned  small_d-2-2.csv\n"
        "2 chunks: 2 planned, 0 stored\n"
    )
    assert not (splitjoin.directory / "out").exists()


def test_dry_run_compares_with_what_is_stored(splitjoin: Splitjoin) -> None:
    """Each chunk is planned, or stored as it is there already; what is stored stays as it is."""
    (splitjoin.directory / "small.csv").write_bytes(b"n\n1\n22\n333\n")
    command = ("split", "small.csv", "out", "--date", "d", "--rows", "2")
    splitjoin.ok(*command)
    (splitjoin.directory / "out" / "small_d-2-2.csv").unlink()
    assert splitjoin.ok(*command, "--dry-run", "-q").stdout == (
        "number  rows  bytes  start  end    state  name\n"
        "     1     2      7      2    7   stored  small_d-1-2.csv\n"
        "     2     1      6      7   11  planned  small_d-2-2.csv\n"
        "2 chunks: 1 planned, 1 stored\n"
    )
    result = splitjoin.json(*command, "--dry-run")
    assert (result["uploaded"], result["skipped"], result["failed"]) == (0, 1, 0)
    assert sorted(path.name for path in (splitjoin.directory / "out").iterdir()) == [
        "small_d-1-2.csv",
        "small_d.manifest.json",
    ]


def test_dry_run_finds_what_the_run_would_meet(splitjoin: Splitjoin) -> None:
    """Bad input and a taken name are found by the dry run too, with the same codes."""
    splitjoin.ok("split", "acme.csv", "out", "--date", "d")
    (splitjoin.directory / "acme.csv").write_bytes(export(10))
    assert splitjoin("split", "acme.csv", "out", "--date", "d", "--dry-run").code == 11
    (splitjoin.directory / "acme.csv").write_bytes(HEADER + b'1,a"b,c\n')
    assert splitjoin("split", "acme.csv", "out", "--date", "e", "--dry-run").code == 4


def test_closed_standard_output_is_no_traceback(splitjoin: Splitjoin) -> None:
    """A reader that goes away ends the command with exit 1 and one line."""
    splitjoin.ok("split", "acme.csv", "out", "--date", "d")
    process = splitjoin.begin("merge", "out", "-", "-q")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 1
    assert b"Traceback" not in said
    assert said.startswith(b"Error: ")


def test_a_plan_that_cannot_be_read_has_a_way_out(splitjoin: Splitjoin, tmp_path: Path) -> None:
    """It keeps the name from every split, until the command that the hint names removes it."""
    (tmp_path / "a.csv").write_text("id\n1\n")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a_20240131.plan.json").write_text("{")
    split = ("split", "a.csv", "d", "--date", "20240131", "--json")
    ran = splitjoin(*split)
    assert ran.code == 1
    hint = ran.error["hint"]
    assert hint.startswith("remove the unfinished split, then split again: splitjoin rm ")
    splitjoin.ok(*hint.partition("splitjoin ")[2].split())
    assert splitjoin(*split).code == 0


def test_a_tracker_without_a_directory_is_found_before_the_source_is_read(splitjoin: Splitjoin, tmp_path: Path) -> None:
    """The file would be made with the first write, after the scan."""
    (tmp_path / "a.csv").write_text("id\n1\n")
    ran = splitjoin("split", "a.csv", "d", "--tracker", "sqlite:no/x.db")
    assert (ran.code, ran.stdout) == (1, "")
    assert ran.stderr == "Error: sqlite:no/x.db: the directory no does not exist\nHint: make it first\n"


def test_a_directory_as_source_holds_no_destination(splitjoin: Splitjoin) -> None:
    """The current one, whose files would then have chunks among them."""
    ran = splitjoin("split", ".", "d", "--json")
    assert (ran.code, ran.error["message"]) == (2, "DEST, d, is in ., whose files are split")
    assert ran.error["hint"] == "choose a DEST outside of it, so that no chunk becomes a source"


def test_an_output_that_cannot_be_written_has_a_next_step(splitjoin: Splitjoin, tmp_path: Path) -> None:
    """The directory of OUT is not made."""
    (tmp_path / "a.csv").write_text("id\n1\n")
    splitjoin.ok("split", "a.csv", "d", "--date", "20240131")
    ran = splitjoin("merge", "d", "no/x.csv", "--json")
    assert (ran.code, ran.error["message"]) == (1, "cannot write no/x.csv: No such file or directory")
    assert ran.error["hint"] == "OUT's directory must exist, and you must be allowed to write to it"
