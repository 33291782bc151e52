"""Chunks made by the store itself: their first bytes are sent, the rest is copied from the source on the server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.answers import whole_checksum
from splitjoin_cli.core.errors import CopyRefusedError, CorruptObjectError, SourceChangedError, StoreError
from splitjoin_cli.core.model import ByteRange
from splitjoin_cli.stores.sinks.s3_body import MAX_PARTS, BytesBody, plan_parts
from splitjoin_cli.stores.sinks.s3_multipart import Part

if TYPE_CHECKING:
    from splitjoin_cli.core.errors import SplitjoinError
    from splitjoin_cli.core.model import S3Location, StoredObject
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sinks.base import Body
    from splitjoin_cli.stores.sinks.s3_multipart import Upload
    from splitjoin_cli.stores.sinks.s3_place import S3Prefix, WantedObject

__all__ = ["COPY_MIN_BYTES", "copied", "copy_part", "is_refusal"]

MIB = 1024 * 1024
# S3: each part but the last holds at least 5 MiB, and a ranged copy wants a source of more than 5 MB.
SENT_BYTES = 5 * MIB
COPY_MIN_BYTES = 2 * SENT_BYTES
# Far below S3's 5 GiB: copies run in parallel, and none lasts longer than the read timeout.
COPIED_PART_BYTES = 256 * MIB
# What CompleteMultipartUpload answers where the parts are not what the store said that it had copied.
NOT_COPIED_CODES = frozenset({"InvalidPart", "InvalidPartOrder", "InvalidRequest", "InvalidArgument", "EntityTooSmall"})
BROKEN_CODES = frozenset({"InternalError", "500"})
CHANGED_CODES = frozenset({"PreconditionFailed", "412", "NoSuchKey", "NoSuchVersion"})


def copied(
    upload: Upload,
    prefix_bytes: int,
    source: S3Location,
    ranges: ByteRange,
    read: Body,
    wanted: WantedObject,
    sent: Moved,
) -> StoredObject:
    """Fill ``upload`` with the first bytes of ``read``, then with ranges of ``source``, and make the object visible.

    ``read`` is prefix + range, as it would be streamed; ``sent`` hears of each part. Raises SourceChangedError;
    CopyRefusedError, with nothing visible, where the store does not copy, or cannot be believed to have copied.
    """
    parts = _copy_range(upload, prefix_bytes, source, ranges, read, sent)
    try:
        stored = upload.finish(parts, wanted)
    except StoreError as exc:
        if exc.__cause__ is not None and aws.error_code(exc.__cause__) in NOT_COPIED_CODES:
            raise CopyRefusedError(f"{exc.message}: it did not copy what it said") from exc
        raise
    return stored if upload.confirmed else _looked_at(upload.place, stored, wanted)


def _copy_range(
    upload: Upload, prefix_bytes: int, source: S3Location, ranges: ByteRange, read: Body, sent: Moved
) -> list[Part]:
    first = max(SENT_BYTES, prefix_bytes)
    begin = ranges.start + first - prefix_bytes
    rest = plan_parts(ranges.end - begin, COPIED_PART_BYTES, MAX_PARTS - 1)
    copies = [
        partial(copy_part, upload, number, source, ByteRange(begin + part.start, begin + part.end), sent)
        for number, part in enumerate(rest, 2)
    ]
    return upload.run([partial(_send_first, upload, read, first, sent), *copies])


def _send_first(upload: Upload, read: Body, size: int, sent: Moved) -> Part:
    """Send the first bytes of the chunk. They are read once, by one request, and summed and sent from memory."""
    first = memoryview(bytearray(size))
    got = read.read_at(0, first)
    if got < size:
        raise SourceChangedError(f"{upload.uri}: the source ended {size - got} bytes early")
    return upload.send(1, BytesBody(first), ByteRange(0, size), sent)


def _looked_at(place: S3Prefix, stored: StoredObject, wanted: WantedObject) -> StoredObject:
    """Ask the store what it holds where it did not say which checksum it made of it. What is wrong is removed again."""
    found = place.head(stored.name)
    if found is None or found.size != wanted.size:
        if found is not None:
            place.take_back(stored.name, found.validator)
        size = "nothing" if found is None else f"{found.size} bytes"
        raise CopyRefusedError(f"{place.uri(stored.name)}: the store made {size} of a copy of {wanted.size} bytes")
    if wanted.checksum is not None and found.checksum not in {None, wanted.checksum}:
        place.take_back(stored.name, found.validator)
        raise CorruptObjectError(f"{place.uri(stored.name)}: the store copied other bytes than it was asked for")
    return stored if found.checksum is None else found


def copy_part(upload: Upload, number: int, source: S3Location, part: ByteRange, sent: Moved) -> Part:
    """Have the store copy a range of ``source`` as part ``number``. Raises as ``copied`` does."""
    pinned: dict[str, Any] = {"Bucket": source.bucket, "Key": source.key}
    if source.version_id is not None:
        pinned["VersionId"] = source.version_id
    with upload.translating("upload_part_copy"):
        try:
            answer = upload.part_call(
                "upload_part_copy",
                PartNumber=number,
                CopySource=pinned,
                CopySourceIfMatch=source.etag,
                CopySourceRange=f"bytes={part.start}-{part.end - 1}",
            )
        except aws.ERRORS as exc:
            if (refusal := _refusal(upload, source, exc)) is None:
                raise
            raise refusal from exc
    result = answer.get("CopyPartResult", {})
    if not result.get("ETag"):  # some stores answer 200 and copy nothing
        raise CopyRefusedError(f"s3:UploadPartCopy {upload.uri}: the store's answer has no ETag")
    sent(part.size)
    return Part(number, str(result["ETag"]), part.size, whole_checksum(result))


def _refusal(upload: Upload, source: S3Location, error: Exception) -> SplitjoinError | None:
    """What a failed copy means: the source changed, or the store will not copy (stream then); None for the rest."""
    code = aws.error_code(error)
    if code in CHANGED_CODES:
        return SourceChangedError(f"s3://{source.bucket}/{source.key}: the source changed while it was copied")
    # A store that fails at each try of a copy may well take the bytes: there is no other way to it. AWS is only busy.
    broken = code in BROKEN_CODES and not upload.place.bucket.is_on_aws
    if not broken and not is_refusal(error):
        return None
    return CopyRefusedError(f"s3:UploadPartCopy {upload.uri}: the store refuses to copy the range ({code})")


def is_refusal(error: BaseException) -> bool:
    """Whether the store will not copy; other errors are of the source, the credentials or the network."""
    code = aws.error_code(error)
    others = CHANGED_CODES | aws.EXPIRED_CODES | aws.CREDENTIAL_CODES
    return bool(code) and code not in others and not aws.is_transient(error)
