"""Chunks on S3: metadata, ETag and bytes of one GET; a pass that breaks goes on where it broke, pinned to the ETag."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, final

from splitjoin_cli.core import names
from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.answers import whole_checksum
from splitjoin_cli.core.aws.s3 import Bucket, parse_uri
from splitjoin_cli.core.errors import SourceChangedError, StoreError
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.model import S3Location
from splitjoin_cli.stores.chunks.base import StoredChunk
from splitjoin_cli.stores.chunks.described import (
    CheckedStream,
    Described,
    Descriptions,
    chunk_name,
    described,
    own_metadata,
)

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.client import AwsOptions
    from splitjoin_cli.core.aws.s3 import Retry
    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.names import ChunkName

__all__ = ["S3Chunks"]

METADATA_KEY = "splitjoin"
STEP_BYTES = 256 * 1024
ABSENT_CODES = frozenset({"404", "NoSuchKey", "NotFound"})
CHANGED_CODES = ABSENT_CODES | {"PreconditionFailed", "412", "InvalidRange", "416"}


@final
class S3Chunks:
    """A ChunkStore over S3."""

    def __init__(
        self,
        options: AwsOptions | None = None,
        *,
        connections: int = 8,
        client: Any = None,  # noqa: ANN401 -- botocore makes its clients' classes at run time
        retry: Retry | None = None,
    ) -> None:
        """``client``: one made with ``attempts=1``, instead of ``options``; it stays the caller's to close."""
        self._shared = client is not None
        self._client = client or aws.client("s3", options, connections=connections, attempts=1)
        self._retry = retry
        self._buckets: dict[str, Bucket] = {}
        self._lock = threading.Lock()
        self._manifests = Descriptions()

    def open_chunk(self, uri: str, *, body: bool = True) -> StoredChunk:
        """See ChunkStore."""
        where = parse_uri(uri)
        name = chunk_name(uri)
        bucket, key = self._bucket(where.bucket), where.key
        method = "get_object" if body else "head_object"
        pinned = _Pinned(bucket, key, answer := bucket.checked(method, key, ChecksumMode="ENABLED"), method)
        try:
            text = answer.get("Metadata", {}).get(METADATA_KEY)
            metadata = own_metadata(text, uri, name, pinned.size) if text is not None else None
            found = self._beside(pinned, name, whole_checksum(answer)) if metadata is None else None
        except BaseException:
            pinned.close()
            raise
        return StoredChunk(
            uri=uri,
            name=name,
            size=pinned.size,
            metadata=metadata,
            beside=found.metadata if found else None,
            validator=pinned.etag,
            checksum=whole_checksum(answer),
            open=partial(pinned.open, found.checksum if found else None),
            etag_now=pinned.etag_now,
            close=pinned.close,
            s3=S3Location(where.bucket, key, pinned.etag, answer.get("VersionId"), store=bucket.identity),
        )

    def close(self) -> None:
        """See ChunkStore."""
        with self._lock:
            buckets = list(self._buckets.values())
        for bucket in buckets:
            bucket.close()
        if not self._shared:
            self._client.close()

    def _bucket(self, name: str) -> Bucket:
        with self._lock:
            if name not in self._buckets:
                self._buckets[name] = Bucket(self._client, name, retry=self._retry, shared=True)
            return self._buckets[name]

    def _beside(self, pinned: _Pinned, name: ChunkName, checksum: int | None) -> Described | None:
        """What the manifest in the same place says, if it means these bytes as far as that is known now."""
        key = pinned.key[: len(pinned.key) - len(pinned.key.rpartition("/")[2])] + names.manifest_name(name.file_name)
        etag = _etag_now(pinned.bucket, key)
        if etag is None:
            return None
        uri = pinned.bucket.uri(key)
        document = self._manifests.get(uri, etag, lambda: _manifest(pinned.bucket, key, name.file_name))
        found = described(document, name, pinned.size)
        if found is None or (checksum is not None and found.checksum not in {None, checksum}):
            return None
        return found


def _manifest(bucket: Bucket, key: str, file_name: str) -> Manifest:
    body = bucket.checked("get_object", key)["Body"]
    with bucket.translating("get_object", key):
        try:
            return Manifest.from_bytes(body.read(), bucket.uri(key), file_name=file_name)
        finally:
            body.close()


def _etag_now(bucket: Bucket, key: str) -> str | None:
    with bucket.translating("head_object", key):
        try:
            return str(bucket.needed(bucket.call("head_object", key), "ETag", "head_object", key))
        except aws.ERRORS as exc:
            if aws.error_code(exc) in ABSENT_CODES:
                return None
            raise


class _Pinned:
    """An object as one answer showed it. The answer's own body, where it has one, is the first pass's."""

    def __init__(self, bucket: Bucket, key: str, answer: dict[str, Any], method: str) -> None:
        self.bucket = bucket
        self.key = key
        self._body = answer.get("Body")
        try:
            self.etag = str(bucket.needed(answer, "ETag", method, key))
            self.size = int(bucket.needed(answer, "ContentLength", method, key))
        except StoreError:
            self.close()
            raise

    def open(self, checksum: int | None) -> ByteStream:
        body, self._body = self._body, None
        stream = _PinnedStream(self, body)
        if checksum is None:
            return stream
        return CheckedStream(stream, size=self.size, checksum=checksum, name=self.bucket.uri(self.key))

    def etag_now(self) -> str | None:
        return _etag_now(self.bucket, self.key)

    def get(self, start: int) -> Any:  # noqa: ANN401 -- botocore's StreamingBody
        """The body from ``start`` on. Raises botocore's errors, SourceChangedError."""
        try:
            answer = self.bucket.once("get_object", self.key, Range=f"bytes={start}-{self.size - 1}", IfMatch=self.etag)
        except aws.ERRORS as exc:
            if aws.error_code(exc) in CHANGED_CODES:
                raise self.changed() from exc
            raise
        if answer.get("ETag") != self.etag or answer.get("ContentLength") != self.size - start:
            answer["Body"].close()
            raise self.changed()
        return answer["Body"]

    def changed(self) -> SourceChangedError:
        return SourceChangedError(f"{self.bucket.uri(self.key)} changed while it was read")

    def close(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None


class _PinnedStream:
    """One pass over a pinned object."""

    def __init__(self, pinned: _Pinned, body: Any) -> None:  # noqa: ANN401 -- botocore's StreamingBody, or None
        self._pinned = pinned
        self._body = body
        self._position = 0

    def readinto(self, buffer: memoryview) -> int:
        """See ByteStream. A broken connection is resumed where it broke; progress makes up for failures."""
        pinned, done = self._pinned, 0
        wanted = min(len(buffer), pinned.size - self._position)
        with pinned.bucket.translating("get_object", pinned.key):
            while done < wanted:
                some = partial(self._some, buffer[done:wanted])
                done += pinned.bucket.repeat(some, "get_object", pinned.key)
        return done

    def _some(self, view: memoryview) -> int:
        """At least one byte; as many as come before the connection breaks."""
        if self._body is None:
            self._body = self._pinned.get(self._position)
        got = 0
        try:
            while got < len(view) and not self._pinned.bucket.stop.is_set():
                read = self._body.readinto(view[got : got + STEP_BYTES])
                got += read
                self._position += read
        except aws.ERRORS:
            self.close()
            if not got:
                raise
        return got

    def close(self) -> None:
        """See ByteStream."""
        if self._body is not None:
            self._body.close()
            self._body = None
