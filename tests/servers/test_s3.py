"""The S3 server that other tests rely on is there and is as strict as they believe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.servers.s3 import Bucket


def test_stores_and_lists(bucket: Bucket) -> None:
    """What was put is there, byte for byte, and a fresh bucket is empty."""
    assert bucket.keys() == []
    bucket.client().put_object(Bucket=bucket.name, Key="a/b c.csv", Body=b"x\n")
    assert bucket.keys() == ["a/b c.csv"]
    assert bucket.get("a/b c.csv") == b"x\n"


def test_refuses_a_wrong_digest(bucket: Bucket) -> None:
    """A body that is not what its checksum says is refused, with nothing stored."""
    with pytest.raises(ClientError):
        bucket.client().put_object(Bucket=bucket.name, Key="a", Body=b"x\n", ChecksumCRC64NVME="AAAAAAAAAAA=")
    assert bucket.keys() == []


def test_open_uploads_are_seen(bucket: Bucket) -> None:
    """An upload that was begun and neither completed nor aborted is found, so that tests can rely on none."""
    bucket.client().create_multipart_upload(Bucket=bucket.name, Key="left")
    assert bucket.open_uploads() == ["left"]
