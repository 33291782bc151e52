"""The installed command on a Dask cluster: real scheduler, real workers, real store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.csvs import bulk
from tests.e2e.kills import kept, stored
from tests.servers.proxy import proxied
from tests.stores.sources.http_server import serving

if TYPE_CHECKING:
    from tests.e2e.command import Splitjoin
    from tests.servers.dask import DaskCluster
    from tests.servers.s3 import Bucket

MIB = 1024 * 1024
OPTIONS = ("--client", "acme", "--date", "d", "--chunk-size", "9MiB")


def test_s3_to_s3_has_the_same_objects_as_on_threads(
    splitjoin_s3: Splitjoin, bucket: Bucket, dask_cluster: DaskCluster
) -> None:
    """Manifest included; and the same command on threads then has nothing to do."""
    bucket.client().put_object(Bucket=bucket.name, Key="acme.csv", Body=bulk(20 * MIB))
    source, command = f"{bucket.uri}acme.csv", ("split", f"{bucket.uri}acme.csv")
    splitjoin_s3.ok(*command, f"{bucket.uri}threads/", *OPTIONS)
    ran = splitjoin_s3.ok("split", source, f"{bucket.uri}dask/", *OPTIONS, "--engine", dask_cluster.engine)
    assert stored(bucket, "dask/") == stored(bucket, "threads/")
    assert "by workers" not in ran.stderr
    again = splitjoin_s3.json(*command, f"{bucket.uri}dask/", *OPTIONS)
    assert (again["uploaded"], again["skipped"]) == (0, again["total_parts"])


@pytest.mark.parametrize(
    ("status", "code", "copies", "warning"),
    [
        (
            403,
            "AccessDenied",
            3,
            "s3:UploadPartCopy BUCKETdask/acme_d-1-2.csv: the store refuses to copy the range (AccessDenied); ",
        ),
        pytest.param(501, "NotImplemented", 1, "this store does not copy parts of objects: ", marks=pytest.mark.soak),
    ],
)
def test_a_store_that_refuses_copies(
    splitjoin_s3: Splitjoin,
    bucket: Bucket,
    dask_cluster: DaskCluster,
    status: int,
    code: str,
    copies: int,
    warning: str,
) -> None:
    """The workers stream: the same objects, no upload open, and one warning that says where the bytes pass."""
    bucket.client().put_object(Bucket=bucket.name, Key="acme.csv", Body=bulk(24 * MIB))
    command, options = ("split", f"{bucket.uri}acme.csv"), (*OPTIONS[:-1], "12MiB")
    splitjoin_s3.ok(*command, f"{bucket.uri}threads/", *options)
    with proxied(bucket.endpoint_url) as proxy:
        proxy.refuse = lambda asked: (status, code) if asked.copies else None
        there = ("--engine", dask_cluster.engine, "--endpoint-url", proxy.url)
        ran = splitjoin_s3.ok(*command, f"{bucket.uri}dask/", *options, *there)
        assert proxy.copied() <= copies
    (said,) = (line for line in ran.stderr.splitlines() if line.startswith("Warning: "))
    assert said.startswith(f"Warning: {warning.replace('BUCKET', bucket.uri)}")
    assert said.endswith("the chunks' bytes pass through the workers")
    assert stored(bucket, "dask/") == stored(bucket, "threads/")
    assert bucket.open_uploads() == []


def test_shared_paths_have_the_same_files_as_on_threads(splitjoin: Splitjoin, dask_cluster: DaskCluster) -> None:
    """From a file that the workers see into a directory that they see, compressed; the scheduler named by its file."""
    (splitjoin.directory / "acme.csv").write_bytes(bulk(5 * MIB))
    options = (*OPTIONS[:-1], "2MiB", "--compress", "gzip")
    splitjoin.ok("split", "acme.csv", "threads", *options)
    splitjoin.ok("split", "acme.csv", "dask", *options, "--engine", f"dask:{dask_cluster.scheduler_file}")
    assert kept(splitjoin.directory / "dask") == kept(splitjoin.directory / "threads")


@pytest.mark.parametrize(
    "size",
    [("--rows", "20000"), pytest.param(("--chunk-size", "150KiB"), marks=pytest.mark.soak)],
    ids=["rows", "small"],
)
def test_rows_and_small_chunks_are_found_by_workers(
    splitjoin: Splitjoin, dask_cluster: DaskCluster, size: tuple[str, str]
) -> None:
    """And are those of threads; nothing is scanned by the command."""
    (splitjoin.directory / "acme.csv").write_bytes(bulk(9 * MIB))
    splitjoin.ok("split", "acme.csv", "threads", *OPTIONS[:-2], *size)
    ran = splitjoin.ok("split", "acme.csv", "dask", *OPTIONS[:-2], *size, "--engine", dask_cluster.engine)
    assert kept(splitjoin.directory / "dask") == kept(splitjoin.directory / "threads")
    assert "by workers" not in ran.stderr


def test_a_file_behind_http_has_the_same_chunks_as_on_threads(splitjoin: Splitjoin, dask_cluster: DaskCluster) -> None:
    """Read by ranges, by the workers; and where it changes meanwhile, the split ends as it does without a cluster."""
    options = (*OPTIONS, "--json")
    with serving(bulk(20 * MIB)) as served:
        splitjoin.json("split", served.url, "threads", *OPTIONS)
        done = splitjoin.json("split", served.url, "dask", *OPTIONS, "--engine", dask_cluster.engine)
        assert kept(splitjoin.directory / "dask") == kept(splitjoin.directory / "threads")
        assert done["source"]["uri"] == served.url
        asked = [span for method, span in served.requests if method == "GET"]
        assert f"bytes={done['chunks'][1]['start']}-{done['chunks'][1]['end'] - 1}" in asked
        served.break_after, served.versions = [MIB] * 40, [served.data[:-9] + b"x" * 9]
        changed = splitjoin("split", served.url, "again", *options, "--engine", dask_cluster.engine)
    assert changed.code == 1
    assert changed.error["message"].startswith(f"{served.url} changed while it was read: ETag was ")


def test_verify_and_merge_say_the_same_as_on_threads(splitjoin: Splitjoin, dask_cluster: DaskCluster) -> None:
    """Of a whole split beside its source, and of one with a damaged chunk, with the same exit codes; it comes back."""
    (splitjoin.directory / "acme.csv").write_bytes(bulk(3 * MIB))
    splitjoin.ok("split", "acme.csv", "out", *OPTIONS[:-1], "100KiB")
    engine = ("--engine", dask_cluster.engine)
    whole = splitjoin.ok("verify", "out", "--source", "acme.csv", *engine)
    assert whole.stdout.startswith("acme_d: ok, 31 chunks, ")
    splitjoin.ok("merge", "out", "again.csv", *engine)
    assert (splitjoin.directory / "again.csv").read_bytes() == (splitjoin.directory / "acme.csv").read_bytes()
    damaged = splitjoin.directory / "out" / "acme_d-07-31.csv"
    damaged.write_bytes(damaged.read_bytes().replace(b"7", b"\n", 1))
    found, wanted = splitjoin("verify", "out", "--json", *engine), splitjoin("verify", "out", "--json")
    assert (found.code, found.stdout) == (wanted.code, wanted.stdout)
    assert found.code == 1


@pytest.mark.soak
def test_verify_on_s3(splitjoin_s3: Splitjoin, bucket: Bucket, dask_cluster: DaskCluster) -> None:
    """With the chunks' metadata, by workers with credentials of their own."""
    bucket.client().put_object(Bucket=bucket.name, Key="acme.csv", Body=bulk(3 * MIB))
    splitjoin_s3.ok("split", f"{bucket.uri}acme.csv", f"{bucket.uri}out/", *OPTIONS[:-1], "1MiB", "--compress", "zstd")
    options = ("verify", f"{bucket.uri}out/", "--source", f"{bucket.uri}acme.csv")
    done = splitjoin_s3.ok(*options, "--engine", dask_cluster.engine)
    assert done.stdout == splitjoin_s3.ok(*options).stdout


