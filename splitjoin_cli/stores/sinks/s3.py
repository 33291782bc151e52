"""Chunks as objects under an S3 prefix: single PUTs, parallel multipart uploads, server-side copies."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
import uuid
from typing import TYPE_CHECKING, Any, Self

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.directory_buckets import is_directory_bucket
from splitjoin_cli.core.aws.options import ObjectOptions
from splitjoin_cli.core.aws.s3 import Bucket, parse_uri
from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import AccessError, CopyRefusedError, ObjectChangedError, StoreError
from splitjoin_cli.core.model import ByteRange, StoredObject
from splitjoin_cli.core.progress import Tally
from splitjoin_cli.core.unpicklable import StaysHere
from splitjoin_cli.stores.sinks.base import SinkProperties, SmallObject
from splitjoin_cli.stores.sinks.s3_body import BytesBody, plan_parts
from splitjoin_cli.stores.sinks.s3_copy import COPY_MIN_BYTES, copied, copy_part
from splitjoin_cli.stores.sinks.s3_multipart import Upload, UploadLostError, Uploads
from splitjoin_cli.stores.sinks.s3_place import ABSENT_CODES, S3Prefix, WantedObject
from splitjoin_cli.stores.sinks.s3_probe import S3Prober
from splitjoin_cli.stores.sinks.s3_small import OpenSmallObject, open_small
from splitjoin_cli.stores.sinks.s3_sweep import abort_doubtful, sweep
from splitjoin_cli.stores.sinks.s3_writer import PartBuffers, S3Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.core.aws.client import AwsOptions
    from splitjoin_cli.core.aws.s3 import Retry
    from splitjoin_cli.core.bandwidth import Bandwidth
    from splitjoin_cli.core.model import S3Location
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sinks.base import Body, Condition
    from splitjoin_cli.stores.sinks.s3_multipart import Part

__all__ = ["S3Sink"]

MIB = 1024 * 1024
SINGLE_PUT_BYTES = 256 * MIB
PART_BYTES = 64 * MIB
RESTARTS = 3
CLAIM_KEY = "splitjoin-claim"
LISTING_FIELDS = frozenset({"IsTruncated", "KeyCount", "Name", "Contents"})
"""One of them is in every store's listing. An answer with none is some other page, which can be read as XML."""


