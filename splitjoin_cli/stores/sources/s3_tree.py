"""The objects of a bucket, as patterns find them: by listings of one prefix at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.directory_buckets import listed_prefix
from splitjoin_cli.core.aws.s3 import Bucket
from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.stores.sources.patterns import SourceFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.aws.s3 import Retry

__all__ = ["S3Tree"]

ABSENT_CODES = frozenset({"404", "NoSuchKey", "NotFound", "403", "AccessDenied"})
"""S3 says 403 of a key that is not there to those who may not list the bucket."""
PAGE_FIELDS = frozenset({"IsTruncated", "KeyCount", "Name", "Contents", "CommonPrefixes"})


@final
class S3Tree:
    """Keys of one bucket, as S3 keeps them: ``a//b`` has an empty component. See Tree. Raises StoreError."""

    hides_dots = False

    def __init__(self, bucket: str, client: Any, *, payer: str | None = None, retry: Retry | None = None) -> None:  # noqa: ANN401 -- botocore makes its clients' classes at run time
        """``client``: one made with ``attempts=1``; it stays the caller's."""
        common = {} if payer is None else {"RequestPayer": payer}
        self._bucket = Bucket(client, bucket, common=common, retry=retry, shared=True)

    def files(self, folder: str, beginning: str) -> Iterator[SourceFile]:
        """See Tree. A key that is the folder's own name ends with ``/``: a mark that a console makes."""
        for page in self._pages(folder + beginning):
            for item in page.get("Contents", []):
                key, size = (self._bucket.needed(item, field, "list_objects_v2", None) for field in ("Key", "Size"))
                if key.startswith(folder + beginning):
                    yield SourceFile(key, int(size))

    def folders(self, folder: str, beginning: str) -> Iterator[str]:
        """See Tree."""
        for page in self._pages(folder + beginning):
            for item in page.get("CommonPrefixes", []):
                found = str(self._bucket.needed(item, "Prefix", "list_objects_v2", None))
                if found.startswith(folder + beginning):
                    yield found[len(folder) : -1]

    def file(self, name: str) -> SourceFile | None:
        """See Tree."""
        with self._bucket.translating("head_object", name):
            try:
                answer = self._bucket.call("head_object", name)
            except aws.ERRORS as exc:
                if aws.error_code(exc) in ABSENT_CODES:
                    return None
                raise
        return SourceFile(name, int(answer.get("ContentLength", 0)))

    def _pages(self, prefix: str) -> Iterator[dict[str, Any]]:
        """ListObjectsV2 of what is right under a prefix, page by page."""
        token: dict[str, Any] = {}
        listed = listed_prefix(self._bucket.name, prefix)
        while True:
            page = self._bucket.checked("list_objects_v2", None, Prefix=listed, Delimiter="/", **token)
            if not page.keys() & PAGE_FIELDS:  # a proxy's page: it does not say that nothing is there
                self._bucket.needed(page, "IsTruncated", "list_objects_v2", None)
            yield page
            if not page.get("IsTruncated"):
                return
            following = self._bucket.needed(page, "NextContinuationToken", "list_objects_v2", None)
            if token.get("ContinuationToken") == following:
                raise StoreError(
                    f"s3:ListObjectsV2 {self._bucket.uri(prefix)}: the store repeats the same page without end"
                )
            token = {"ContinuationToken": following}
