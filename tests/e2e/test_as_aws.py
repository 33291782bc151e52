"""The installed command where S3 answers as AWS does and the test server does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.csvs import bulk
from tests.seldom import seldom

if TYPE_CHECKING:
    from tests.e2e.command import Splitjoin
    from tests.servers.proxy import Asked, Proxy
    from tests.servers.s3 import Bucket

MIB = 1024 * 1024
SMALL_SOURCE = 5_000_000
"""S3 copies no range of an object of so many bytes or less (UploadPartCopy, "x-amz-copy-source-range")."""


@pytest.mark.parametrize("size", [seldom(SMALL_SOURCE), 5 * MIB + 1])
def test_no_range_of_a_small_export_is_copied(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy, size: int) -> None:
    """S3 refuses that; it is never asked, whatever the chunks' size and whether anything is scanned."""
    data = bulk(size)[: size - 1].rpartition(b"\n")[0] + b"\n"
    bucket.client().put_object(Bucket=bucket.name, Key="2024/acme.csv", Body=data)
    for number, options in enumerate((["--chunks", "1"], ["--quotechar", "none"])):
        place = f"{bucket.uri}in{number}/"
        command = ("split", f"{bucket.uri}2024/acme.csv", place, *options, "--date", "d", "-q")
        splitjoin_s3.ok(*command, AWS_ENDPOINT_URL_S3=proxy.url)
        assert splitjoin_s3.ok("merge", place, "-", "-q").out == data
    assert proxy.copied() == 0


def test_copies_that_s3_calls_invalid_are_streamed(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """Its answer to a range that it will not copy costs a second read and nothing else."""
    data = bulk(12 * MIB)
    bucket.client().put_object(Bucket=bucket.name, Key="2024/acme.csv", Body=data)

    def refuse(asked: Asked) -> tuple[int, str] | None:
        return (400, "InvalidRequest") if asked.copies else None

    proxy.refuse = refuse
    command = ("split", f"{bucket.uri}2024/acme.csv", f"{bucket.uri}in/", "--date", "d", "--chunks", "1")
    result = splitjoin_s3.json(*command, AWS_ENDPOINT_URL_S3=proxy.url)
    assert (result["uploaded"], result["failed"], proxy.copied() > 0) == (1, 0, True)
    assert splitjoin_s3.ok("merge", f"{bucket.uri}in/", "-", "-q").out == data
    assert bucket.open_uploads() == []
