"""S3's directory buckets: their listings know folders alone, and no order. No server here has them: it is a stub.

The requests and answers are held against botocore's model.
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from splitjoin_cli.core.aws.directory_buckets import listed_prefix
from splitjoin_cli.stores.sinks.s3 import S3Sink
from splitjoin_cli.stores.sources.s3_tree import S3Tree
from tests.servers.models import check_answer, check_request

BUCKET = "chunks--euw1-az1--x-s3"
KEYS = ["in/é_1-1-1.csv", "in/acme_1-2-2.csv", "in/acme_1-1-2.csv", "in/acme_1.manifest.json", "in/acme_2-1-1.csv",
        "in/deep/acme_1-1-2.csv", "other/acme_1-1-2.csv"]  # fmt: skip
AT = datetime(2024, 1, 31, tzinfo=UTC)
OPERATIONS = {"list_objects_v2": "ListObjectsV2", "list_multipart_uploads": "ListMultipartUploads"}


class ListsFolders:
    """A client of a directory bucket: it refuses a prefix that does not end with ``/``, and answers in two pages."""

    meta = SimpleNamespace(
        method_to_api_mapping=OPERATIONS | {"abort_multipart_upload": "AbortMultipartUpload"},
        endpoint_url="https://s3express.test",
        service_model=SimpleNamespace(
            operation_model=lambda _name: SimpleNamespace(input_shape=SimpleNamespace(members={}))
        ),
    )

    def __init__(self) -> None:
        self.aborted: list[str] = []

    def list_objects_v2(self, **asked: Any) -> dict[str, Any]:  # noqa: ANN401 -- as botocore has it
        check_request("s3", "list_objects_v2", asked)
        prefix, at = self._folder(asked), int(asked.get("ContinuationToken", 0))
        under = [key[len(prefix) :] for key in KEYS if key.startswith(prefix)]
        here = [prefix + name for name in under if "/" not in name]
        folders = sorted({f"{prefix}{name.partition('/')[0]}/" for name in under if "/" in name})
        page = here[at : at + 2]
        answer: dict[str, Any] = {
            "IsTruncated": at + 2 < len(here),
            "Contents": [{"Key": key, "Size": len(key), "ETag": f'"{key}"', "LastModified": AT} for key in page],
            "CommonPrefixes": [{"Prefix": one} for one in folders] if at == 0 else [],
        }
        if answer["IsTruncated"]:
            answer["NextContinuationToken"] = str(at + 2)
        check_answer("s3", "list_objects_v2", answer)
        return answer

    def list_multipart_uploads(self, **asked: Any) -> dict[str, Any]:  # noqa: ANN401 -- as botocore has it
        check_request("s3", "list_multipart_uploads", asked)
        prefix = self._folder(asked)
        found = [{"Key": key, "UploadId": key, "Initiated": AT} for key in KEYS if key.startswith(prefix)]
        return {"IsTruncated": False, "Uploads": found}

    def abort_multipart_upload(self, **asked: Any) -> dict[str, Any]:  # noqa: ANN401 -- as botocore has it
        self.aborted.append(asked["Key"])
        return {}

    def _folder(self, asked: dict[str, Any]) -> str:
        prefix: str = asked["Prefix"]
        if prefix and not prefix.endswith("/"):
            raise ClientError({"Error": {"Code": "InvalidRequest", "Message": "a prefix ends with /"}}, "List")
        return prefix


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("acme_1-", ["acme_1-1-2.csv", "acme_1-2-2.csv"]),
        ("acme_", ["acme_1-1-2.csv", "acme_1-2-2.csv", "acme_1.manifest.json", "acme_2-1-1.csv"]),
        ("nobody_", []),
    ],
)
def test_a_sink_lists_by_name_and_in_order(prefix: str, names: list[str]) -> None:
    """As every other sink does: in the order of UTF-8, what is right in the place."""
    sink = S3Sink(f"s3://{BUCKET}/in/", client=ListsFolders())
    assert [one.name for one in sink.list(prefix)] == names
    assert [one.name for one in sink.list()][-1] == "é_1-1-1.csv"


def test_what_killed_splits_left_is_found_by_name() -> None:
    """And nothing else of the folder is ended."""
    client = ListsFolders()
    assert S3Sink(f"s3://{BUCKET}/in/", client=client).sweep("acme_1-") == 2
    assert client.aborted == ["in/acme_1-2-2.csv", "in/acme_1-1-2.csv"]


def test_a_pattern_finds_files_and_folders() -> None:
    """That begin as it does."""
    tree = S3Tree(BUCKET, ListsFolders())
    assert [one.name for one in tree.files("in/", "acme_2")] == ["in/acme_2-1-1.csv"]
    assert list(tree.folders("in/", "de")) == ["deep"]
    assert list(tree.folders("in/", "da")) == []


def test_other_buckets_are_asked_for_what_is_wanted() -> None:
    """A listing of all would cost a request for each 1,000 keys."""
    assert listed_prefix("chunks", "in/acme_1-") == "in/acme_1-"
    assert listed_prefix(BUCKET, "acme_1-") == ""
