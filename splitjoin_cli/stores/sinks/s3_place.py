"""A prefix on S3: single objects put there with a digest that the store checks, and asked for again."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.answers import whole_checksum
from splitjoin_cli.core.bytes import crc64 as checksums
from splitjoin_cli.core.errors import CorruptObjectError, ObjectChangedError, UsageError
from splitjoin_cli.core.model import ByteRange, StoredObject
from splitjoin_cli.stores.sinks.base import Condition
from splitjoin_cli.stores.sinks.s3_body import RequestBody, content_md5

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from splitjoin_cli.core.aws.options import ObjectOptions
    from splitjoin_cli.core.aws.s3 import Bucket
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sinks.base import Body

__all__ = ["ABSENT_CODES", "UNKNOWN_CODES", "Digest", "S3Prefix", "WantedObject", "differing_echo", "digest_header"]

T = TypeVar("T")

METADATA_KEY = "splitjoin"
ABSENT_CODES = frozenset({"404", "NoSuchKey", "NotFound"})
# What stores that do not know x-amz-checksum-crc64nvme answer to it (a store that ignores it echoes none).
DIGEST_REFUSALS = frozenset({"NotImplemented", "XNotImplemented", "InvalidRequest", "InvalidArgument"})

CHANGED_CODES = frozenset({"PreconditionFailed", "412"})
UNKNOWN_CODES = frozenset({"NotImplemented", "XNotImplemented"})
"""What a store answers to a condition, or to another header, that it does not know."""


class Digest(enum.Enum):
    """What goes with a body so that the store can refuse other bytes."""

    CRC64NVME = enum.auto()
    MD5 = enum.auto()


class NoEchoError(Exception):
    """The store took the bytes and did not say which checksum it computed. ``etag``: of what it made of them."""

    def __init__(self, etag: str | None = None) -> None:
        """``etag``: None where there is none, or no object yet."""
        super().__init__()
        self.etag = etag


@dataclass(frozen=True, slots=True)
class WantedObject:
    """The object that is to be there in the end. ``checksum``: CRC-64/NVME of its bytes, None while nobody knows it.

    ``when``: what must be under the name until then.
    """

    name: str
    size: int
    checksum: int | None
    metadata: str | None
    when: Condition | None = None


class S3Prefix:
    """A prefix of a bucket, and what is known of its store. Thread-safe.

    ``digest`` is CRC64NVME until the store shows that it does not know it; from then on each body is read once more,
    before it is sent, and carries a Content-MD5 instead, which every S3 has known from the beginning.
    ``compares_sizes``: no upload was refused yet because its end announces a size (``MpuObjectSize``).
    """

    def __init__(
        self, bucket: Bucket, prefix: str, *, objects: ObjectOptions, must_be_conditional: bool = False
    ) -> None:
        """``prefix`` is empty or ends with ``/``. ``objects``: encryption, storage class, tags, encoding.

        ``must_be_conditional``: nothing is stored on a condition that the store cannot hold itself.
        """
        self._must_be_conditional = must_be_conditional
        self.bucket = bucket
        self.prefix = prefix
        self.digest = Digest.CRC64NVME
        self.compares_sizes = True
        self._chunk_parameters = objects.new_chunk()
        self.small_parameters: Mapping[str, str] = objects.new_small_object()
        self._unknown: set[str] = set()  # operations and conditions that the store refused, and did without

    def key(self, name: str) -> str:
        """The key of a name."""
        return self.prefix + name

    def uri(self, name: str) -> str:
        """The object's URI, for messages."""
        return self.bucket.uri(self.key(name))

    def new_object(self, metadata: str | None) -> dict[str, Any]:
        """The parameters of requests that make an object: a chunk has metadata, a manifest has none."""
        if metadata is None:
            return dict(self.small_parameters)
        return {**self._chunk_parameters, "Metadata": {METADATA_KEY: metadata}}

    def with_digest(self, act: Callable[[Digest], T]) -> T:
        """``act`` with a CRC-64/NVME; where the store does not know it, once more with a Content-MD5."""
        if self.digest is Digest.CRC64NVME:
            try:
                return act(Digest.CRC64NVME)
            except NoEchoError:
                self.digest = Digest.MD5  # now: what follows may fail for a reason of its own (the name is claimed)
            except aws.ERRORS as exc:
                if aws.error_code(exc) not in DIGEST_REFUSALS:
                    raise
        result = act(Digest.MD5)
        self.digest = Digest.MD5
        return result

    def put(self, wanted: WantedObject, body: Body, sent: Moved | None = None) -> StoredObject:
        """One PutObject. An unknown checksum is computed by a first read, so that the store can refuse other bytes."""
        request = self.request(wanted.name, body, sent)
        checksum = request.checksum if wanted.checksum is None else wanted.checksum
        parameters = self.new_object(wanted.metadata)

        def act(condition: dict[str, str]) -> dict[str, Any]:
            return self.send_when(wanted.name, request, checksum, condition, parameters)

        with self.bucket.translating("put_object", self.key(wanted.name)):
            try:
                answer = self.conditionally("put_object", wanted.name, wanted.when, act)
            except ObjectChangedError:
                if (found := self.kept(replace(wanted, checksum=checksum))) is None:
                    raise
                return found  # an earlier try of ours arrived, its answer did not
        return StoredObject(wanted.name, wanted.size, checksum, wanted.metadata, answer.get("ETag"))

    def conditionally(self, method: str, name: str, when: Condition | None, act: Callable[[dict[str, str]], T]) -> T:
        """``act`` with the parameters of a condition. Raises ObjectChangedError where it does not hold.

        A store that does not know the condition is asked what is there first: not in one step, as nothing is there.
        Raises UsageError where that is not enough.
        """
        if when is None:
            return act({})
        parameter = {"IfNoneMatch": "*"} if when.validator is None else {"IfMatch": when.validator}
        kind = f"{method} {min(parameter)}"
        if kind not in self._unknown:
            try:
                return act(parameter)
            except aws.ERRORS as exc:
                code = aws.error_code(exc)
                if code in CHANGED_CODES or (when.validator is not None and code in ABSENT_CODES):
                    raise self._changed(name) from exc
                if code not in UNKNOWN_CODES:
                    raise
                if self._must_be_conditional and method != "delete_object":
                    raise UsageError(
                        f"{self.uri(name)}: the store has no conditional writes, which workers need",
                        hint="use --engine threads, or another store",
                    ) from exc
        found = self.head(name)
        if (None if found is None else found.validator) != when.validator:
            raise self._changed(name)
        answer = act({})
        self._unknown.add(kind)
        return answer

    def _changed(self, name: str) -> ObjectChangedError:
        return ObjectChangedError(f"{self.uri(name)}: another object has this key by now")

    def request(self, name: str, body: Body, sent: Moved | None = None) -> RequestBody:
        """All of ``body``, to be sent as ``name``."""
        whole, stopped = ByteRange(0, body.size), self.bucket.stop.is_set
        return RequestBody(body, whole, uri=self.uri(name), stopped=stopped, sent=sent)

    def send_when(
        self,
        name: str,
        request: RequestBody,
        checksum: int,
        condition: Mapping[str, str],
        parameters: Mapping[str, Any],
    ) -> dict[str, Any]:
        """``send`` with the digest that the store knows, under a condition. Raises what ``send`` does."""
        held = dict(condition)

        def act(digest: Digest) -> dict[str, Any]:
            try:
                return self.send(name, request, checksum, digest, **parameters, **held)
            except NoEchoError as exc:
                if held:  # what is there now is ours, and the next try replaces it
                    held.clear()
                    held.update({"IfMatch": exc.etag} if exc.etag else {})
                raise

        return self.with_digest(act)

    def send(
        self, name: str, request: RequestBody, checksum: int, digest: Digest, **parameters: object
    ) -> dict[str, Any]:
        """One PutObject with the digest. Raises botocore's errors, NoEchoError, CorruptObjectError."""
        if digest is Digest.MD5 and request.checksum != checksum:
            raise CorruptObjectError(f"{self.uri(name)}: the bytes to send are not those that were announced")
        body: dict[str, Any] = {"Body": request, **parameters, **digest_header(request, checksum, digest)}
        answer = self.bucket.call("put_object", self.key(name), **body)
        if (echo := differing_echo(answer, checksum, digest)) is not None:
            self.remove_corrupt(name, answer, echo, checksum)
        return answer

    def take_back(self, name: str, etag: str | None) -> None:
        """Remove an object that is not what was to be stored, but not one that another process puts in its place.

        ``etag``: as the store answered; where it named none, what is there is removed.
        """
        self.delete(name, when=None if etag is None else Condition(etag))

    def remove_corrupt(self, name: str, answer: Mapping[str, Any], echo: str, checksum: int) -> None:
        """Take back the object that the store made of other bytes. Always raises CorruptObjectError."""
        self.take_back(name, answer.get("ETag"))
        raise CorruptObjectError(
            f"{self.uri(name)}: the store received {echo}, sent was {checksums.encode(checksum)}",
            hint="run the same command again; if it stays, the way to the store damages data",
        )

    def head(self, name: str) -> StoredObject | None:
        """As in Sink. ``checksum`` is None where the store keeps no CRC-64/NVME of the whole object."""
        answer = self.look(name)
        if answer is None:
            return None
        return StoredObject(
            name=name,
            size=int(self.bucket.needed(answer, "ContentLength", "head_object", self.key(name))),
            checksum=whole_checksum(answer),
            metadata=answer.get("Metadata", {}).get(METADATA_KEY),
            validator=answer.get("ETag"),
        )

    def look(self, name: str) -> dict[str, Any] | None:
        """The store's answer to HeadObject; None when it is absent."""
        key = self.key(name)
        with self.bucket.translating("head_object", key):
            try:
                return self.bucket.call("head_object", key, ChecksumMode="ENABLED")
            except aws.ERRORS as exc:
                if aws.error_code(exc) in ABSENT_CODES:
                    return None
                raise

    def kept(self, wanted: WantedObject) -> StoredObject | None:
        """What is stored, if it is surely what was wanted: the same size, metadata and checksum, as far as known."""
        found = self.head(wanted.name)
        if found is None or (found.size, found.metadata) != (wanted.size, wanted.metadata):
            return None
        if found.checksum is None or wanted.checksum not in {None, found.checksum}:
            return None
        return found if wanted.checksum is not None or wanted.metadata is not None else None

    def delete(self, name: str, *, when: Condition | None = None) -> bool:
        """As in Sink."""
        key = self.key(name)

        def act(condition: dict[str, str]) -> None:
            self.bucket.call("delete_object", key, stoppable=False, **condition)

        with self.bucket.translating("delete_object", key):
            try:
                self.conditionally("delete_object", name, when, act)
            except ObjectChangedError:
                return self.head(name) is None  # gone: by another process, or by an earlier try of ours
            except aws.ERRORS as exc:
                if aws.error_code(exc) not in ABSENT_CODES:
                    raise
        return True


def digest_header(request: RequestBody, checksum: int, digest: Digest) -> dict[str, str]:
    """The parameter that carries the digest of a body."""
    if digest is Digest.CRC64NVME:
        return {"ChecksumCRC64NVME": checksums.encode(checksum)}
    return {"ContentMD5": content_md5(request)}


def differing_echo(answer: Mapping[str, Any], checksum: int, digest: Digest) -> str | None:
    """What the store says it received, if that is not ``checksum``. Raises NoEchoError where it does not say."""
    if digest is Digest.MD5:
        return None
    echo = answer.get("ChecksumCRC64NVME")
    if echo is None:
        raise NoEchoError(answer.get("ETag"))
    return None if echo == checksums.encode(checksum) else str(echo)
