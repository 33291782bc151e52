"""S3's redirects to a bucket's own region, which botocore follows, and others, which it must not follow for ever.

Without a region in the answer botocore asks for the bucket (HeadBucket). Where that is redirected too, by a proxy that
sends http to https for example, it asks for the bucket again, until Python's stack is full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

__all__ = ["follow_once", "redirected_to"]

STATUSES = frozenset({301, 302, 303, 307, 308})
REGION_HEADER = "x-amz-bucket-region"


def follow_once(client: Any) -> None:  # noqa: ANN401 -- botocore makes its clients' classes at run time
    """Let no HeadBucket of an S3 client be followed: what asks for the region reads it in the answer's headers."""

    def before_call(context: dict[str, Any], **_: object) -> None:
        context.setdefault("s3_redirect", {})["redirected"] = True

    client.meta.events.register("before-call.s3.HeadBucket", before_call)


def redirected_to(error: ClientError) -> str | None:
    """Scheme and host that a redirect names which is not S3's to another region; None for all else."""
    answer = error.response.get("ResponseMetadata", {})
    headers = answer.get("HTTPHeaders", {})
    location = urlsplit(str(headers.get("location", "")))
    says_region = REGION_HEADER in headers or error.response.get("Error", {}).get("Region")
    if answer.get("HTTPStatusCode") not in STATUSES or says_region or not location.hostname:
        return None
    return f"{location.scheme}://{location.netloc.rpartition('@')[2]}"
