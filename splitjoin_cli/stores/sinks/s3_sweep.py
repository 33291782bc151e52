"""Finds the multipart uploads that killed processes left open, and ends them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.directory_buckets import listed_prefix
from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.stores.sinks.s3_multipart import abort_upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.core.aws.s3 import Bucket
    from splitjoin_cli.stores.sinks.s3_multipart import Uploads

__all__ = ["abort_doubtful", "abort_older", "store_time", "sweep"]

# What stores answer that know no empty listing of uploads: none is open.
NONE_OPEN_CODES = frozenset({"404", "NoSuchUpload", "NoSuchKey", "NotFound"})


class _OpenUpload(NamedTuple):
    key: str
    upload_id: str
    initiated: datetime
    now: datetime  # the store's, at the listing


def sweep(
    uploads: Uploads,
    key_prefix: str,
    *,
    began: float,
    only: Callable[[str], bool] | None = None,
    count: bool = False,
) -> int:
    """Abort the open uploads of keys directly at ``key_prefix`` that were begun before ``began`` (time.monotonic).

    S3 has no locks: what is older than this process is taken for dead, by the store's own clock. Returns how many.
    ``only``: of keys that it says yes to; ``count``: without ending them. Raises StoreError where the store does not
    list uploads, or does not let them be ended.
    """
    bucket, swept = uploads.place.bucket, 0
    for upload in _open_uploads(bucket, key_prefix):
        beneath = "/" in upload.key[len(key_prefix) :]
        wanted = not beneath and (only is None or only(upload.key))
        if wanted and _is_older(upload, began) and not uploads.is_open(upload.upload_id):
            if not count:
                abort_upload(bucket, upload.key, upload.upload_id)
            swept += 1
    return swept


def abort_older(bucket: Bucket, key_prefix: str, *, began: float) -> None:
    """Abort all open uploads of keys that begin so and that were begun before ``began``. Raises as ``sweep`` does."""
    for upload in _open_uploads(bucket, key_prefix):
        if _is_older(upload, began):
            abort_upload(bucket, upload.key, upload.upload_id)


def _is_older(upload: _OpenUpload, began: float) -> bool:
    """Whether it was begun before ``began`` (time.monotonic), by the store's clock.

    Its Date header has whole seconds: what came within the same second counts as older.
    """
    return upload.initiated < upload.now - timedelta(seconds=time.monotonic() - began - 1)


def abort_doubtful(uploads: Uploads, *, began: float) -> None:
    """Abort uploads whose CreateMultipartUpload answer was lost: begun since ``began``, of those very keys.

    Where the store does not say which are open nothing can be done, and the objects themselves are well.
    """
    bucket = uploads.place.bucket
    for key in sorted(uploads.doubtful_keys):
        try:
            for upload in _open_uploads(bucket, key):
                limit = upload.now - timedelta(seconds=time.monotonic() - began + 1)
                if upload.key == key and upload.initiated >= limit:
                    abort_upload(bucket, key, upload.upload_id)
        except StoreError as exc:
            if exc.__cause__ is None or aws.is_transient(exc.__cause__):
                raise
        uploads.doubtful_keys.discard(key)


def _open_uploads(bucket: Bucket, key_prefix: str) -> Iterator[_OpenUpload]:
    """The open uploads of keys that begin so; those that the store does not describe wholly are left out."""
    markers: dict[str, Any] = {}
    listed = listed_prefix(bucket.name, key_prefix)
    while True:
        page = _page(bucket, listed, markers)
        now = store_time(page)
        for upload in page.get("Uploads", []):
            key, upload_id, initiated = (upload.get(field) for field in ("Key", "UploadId", "Initiated"))
            if key and upload_id and initiated and key.startswith(key_prefix):
                yield _OpenUpload(key, upload_id, initiated, now)
        following = {name: text for name in ("KeyMarker", "UploadIdMarker") if (text := page.get(f"Next{name}"))}
        if not page.get("IsTruncated") or following in ({}, markers):
            return
        markers = following


def _page(bucket: Bucket, key_prefix: str, markers: dict[str, Any]) -> dict[str, Any]:
    method = "list_multipart_uploads"
    with bucket.translating(method, None):
        try:
            return bucket.call(method, None, stoppable=False, Prefix=key_prefix, **markers)
        except aws.ERRORS as exc:
            if aws.error_code(exc) in NONE_OPEN_CODES:
                return {}
            raise


def store_time(page: dict[str, Any]) -> datetime:
    """The store's time at the answer; this machine's where it does not say."""
    text = page.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        said = parsedate_to_datetime(text)
    except ValueError:
        return datetime.now(UTC)
    return said if said.tzinfo else said.replace(tzinfo=UTC)
