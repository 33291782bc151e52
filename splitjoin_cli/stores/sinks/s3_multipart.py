"""Multipart uploads: parts sent in parallel, each digest checked by the store, and nothing left open."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.bytes import crc64 as checksums
from splitjoin_cli.core.errors import CorruptObjectError, ObjectChangedError, SplitjoinError, StoreError
from splitjoin_cli.core.model import StoredObject
from splitjoin_cli.stores.sinks.s3_body import RequestBody, UploadStoppedError
from splitjoin_cli.stores.sinks.s3_place import UNKNOWN_CODES, Digest, differing_echo, digest_header

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from splitjoin_cli.core.aws.s3 import Bucket
    from splitjoin_cli.core.model import ByteRange
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sinks.base import Body
    from splitjoin_cli.stores.sinks.s3_place import S3Prefix, WantedObject

__all__ = ["Part", "Upload", "UploadLostError", "Uploads", "abort_upload"]

T = TypeVar("T")
NEVER_ABORTED_CODES = frozenset({"NotImplemented", "XNotImplemented", "MethodNotAllowed", "501", "405"})
"""Of stores that know no aborting: what they keep of an upload is theirs to remove."""


class UploadLostError(StoreError):
    """The store no longer knows the upload: another process completed or swept it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part that the store has. ``checksum`` is None where it was copied by a store that does not tell."""

    number: int
    etag: str
    size: int
    checksum: int | None


class Uploads:
    """The multipart uploads of one sink: their threads, and those that are open. Thread-safe."""

    def __init__(self, place: S3Prefix, *, jobs: int) -> None:
        """``jobs``: parts in flight at once, over all uploads."""
        self.place = place
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="s3-part")
        self._open: dict[str, Upload] = {}
        self._lock = threading.Lock()
        # Keys of which an upload may have been made although the answer was lost.
        self.doubtful_keys: set[str] = set()

    def submit(self, function: Callable[..., T], *arguments: object) -> Future[T]:
        """Run on a thread of the pool. Raises RuntimeError once it is closed."""
        return self._pool.submit(function, *arguments)

    def add(self, upload_id: str, upload: Upload) -> None:
        """Remember an open upload."""
        with self._lock:
            self._open[upload_id] = upload

    def forget(self, upload_id: str) -> None:
        """It is open no more."""
        with self._lock:
            self._open.pop(upload_id, None)

    def is_open(self, upload_id: str) -> bool:
        """Whether this sink holds it."""
        with self._lock:
            return upload_id in self._open

    def close(self) -> None:
        """End the threads and abort what is open. All are tried; the first error is raised.

        The bucket is stopped, so parts that still wait for a thread end as soon as they have one. They are not
        cancelled: who waits for them by ``wait`` would never hear of it.
        """
        self._pool.shutdown(wait=True)
        with self._lock:
            left = list(self._open.values())
        problems: list[SplitjoinError] = []
        for upload in left:
            try:
                upload.abort()
            except SplitjoinError as exc:
                problems.append(exc)
        if problems:
            raise problems[0]


class Upload:
    """One multipart upload. Leaving its ``with`` block before ``finish`` aborts it. Thread-safe."""

    def __init__(self, uploads: Uploads, name: str, metadata: str | None, *, upload_id: str | None = None) -> None:
        """Begin it. Raises our errors. ``upload_id``: of one that another process began, and will finish or abort."""
        self._metadata = metadata
        self._uploads = uploads
        self._place = uploads.place
        self._bucket = uploads.place.bucket
        self._key = uploads.place.key(name)
        self._failed = threading.Event()
        self.confirmed = False
        """Whether the store said, when it was finished, that the whole object has the checksum that it must have."""
        if upload_id is not None:
            self._id = upload_id
            return
        with self._bucket.translating("create_multipart_upload", self._key):
            self._id = self._place.with_digest(self._create)

    @property
    def id(self) -> str:
        """As the store calls it."""
        return self._id

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        # What cannot be aborted now stays registered, and the sink's close() tries again; the first error is told.
        with contextlib.suppress(SplitjoinError):
            self.abort()

    @property
    def uri(self) -> str:
        """Of the object."""
        return self._bucket.uri(self._key)

    @property
    def place(self) -> S3Prefix:
        """Where the object will be."""
        return self._place

    def stopped(self) -> bool:
        """Whether parts in flight should end."""
        return self._failed.is_set() or self._bucket.stop.is_set()

    def send(self, number: int, body: Body, part: ByteRange, sent: Moved | None = None) -> Part:
        """Upload a range of ``body`` as part ``number``. Raises CorruptObjectError, UploadLostError.

        The range is read twice, first for its checksum: S3 wants the header with each part of an upload that was
        begun with a checksum, and a trailer costs more than the read and is not known to all stores.
        """
        request = RequestBody(body, part, uri=self.uri, stopped=self.stopped, sent=sent)
        with self.translating("upload_part"):
            return self._place.with_digest(lambda digest: self._send(number, request, digest))

    def send_all(self, body: Body, parts: Sequence[ByteRange], sent: Moved | None = None) -> list[Part]:
        """Upload all ranges in parallel, numbered from 1."""
        return self.run([partial(self.send, number, body, part, sent) for number, part in enumerate(parts, 1)])

    def run(self, calls: Sequence[Callable[[], Part]]) -> list[Part]:
        """All calls in parallel; their parts in this order."""
        futures: list[Future[Part]] = []
        try:
            for call in calls:
                futures.append(self.submit(call))  # noqa: PERF401 -- those submitted so far are cancelled below
        except StoreError:
            self.cancel(futures)
            raise
        return self.gather(futures)

    def submit(self, function: Callable[..., Part], *arguments: object) -> Future[Part]:
        """Run on the sink's pool. Raises StoreError once that is closed."""
        try:
            return self._uploads.submit(function, *arguments)
        except RuntimeError as exc:
            raise StoreError(f"{self.uri}: stopped before it was done") from exc

    def gather(self, futures: Sequence[Future[Part]]) -> list[Part]:
        """Wait for all; at the first that fails, stop the others and raise its error."""
        try:
            done, waiting = wait(futures, return_when=FIRST_EXCEPTION)
        except BaseException:  # an interrupt
            self.cancel(futures)
            raise
        if not waiting and not any(future.cancelled() or future.exception() for future in done):
            return [future.result() for future in futures]
        self.cancel(futures)
        raise cause(futures) or StoreError(f"{self.uri}: stopped before it was done")

    def cancel(self, futures: Sequence[Future[Part]]) -> None:
        """End the parts under way and wait for them: S3 may keep a part that arrives after the abort."""
        self._failed.set()
        for future in futures:
            future.cancel()
        wait(futures)

    def part_call(self, method: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 -- whatever botocore takes
        """A call on this upload. NoSuchUpload becomes UploadLostError; other errors are botocore's."""
        try:
            return self._bucket.call(method, self._key, UploadId=self._id, **parameters)
        except aws.ERRORS as exc:
            if aws.error_code(exc) != "NoSuchUpload":
                raise
            self._failed.set()
            self._uploads.forget(self._id)
            raise UploadLostError(
                f"{self._bucket.operation(method)} {self.uri}: the upload was ended by another process",
                hint="run the same command again",
            ) from exc

    def translating(self, method: str) -> AbstractContextManager[None]:
        """As Bucket's, for this object."""
        return self._bucket.translating(method, self._key)

    def finish(self, parts: Sequence[Part], wanted: WantedObject) -> StoredObject:
        """Compare the parts with what is wanted and make the object visible, whole.

        The answer's checksum is None only where the store keeps the checksum of a copied part to itself and nobody
        knew that of the whole. Raises CorruptObjectError, with nothing visible, where something else arrived.
        """
        summed = _checksum(parts)
        checksum = summed if wanted.checksum is None else wanted.checksum
        if sum(part.size for part in parts) != wanted.size or summed not in {None, checksum}:
            raise CorruptObjectError(f"{self.uri}: the bytes that were sent are not those that were announced")
        with self.translating("complete_multipart_upload"):
            try:
                answer = self._place.conditionally(
                    "complete_multipart_upload",
                    wanted.name,
                    wanted.when,
                    lambda condition: self._complete(parts, wanted.size, checksum, condition),
                )
            except ObjectChangedError:
                if (found := self._place.kept(replace(wanted, checksum=checksum))) is None:
                    raise
                return found  # an earlier try of ours arrived, its answer did not; leaving the block ends what is open
        self._uploads.forget(self._id)
        echo = answer.get("ChecksumCRC64NVME")
        if echo is not None and checksum is not None:
            if echo != checksums.encode(checksum):
                self._place.remove_corrupt(wanted.name, answer, echo, checksum)
            self.confirmed = True
        return StoredObject(wanted.name, wanted.size, checksum, wanted.metadata, answer.get("ETag"))

    def abort(self) -> None:
        """Leave nothing open. Safe to repeat, and after ``finish``."""
        self._failed.set()
        if self._uploads.is_open(self._id):
            abort_upload(self._bucket, self._key, self._id)
            self._uploads.forget(self._id)

    def give_up(self) -> None:
        """Leave it open, since it may not be aborted."""
        self._uploads.forget(self._id)

    def _create(self, digest: Digest) -> str:
        parameters = self._place.new_object(self._metadata)
        if digest is Digest.CRC64NVME:
            parameters |= {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "FULL_OBJECT"}

        def attempt() -> str:
            # In doubt from the first: a signal may end this call anywhere, also between the answer and our note of it.
            in_doubt_before = self._key in self._uploads.doubtful_keys
            self._uploads.doubtful_keys.add(self._key)
            try:
                answer = self._bucket.once("create_multipart_upload", self._key, **parameters)
            except aws.ERRORS as exc:
                stopped = aws.raised_by_body(exc) is not None  # or by a signal while botocore waited for the answer
                lost = aws.is_transient(exc) and not aws.never_connected(exc)
                if not (stopped or lost or in_doubt_before):
                    self._uploads.doubtful_keys.discard(self._key)
                raise
            upload_id = str(self._bucket.needed(answer, "UploadId", "create_multipart_upload", self._key))
            self._uploads.add(upload_id, self)
            if not in_doubt_before:
                self._uploads.doubtful_keys.discard(self._key)
            return upload_id

        return self._bucket.repeat(attempt, "create_multipart_upload", self._key)

    def _send(self, number: int, request: RequestBody, digest: Digest) -> Part:
        checksum = request.checksum
        header = digest_header(request, checksum, digest)
        answer = self.part_call("upload_part", PartNumber=number, Body=request, **header)
        if (echo := differing_echo(answer, checksum, digest)) is not None:
            sent = checksums.encode(checksum)
            raise CorruptObjectError(f"{self.uri}: part {number}: the store received {echo}, sent was {sent}")
        etag = str(self._bucket.needed(answer, "ETag", "upload_part", self._key))
        return Part(number, etag, len(request), checksum)

    def _complete(
        self, parts: Sequence[Part], size: int, checksum: int | None, condition: dict[str, str]
    ) -> dict[str, Any]:
        """Make the object visible. A store that knows the checksum is asked to compare it, and the size, too."""
        rows = [{"PartNumber": part.number, "ETag": part.etag} for part in parts]
        plain: dict[str, Any] = {"MultipartUpload": {"Parts": rows}, **condition}
        if checksum is None or self._place.digest is not Digest.CRC64NVME:
            return self.part_call("complete_multipart_upload", **plain)
        digest = {"ChecksumCRC64NVME": checksums.encode(checksum), "ChecksumType": "FULL_OBJECT"}
        try:
            return self._complete_sized(plain | digest, size)
        except aws.ERRORS as exc:
            if aws.error_code(exc) != "BadDigest" or _checksum(parts) is None:
                raise
            # Some stores compare with a checksum of the parts' checksums. Each part was compared when it was sent.
            return self._complete_sized(plain, size)

    def _complete_sized(self, whole: dict[str, Any], size: int) -> dict[str, Any]:
        if self._place.compares_sizes:
            try:
                return self.part_call("complete_multipart_upload", **whole, MpuObjectSize=size)
            except aws.ERRORS as exc:
                if aws.error_code(exc) not in UNKNOWN_CODES:
                    raise
        answer = self.part_call("complete_multipart_upload", **whole)
        self._place.compares_sizes = False
        return answer


def abort_upload(bucket: Bucket, key: str, upload_id: str) -> None:
    """Abort an upload, also while the sink is closing. No error when it is gone, or when the store never aborts one."""
    with bucket.translating("abort_multipart_upload", key):
        try:
            bucket.call("abort_multipart_upload", key, stoppable=False, UploadId=upload_id)
        except aws.ERRORS as exc:
            if aws.error_code(exc) not in {"NoSuchUpload", "NoSuchBucket"} | NEVER_ABORTED_CODES:
                raise


def cause(futures: Sequence[Future[Part]]) -> BaseException | None:
    """Why parts failed: the error of the first that did not merely end because another one had failed."""
    errors = [error for future in futures if not future.cancelled() and (error := future.exception())]
    return next((error for error in errors if not isinstance(error, UploadStoppedError)), errors[0] if errors else None)


def _checksum(parts: Sequence[Part]) -> int | None:
    """Of all parts in their order; None where that of one is not known."""
    whole = 0
    for part in parts:
        if part.checksum is None:
            return None
        whole = checksums.combine(whole, part.checksum, part.size)
    return whole
