"""Finds the multipart uploads that killed processes left open, and ends them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from splitjoin_cli.stores.sinks.s3_multipart import abort_upload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.aws.s3 import Bucket
    from splitjoin_cli.stores.sinks.s3_multipart import Uploads

__all__ = ["abort_doubtful", "sweep"]


def sweep(uploads: Uploads, key_prefix: str, *, began: float) -> int:
    """Abort the open uploads of keys directly at ``key_prefix`` that were begun before ``began`` (time.monotonic).

    S3 has no locks: what is older than this process is taken for dead, by the store's own clock. Returns how many.
    """
    bucket, swept = uploads.place.bucket, 0
    for upload, now in _open_uploads(bucket, key_prefix):
        # The Date header has whole seconds: what was begun within the same second as this process counts as older.
        limit = now - timedelta(seconds=time.monotonic() - began - 1)
        beneath = "/" in upload["Key"][len(key_prefix) :]
        if not beneath and upload["Initiated"] < limit and not uploads.is_open(upload["UploadId"]):
            abort_upload(bucket, upload["Key"], upload["UploadId"])
            swept += 1
    return swept


def abort_doubtful(uploads: Uploads, *, began: float) -> None:
    """Abort uploads whose CreateMultipartUpload answer was lost: begun since ``began``, of those very keys."""
    bucket = uploads.place.bucket
    for key in sorted(uploads.doubtful_keys):
        for upload, now in _open_uploads(bucket, key):
            limit = now - timedelta(seconds=time.monotonic() - began + 1)
            if upload["Key"] == key and upload["Initiated"] >= limit:
                abort_upload(bucket, key, upload["UploadId"])
        uploads.doubtful_keys.discard(key)


def _open_uploads(bucket: Bucket, key_prefix: str) -> Iterator[tuple[dict[str, Any], datetime]]:
    """Open uploads, each with the store's time at the listing."""
    markers: dict[str, Any] = {}
    while True:
        page = bucket.checked("list_multipart_uploads", None, stoppable=False, Prefix=key_prefix, **markers)
        date = page["ResponseMetadata"]["HTTPHeaders"].get("date")
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        for upload in page.get("Uploads", []):
            yield upload, now
        if not page.get("IsTruncated"):
            return
        markers = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