class S3Sink(StaysHere):
    """A Sink on ``s3://bucket/prefix/``.

    Every byte is checked end to end: a CRC-64/NVME goes with each PUT and each part, and with the whole object at
    CompleteMultipartUpload (FULL_OBJECT), so that the store refuses other bytes with nothing visible; its echo is
    compared too. A store that does not know CRC-64/NVME (it refuses the header, or echoes none) gets a Content-MD5
    with each body, and our own CRC of the same bytes is compared before they are sent.
    A store without conditional writes (NotImplemented) gets HEAD, then the write: not atomic there.
    """

    def __init__(
        self,
        uri: str,
        options: AwsOptions | None = None,
        *,
        jobs: int = 8,
        objects: ObjectOptions | None = None,
        bandwidth: Bandwidth | None = None,
        client: Any = None,  # noqa: ANN401 -- botocore makes its clients' classes at run time
        retry: Retry | None = None,
        must_be_conditional: bool = False,
    ) -> None:
        """``uri``: ``s3://bucket/prefix``, with or without the last ``/``. ``jobs``: parts in flight.

        ``bandwidth``: what limits the bodies of this and of others together. ``client``: one made with ``attempts=1``
        (requests are repeated here), instead of ``options``. ``must_be_conditional``: see S3Prefix.
        """
        where, objects = parse_uri(uri), objects or ObjectOptions()
        prefix = where.key if not where.key or where.key.endswith("/") else where.key + "/"
        made = client or aws.client("s3", options, connections=2 * jobs, attempts=1, bandwidth=bandwidth)
        self._bucket = Bucket(made, where.bucket, common=objects.common(), retry=retry, shared=client is not None)
        self._place = S3Prefix(self._bucket, prefix, objects=objects, must_be_conditional=must_be_conditional)
        self._uploads = Uploads(self._place, jobs=jobs)
        self._buffers = PartBuffers(jobs)
        self._began = time.monotonic()
        self._properties = SinkProperties(uri=self._bucket.uri(prefix))

    @property
    def properties(self) -> SinkProperties:
        """As in Sink."""
        return self._properties

    @property
    def staging(self) -> None:
        """S3 does not rename."""
        return None

    @property
    def copier(self) -> Self:
        """As in Sink."""
        return self

    @property
    def prober(self) -> S3Prober | None:
        """As in Sink. AWS lacks nothing."""
        return None if self._bucket.is_on_aws else S3Prober(self._place, began=self._began)

    @property
    def copies_from(self) -> str:
        """As in Copier."""
        return self._bucket.identity

    @property
    def least_copy_bytes(self) -> int:
        """As in Copier."""
        return COPY_MIN_BYTES

    def put(
        self,
        name: str,
        body: Body,
        *,
        checksum: int | None,
        metadata: str | None = None,
        when: Condition | None = None,
        sent: Moved | None = None,
    ) -> StoredObject:
        """As in Sink: one PUT up to 256 MiB, parts of 64 MiB or more above."""
        wanted = WantedObject(name, body.size, checksum, metadata, when)
        if body.size <= SINGLE_PUT_BYTES:
            return self._place.put(wanted, body, sent)

        def attempt(told: Moved) -> StoredObject:
            with Upload(self._uploads, name, metadata) as upload:
                return upload.finish(upload.send_all(body, plan_parts(body.size, PART_BYTES), told), wanted)

        return self._until_kept(wanted, attempt, sent)

    def writer(
        self, name: str, *, metadata: str | None = None, when: Condition | None = None, sent: Moved | None = None
    ) -> S3Writer:
        """As in Sink."""
        return S3Writer(self._uploads, self._buffers, name, metadata=metadata, when=when, sent=sent)

    def upload(self, name: str, upload_id: str | None = None) -> Upload:
        """An upload whose parts any process may send; ``upload_id``: one that another process began. A context manager.

        It is finished, or aborted, where it was begun.
        """
        return Upload(self._uploads, name, None, upload_id=upload_id)

    def copy_part(self, name: str, upload_id: str, number: int, source: S3Location, part: ByteRange) -> Part:
        """A part of an upload that another process began, copied from ``source`` by the store.

        Raises CopyRefusedError where it does not copy; SourceChangedError where ``source`` is another object by now.
        """
        if source.store != self.copies_from:
            raise CopyRefusedError(f"{self._place.uri(name)}: the source is in another store")
        return copy_part(self.upload(name, upload_id), number, source, part, lambda _: None)

    def copy(  # noqa: PLR0913 -- as in Copier
        self,
        name: str,
        prefix: bytes,
        source: S3Location,
        ranges: ByteRange,
        *,
        checksum: int | None,
        read: Body,
        metadata: str | None = None,
        when: Condition | None = None,
        sent: Moved | None = None,
    ) -> StoredObject:
        """As in Sink. The source is pinned to its ETag and version: another one is a SourceChangedError."""
        wanted = WantedObject(name, len(prefix) + ranges.size, checksum, metadata, when)
        # What would be sent anyway: S3 copies no range into a part that is not the last and under 5 MiB.
        if wanted.size < COPY_MIN_BYTES or len(prefix) >= wanted.size:
            return self.put(name, read, checksum=checksum, metadata=metadata, when=when, sent=sent)

        def attempt(told: Moved) -> StoredObject:
            with Upload(self._uploads, name, metadata) as upload:
                return copied(upload, len(prefix), source, ranges, read, wanted, told)

        return self._until_kept(wanted, attempt, sent)

    def put_small(self, name: str, data: bytes, *, when: Condition | None = None) -> bool:
        """As in Sink."""
        claim = uuid.uuid4().hex
        parameters: dict[str, Any] = dict(self._place.small_parameters)
        if when is not None:
            parameters |= {"Metadata": {CLAIM_KEY: claim}}
        request = self._place.request(name, BytesBody(data))

        def act(condition: dict[str, str]) -> None:
            self._place.send_when(name, request, crc64(data), condition, parameters)

        with self._bucket.translating("put_object", self._place.key(name)):
            try:
                self._place.conditionally("put_object", name, when, act)
            except ObjectChangedError:
                return self._holds_claim(name, claim)
        return True

    def get_small(self, name: str) -> bytes | None:
        """As in Sink."""
        found = self.read_small(name)
        return None if found is None else found.data

    def check_writable(self, name: str) -> None:
        """As in Sink: begin an upload as a chunk's, which needs the same rights as storing it, and abort it.

        An upload that may not be aborted stays, empty: it costs nothing, and who may do so sweeps it later.
        """
        try:
            upload = Upload(self._uploads, name, None)
        except AccessError as exc:
            raise AccessError(f"nothing can be stored: {exc.message}", hint=exc.hint) from exc
        except StoreError:
            return  # a store without multipart uploads, or in trouble: the first object says more
        try:
            upload.abort()
        except StoreError:
            upload.give_up()

    def read_small(self, name: str, *, most: int | None = None) -> SmallObject | None:
        """As in Sink. Read no further where the store ignores the range."""
        key = self._place.key(name)
        part = {} if most is None else {"Range": f"bytes=0-{most - 1}"}

        def attempt() -> SmallObject:
            answer = self._bucket.once("get_object", key, **part)
            with contextlib.closing(answer["Body"]) as body:
                data: bytes = body.read(most)
            return SmallObject(data, str(answer.get("ETag", "")))

        with self._bucket.translating("get_object", key):
            try:
                return self._bucket.repeat(attempt, "get_object", key, stoppable=False)
            except aws.ERRORS as exc:
                if aws.error_code(exc) in ABSENT_CODES:
                    return None
                if aws.error_code(exc) == "InvalidRange":  # an empty object has no first byte
                    return SmallObject(b"", "")
                raise

    def open_small(self, name: str) -> OpenSmallObject | None:
        """As in Sink."""
        return open_small(self._bucket, self._place.key(name))

    def head(self, name: str) -> StoredObject | None:
        """As in Sink. ``checksum`` is None where the store keeps no CRC-64/NVME of the whole object."""
        return self._place.head(name)

    def list(self, name_prefix: str = "") -> Iterator[StoredObject]:
        """As in Sink: ListObjectsV2, page by page. A directory bucket's is put in order here, in memory."""
        if not is_directory_bucket(self._bucket.name):
            return self._pages(name_prefix)
        found = (one for one in self._pages("") if one.name.startswith(name_prefix))
        return iter(sorted(found, key=lambda one: one.name.encode()))

    def _pages(self, name_prefix: str) -> Iterator[StoredObject]:
        wanted: dict[str, Any] = {"Prefix": self._place.key(name_prefix), "Delimiter": "/"}
        token: dict[str, Any] = {}
        while True:
            page = self._bucket.checked("list_objects_v2", None, stoppable=False, **wanted, **token)
            if not page.keys() & LISTING_FIELDS:  # a proxy's page: it does not say that all is free
                self._bucket.needed(page, "IsTruncated", "list_objects_v2", None)
            for item in page.get("Contents", []):
                key, size = (self._bucket.needed(item, field, "list_objects_v2", None) for field in ("Key", "Size"))
                name = key[len(self._place.prefix) :]
                if name:  # the prefix itself is an object where a console made a "folder"
                    at = item.get("LastModified")
                    stored_at = at.timestamp() if isinstance(at, dt.datetime) else None
                    yield StoredObject(name=name, size=int(size), validator=item.get("ETag"), stored_at=stored_at)
            if not page.get("IsTruncated"):
                return
            following = self._bucket.needed(page, "NextContinuationToken", "list_objects_v2", None)
            if token.get("ContinuationToken") == following:
                raise StoreError(f"s3:ListObjectsV2 {self._properties.uri}: the store answers the same page for ever")
            token = {"ContinuationToken": following}

    def delete(self, name: str, *, when: Condition | None = None) -> bool:
        """As in Sink."""
        return self._place.delete(name, when=when)

    def sweep(self, name_prefix: str, *, only: Callable[[str], bool] | None = None, count: bool = False) -> int:
        """As in Sink. S3 has no locks: what was begun before this sink, by the store's clock, counts as killed.

        A process that lives nevertheless survives it: its NoSuchUpload makes it look for the chunk, or begin again.
        """
        own = None if only is None else (lambda key: only(key[len(self._place.prefix) :]))
        return sweep(self._uploads, self._place.key(name_prefix), began=self._began, only=own, count=count)

    def close(self) -> None:
        """As in Sink: parts in flight end at their next block, every open upload is aborted."""
        self._bucket.stop.set()
        try:
            self._uploads.close()
            abort_doubtful(self._uploads, began=self._began)
        finally:
            self._bucket.close()

    def _holds_claim(self, name: str, claim: str) -> bool:
        """Whether the object that is there is ours after all: an earlier try of ours arrived, its answer did not."""
        answer = self._place.look(name)
        return answer is not None and answer.get("Metadata", {}).get(CLAIM_KEY) == claim

    def _until_kept(
        self, wanted: WantedObject, attempt: Callable[[Moved], StoredObject], sent: Moved | None
    ) -> StoredObject:
        """``attempt()``; where another process ended our upload: its chunk, if it is the same, else once more."""
        tally = Tally(sent or (lambda _: None))
        for _ in range(RESTARTS):
            try:
                return attempt(tally.add)
            except UploadLostError:
                found = self._place.kept(wanted)
                if found is not None:
                    return found
                tally.settle(0)
        raise StoreError(
            f"{self._place.uri(wanted.name)}: another process keeps ending this upload",
            hint="end the other process, or wait for it, and run again",
        )
