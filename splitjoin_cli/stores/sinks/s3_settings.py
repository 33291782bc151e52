"""What an object on S3 was stored with, so that the one that replaces it gets the same."""

from __future__ import annotations

from typing import Any

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.options import ObjectOptions
from splitjoin_cli.core.aws.s3 import Bucket, parse_uri
from splitjoin_cli.stores.sinks.s3_place import ABSENT_CODES

__all__ = ["settings_of"]

UNKNOWN_CODES = frozenset({"NotImplemented", "XNotImplemented", "NoSuchTagSet", "MethodNotAllowed"})
"""What stores answer that know no tags."""


def settings_of(uri: str, client: Any) -> ObjectOptions:  # noqa: ANN401 -- botocore makes its clients' classes at run time
    """Encryption, class, tags and encoding of an object; the bucket's own where it is absent. Raises our errors."""
    where = parse_uri(uri)
    bucket = Bucket(client, where.bucket, shared=True)
    try:
        answer = _head(bucket, where.key)
        if answer is None:
            return ObjectOptions()
        sse = answer.get("ServerSideEncryption")
        return ObjectOptions(
            sse=sse,
            sse_kms_key_id=answer.get("SSEKMSKeyId") if sse == "aws:kms" else None,
            storage_class=answer.get("StorageClass"),
            tags=_tags(bucket, where.key),
            content_encoding=_encoding(answer.get("ContentEncoding")),
        )
    finally:
        bucket.close()


def _encoding(said: str | None) -> str | None:
    """The object's own; stores keep ``aws-chunked`` too, which is how its bytes came."""
    codings = [one.strip() for one in (said or "").split(",")]
    return ",".join(one for one in codings if one and one != "aws-chunked") or None


def _head(bucket: Bucket, key: str) -> dict[str, Any] | None:
    with bucket.translating("head_object", key):
        try:
            return bucket.call("head_object", key)
        except aws.ERRORS as exc:
            if aws.error_code(exc) in ABSENT_CODES:
                return None
            raise


def _tags(bucket: Bucket, key: str) -> tuple[tuple[str, str], ...]:
    with bucket.translating("get_object_tagging", key):
        try:
            answer = bucket.call("get_object_tagging", key)
        except aws.ERRORS as exc:
            if aws.error_code(exc) in ABSENT_CODES | UNKNOWN_CODES:
                return ()
            raise
    return tuple((str(tag["Key"]), str(tag["Value"])) for tag in answer.get("TagSet", ()))
