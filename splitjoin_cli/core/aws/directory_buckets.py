"""S3's directory buckets (S3 Express One Zone), and what their listings do not do.

Their names end with ``--x-s3``. They list prefixes that end with ``/`` alone, and in no order (S3 API Reference,
"ListObjectsV2", "ListMultipartUploads"). They send no notifications, and keep no tags.
"""

from __future__ import annotations

__all__ = ["is_directory_bucket", "listed_prefix"]

SUFFIX = "--x-s3"


def is_directory_bucket(bucket: str) -> bool:
    """By its name, which no other bucket may have."""
    return bucket.endswith(SUFFIX)


def listed_prefix(bucket: str, prefix: str) -> str:
    """The prefix to list for keys that begin with ``prefix``. What else it brings, the caller drops."""
    return prefix[: prefix.rfind("/") + 1] if is_directory_bucket(bucket) else prefix
