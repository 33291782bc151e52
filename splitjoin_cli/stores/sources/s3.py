"""An export on S3, read by ranges that are pinned to the ETag it had when it was opened."""

from __future__ import annotations

import shlex
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.s3 import Bucket, parse_uri
from splitjoin_cli.core.errors import SourceError, SplitjoinError
from splitjoin_cli.core.model import S3Location, SourceProperties
from splitjoin_cli.core.unpicklable import StaysHere
from splitjoin_cli.stores.sources.s3_ranges import Cursors, PinnedObject, ReadAhead, read_parallel

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.client import AwsOptions
    from splitjoin_cli.core.aws.s3 import Retry
    from splitjoin_cli.core.bandwidth import Bandwidth
    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.model import ByteRange
    from splitjoin_cli.core.progress import Moved

__all__ = ["S3Source"]

# From here on a buffer is filled by several GETs at once.
PARALLEL_BYTES = 16 * 1024 * 1024
READ_BYTES = 4 * 1024 * 1024  # a round trip to S3 takes as long as some MiB
ABSENT_CODES = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"})
WORDLESS_CODES = frozenset({"400", "403"})


class S3Source(StaysHere):
    """A Source on ``s3://bucket/key``, its bytes as they are stored.

    ``read_at`` goes on where an earlier one stopped without a new request, so many small reads in order cost about
    as little as one long one; each of up to ``2 * jobs`` readers has its own place.
    """

    def __init__(
        self,
        uri: str,
        options: AwsOptions | None = None,
        *,
        jobs: int = 8,
        request_payer: str | None = None,
        bandwidth: Bandwidth | None = None,
        client: Any = None,  # noqa: ANN401 -- botocore makes its clients' classes at run time
        retry: Retry | None = None,
    ) -> None:
        """One HEAD. ``jobs``: GETs at once. ``client``: one made with ``attempts=1``, instead of ``options``.

        ``bandwidth``: what limits the bodies of this and of others together.
        Raises SourceError where there is no such object, or where it may not be read.
        """
        where = parse_uri(uri)
        if not where.key or where.key.endswith("/"):
            raise SourceError(f"cannot read {uri}: it names a prefix, not an object")
        common = {} if request_payer is None else {"RequestPayer": request_payer}
        made = client or aws.client("s3", options, connections=4 * jobs, attempts=1, bandwidth=bandwidth)
        self._bucket = Bucket(made, where.bucket, common=common, retry=retry, shared=client is not None)
        try:
            answer = self._head(where.key)
        except SplitjoinError:
            self._bucket.close()
            raise
        self._pinned = PinnedObject(self._bucket, where.key, etag=answer["ETag"], size=int(answer["ContentLength"]))
        self._cursors = Cursors(self._pinned, limit=2 * jobs)
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="s3-read")
        self._properties = SourceProperties(
            uri=str(where),
            seekable=True,
            size=self._pinned.size,
            stored_bytes=self._pinned.size,
            compression=None,
            validator=self._pinned.etag,
            s3=S3Location(where.bucket, where.key, self._pinned.etag, store=self._bucket.identity),
            read_bytes=READ_BYTES,
        )

    @property
    def properties(self) -> SourceProperties:
        """As in Source. ``validator`` is the ETag as the store writes it."""
        return self._properties

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:
        """As in Source."""
        view = buffer[: max(0, min(len(buffer), self._pinned.size - offset))]
        if len(view) >= PARALLEL_BYTES:
            read_parallel(self._pinned, self._pool, offset, view, came)
        elif len(view):
            self._cursors.read(offset, view, came)
        return len(view)

    def announce(self, part: ByteRange) -> None:
        """As in ``base.announce``: one GET asks for all of it, up to 32 MiB."""
        self._cursors.announce(part)

    def stream(self, came: Moved | None = None) -> ByteStream:
        """As in Source: 32 MiB at most are read ahead."""
        return ReadAhead(self._pinned, self._pool, came)

    def check_unchanged(self) -> None:
        """As in Source."""
        key = self._pinned.key
        with self._bucket.translating("head_object", key):
            try:
                answer = self._bucket.call("head_object", key)
            except aws.ERRORS as exc:
                if aws.error_code(exc) in ABSENT_CODES:
                    raise self._pinned.changed() from exc
                raise
        if answer.get("ETag") != self._pinned.etag:
            raise self._pinned.changed()

    def close(self) -> None:
        """As in Source."""
        self._bucket.stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._cursors.close()
        self._bucket.close()

    def _head(self, key: str) -> dict[str, Any]:
        try:
            with self._bucket.translating("head_object", key):
                try:
                    answer = self._bucket.call("head_object", key)
                except aws.ERRORS as exc:
                    if aws.error_code(exc) in ABSENT_CODES:
                        raise self._absent(key) from exc
                    if aws.error_code(exc) in WORDLESS_CODES:
                        self._ask_why(key)
                    raise
            for field in ("ETag", "ContentLength"):
                self._bucket.needed(answer, field, "head_object", key)
        except SourceError:
            raise
        except SplitjoinError as exc:
            raise SourceError(f"cannot read {self._bucket.uri(key)}: {exc.message}", hint=exc.hint) from exc
        return answer

    def _ask_why(self, key: str) -> None:
        """HEAD has no body, so it cannot say whether keys are wrong, expired or denied: GET can, and raises."""
        with self._bucket.translating("get_object", key):
            self._bucket.call("get_object", key, Range="bytes=0-0")["Body"].close()

    def _absent(self, key: str) -> SourceError:
        """HEAD has no body, so it cannot say whether it is the bucket or the object that is missing."""
        try:
            self._bucket.call("head_bucket", None)
        except aws.ERRORS as exc:
            if aws.error_code(exc) in ABSENT_CODES:
                return SourceError(
                    f"cannot read {self._bucket.uri(key)}: the bucket does not exist",
                    hint="check its name; aws s3 ls lists your buckets",
                )
        folder = self._bucket.uri(key).rpartition("/")[0] + "/"
        return SourceError(
            f"cannot read {self._bucket.uri(key)}: the object does not exist",
            hint=f"check its name; {shlex.join(['aws', 's3', 'ls', folder])} lists what is there",
        )