@pytest.mark.soak
def test_merge_writes_the_same_as_on_threads(
    splitjoin_s3: Splitjoin, bucket: Bucket, dask_cluster: DaskCluster
) -> None:
    """Into an object, whose parts the workers send, and into a file that they see; never over what is there."""
    data, engine = bulk(40 * MIB), ("--engine", dask_cluster.engine)
    bucket.client().put_object(Bucket=bucket.name, Key="acme.csv", Body=data)
    splitjoin_s3.ok("split", f"{bucket.uri}acme.csv", f"{bucket.uri}in/", *OPTIONS)
    done = splitjoin_s3.json("merge", f"{bucket.uri}in/", f"{bucket.uri}out.csv", *engine)
    assert (done["bytes"], done["total_parts"]) == (len(data), 5)
    assert bucket.get("out.csv") == data
    taken = splitjoin_s3("merge", f"{bucket.uri}in/", f"{bucket.uri}out.csv", *engine)
    assert taken.code == 11
    splitjoin_s3.ok("merge", f"{bucket.uri}in/", "out.csv", *engine)
    assert (splitjoin_s3.directory / "out.csv").read_bytes() == data
    bucket.client().put_object(Bucket=bucket.name, Key="in/acme_d-2-5.csv", Body=b"other")
    found, wanted = (splitjoin_s3("merge", f"{bucket.uri}in/", f"{bucket.uri}x", *more) for more in (engine, ()))
    assert (found.code, found.stderr.splitlines()[-2:]) == (wanted.code, wanted.stderr.splitlines()[-2:])
    assert bucket.open_uploads() == []
