"""Finds out what a store that is not AWS lacks, by a few requests on an object that is removed again."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.directory_buckets import listed_prefix
from splitjoin_cli.core.aws.s3 import Retry
from splitjoin_cli.core.bytes import crc64 as checksums
from splitjoin_cli.core.errors import SplitjoinError, StoreError
from splitjoin_cli.core.names import PROBE_PREFIX
from splitjoin_cli.stores.sinks.base import TriedWrites
from splitjoin_cli.stores.sinks.s3_copy import is_refusal
from splitjoin_cli.stores.sinks.s3_place import ABSENT_CODES, CHANGED_CODES, DIGEST_REFUSALS
from splitjoin_cli.stores.sinks.s3_sweep import abort_older, store_time

if TYPE_CHECKING:
    from splitjoin_cli.core.model import S3Location
    from splitjoin_cli.stores.sinks.s3_place import S3Prefix

__all__ = ["S3Prober"]

PATIENCE = Retry(attempts=3, doubtful_attempts=1)
"""A courtesy: a store in trouble is left to the requests that matter."""
BODY = b"splitjoin tries what this store can do, and removes this object again.\n"
CHECKSUM = checksums.encode(checksums.crc64(BODY))
WAYS = ((True, True), (False, True), (True, False), (False, False))
"""With the checksum, with the condition: a store may refuse the one and know the other."""
SETTLED_SECONDS = 3.0
"""So long no command that lives needs for its two writes; stores date in whole seconds."""
LOOK_SECONDS, LOOKS = 0.5, 10
UNLISTED_CODES = frozenset({"NotImplemented", "XNotImplemented", "MethodNotAllowed", "501", "405"})


class S3Prober:
    """A Prober of one place."""

    def __init__(self, place: S3Prefix, *, began: float) -> None:
        """``began``: uploads that were begun before it (time.monotonic) are of killed commands, as a sweep has it."""
        self._place, self._began = place, began
        self._bucket = place.bucket.apart(PATIENCE)
        self._left: list[SplitjoinError] = []

    @property
    def left(self) -> list[SplitjoinError]:
        """As in Prober."""
        return self._left

    def stop(self) -> None:
        """As in Prober."""
        self._bucket.stop.set()

    def try_writes(self) -> TriedWrites:
        """As in Prober. Where another command takes this object for a killed one's, a third write tells."""
        key = self._new_key()
        with self._bucket.translating("put_object", key):
            try:
                checksum, condition = self._first(key)
                conditional = condition and any(self._is_refused(key, checksum=checksum) for _ in range(2))
            finally:
                self._remove(key)
        return TriedWrites(conditional, checksum)

    def _first(self, key: str) -> tuple[bool, bool]:
        """Store the object; whether its checksum came back, and whether the store took the condition."""
        for checksum, condition in WAYS:
            try:
                answer = self._put(key, checksum=checksum, condition=condition)
            except aws.ERRORS as exc:
                if aws.error_code(exc) in CHANGED_CODES:
                    return True, True  # an earlier try of this arrived, its answer did not
                if aws.error_code(exc) not in DIGEST_REFUSALS or not (checksum or condition):
                    raise
            else:
                return checksum and answer.get("ChecksumCRC64NVME") == CHECKSUM, condition
        raise AssertionError

    def _is_refused(self, key: str, *, checksum: bool) -> bool:
        """Whether a write is refused because the name is taken."""
        try:
            self._put(key, checksum=checksum, condition=True)
        except aws.ERRORS as exc:
            if aws.error_code(exc) not in CHANGED_CODES:
                raise
            return True
        return False

    def _put(self, key: str, *, checksum: bool, condition: bool) -> dict[str, Any]:
        parameters = self._place.new_object(None)
        parameters |= {"ChecksumCRC64NVME": CHECKSUM} if checksum else {}
        parameters |= {"IfNoneMatch": "*"} if condition else {}
        return self._bucket.call("put_object", key, Body=BODY, **parameters)

    def try_uploads(self) -> bool:
        """As in Prober."""
        try:
            abort_older(self._bucket, self._place.key(PROBE_PREFIX), began=self._began)
        except StoreError as exc:
            if exc.__cause__ is not None and aws.error_code(exc.__cause__) in UNLISTED_CODES:
                return False
            raise
        return True

    def try_copy(self, source: S3Location) -> bool:
        """As in Prober: the first byte of the source, into an upload that is aborted."""
        key = self._new_key()
        answer = self._bucket.checked("create_multipart_upload", key, **self._place.new_object(None))
        upload = self._bucket.needed(answer, "UploadId", "create_multipart_upload", key)
        try:
            return self._copies(key, upload, source)
        finally:
            self._abort(key, upload)

    def _copies(self, key: str, upload: str, source: S3Location) -> bool:
        pinned: dict[str, str] = {"Bucket": source.bucket, "Key": source.key}
        if source.version_id is not None:
            pinned["VersionId"] = source.version_id
        wanted: dict[str, Any] = {"CopySource": pinned, "CopySourceIfMatch": source.etag}
        with self._bucket.translating("upload_part_copy", key):
            try:
                answer = self._bucket.call(
                    "upload_part_copy", key, UploadId=upload, PartNumber=1, CopySourceRange="bytes=0-0", **wanted
                )
            except aws.ERRORS as exc:
                if aws.error_code(exc) == "NoSuchUpload" or aws.is_denied(exc) or not is_refusal(exc):
                    raise
                return False
        return bool(answer.get("CopyPartResult", {}).get("ETag"))

    def remove_stale(self) -> int:
        """As in Prober. What is young may be of a command that lives, which removes it soon: it is looked at again.

        Where one cannot be removed, the others are left alone: each command may have left one, and would try them all.
        """
        if self._left:
            return 0
        there, removed = self._objects(), 0
        for _ in range(LOOKS):
            old = [key for key, age in there.items() if age >= SETTLED_SECONDS]
            for key in old:
                if not self._remove(key):
                    return removed
                removed += 1
            young = there.keys() - old
            if not young or self._bucket.stop.wait(LOOK_SECONDS):
                break
            there = {key: age for key, age in self._objects().items() if key in young}
        return removed

    def _objects(self) -> dict[str, float]:
        """The objects of probes in this place, with their ages in seconds by the store's clock, a second too high."""
        prefix = self._place.key(PROBE_PREFIX)
        page = self._bucket.checked("list_objects_v2", None, Prefix=listed_prefix(self._bucket.name, prefix))
        now = store_time(page)
        return {
            item["Key"]: (now - item.get("LastModified", now)).total_seconds()
            for item in page.get("Contents", ())
            if str(item.get("Key")).startswith(prefix)
        }

    def _new_key(self) -> str:
        return self._place.key(f"{PROBE_PREFIX}{secrets.token_hex(16)}")

    def _remove(self, key: str) -> bool:
        """Remove the object. Whether it is gone; why not is in ``left``."""
        try:
            self._bucket.checked("delete_object", key, stoppable=False)
        except SplitjoinError as exc:
            if exc.__cause__ is None or aws.error_code(exc.__cause__) not in ABSENT_CODES:
                self._left.append(exc)
                return False
        return True

    def _abort(self, key: str, upload: str) -> None:
        try:
            self._bucket.checked("abort_multipart_upload", key, stoppable=False, UploadId=upload)
        except SplitjoinError as exc:
            if exc.__cause__ is None or aws.error_code(exc.__cause__) != "NoSuchUpload":
                self._left.append(exc)
