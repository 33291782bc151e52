"""The contract of a sink: a place that takes whole objects by name. splitjoin_cli/testing/sinks.py tests each rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterator, Sequence

    from splitjoin_cli.core.bytes.base import Buffer
    from splitjoin_cli.core.errors import SplitjoinError
    from splitjoin_cli.core.model import ByteRange, Compression, S3Location, StoredObject
    from splitjoin_cli.core.progress import Moved


class SinkProperties(NamedTuple):
    """What sinks differ in, as data.

    ``uri`` ends with ``/``; an object's URI is ``uri + name``. ``keeps_metadata``: ``head`` gives back what ``put`` was
    given. What only some can do is an object: ``Sink.staging``, ``Sink.copier``.
    """

    uri: str
    keeps_metadata: bool = True


class Condition(NamedTuple):
    """What must be under a name so that it may be stored, replaced or removed: an object as it was seen, or nothing.

    ``validator``: the StoredObject's that was seen; None where the name must be free. A sink MUST compare and act in
    one step, so that of several who saw the same one acts. Where its store cannot (S3 without conditional writes), it
    looks, then acts.
    """

    validator: str | None


ABSENT = Condition(None)
"""The name must be free."""


class SmallObject(NamedTuple):
    """The bytes of a plan or manifest, and the validator of just these."""

    data: bytes
    validator: str


class OpenSmall(Protocol):
    """A plan or manifest that is read piece by piece: with a million chunks it is 200 MB. A context manager.

    ``read_at`` MUST raise ObjectChangedError where the bytes are no longer those of ``validator``, or go on with them.
    """

    @property
    def validator(self) -> str:
        """As in SmallObject."""

    @property
    def size(self) -> int:
        """Bytes in all."""

    def read_at(self, offset: int, size: int) -> bytes:
        """The next ``size`` bytes from ``offset`` on; fewer only at the end. Raises StoreError."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Body(Protocol):
    """The bytes of one object, readable at any place, any number of times, from any thread."""

    @property
    def size(self) -> int:
        """Bytes in all."""

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """Fill ``buffer`` from ``offset`` on; return the bytes filled: fewer than asked only at the end.

        Raises SourceChangedError where the source is no longer what was planned.
        """


class ObjectWriter(Protocol):
    """One object being written from front to back. Not thread-safe."""

    def write(self, data: Buffer) -> None:
        """Append. ``data`` may be reused by the caller as soon as this returns."""

    def commit(self, *, checksum: int | None) -> StoredObject:
        """Make the object visible, whole, under its name; replaces one that is there, if the condition allows it.

        Raises ObjectChangedError, with nothing stored, where the writer's condition does not hold.
        ``checksum``: CRC-64/NVME of all bytes written; the sink computes its own and MUST compare them, and lets the
        store compare where it can. Raises CorruptObjectError, with nothing visible, when they differ.
        """

    def abort(self) -> None:
        """Leave nothing behind. Safe after a failed commit and to repeat; never raises because nothing is there."""


class Sink(Protocol):
    """A directory, an S3 prefix, or memory. All methods are thread-safe, and safe to repeat.

    Objects are whole or absent: a reader MUST never see part of one, whatever is killed when. A sink retries what
    its store says may be retried (throttling, 5xx, lost connections) before it raises.
    """

    @property
    def properties(self) -> SinkProperties:
        """What this sink can do."""

    @property
    def staging(self) -> Staging | None:
        """What takes bytes before their name is known; None where this sink cannot."""

    @property
    def copier(self) -> Copier | None:
        """What copies from other objects on the server; None where this sink cannot."""

    @property
    def prober(self) -> Prober | None:
        """What finds out what the store lacks; None where it is known to lack nothing."""

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
        """Store ``body`` under ``name``; replaces. Memory MUST stay bounded by connections x part, not by the body.

        ``when``: raises ObjectChangedError, with nothing stored, where it does not hold. An own earlier try whose
        answer was lost MUST NOT count as another's object where that can be known.
        ``checksum``: CRC-64/NVME of the whole body, when known; the store's own MUST be compared with it, or the
        bytes as they pass: CorruptObjectError with nothing visible when they differ. The answer's ``checksum`` is
        never None.
        ``sent``: hears of the body's bytes as they leave, from any thread; a negative number takes back those that
        have to leave once more. A sink that tells nothing is none the worse: callers put the sum right in the end.
        """

    def writer(
        self, name: str, *, metadata: str | None = None, when: Condition | None = None, sent: Moved | None = None
    ) -> ObjectWriter:
        """Begin an object whose size is not known yet.

        ``when`` is looked at by its ``commit``; ``sent`` is as in ``put``.
        """

    def put_small(self, name: str, data: bytes, *, when: Condition | None = None) -> bool:
        """Store a small object (a plan or a manifest). False, and nothing done, where ``when`` does not hold.

        Exactly one of any number of concurrent callers with one condition gets True.
        """

    def get_small(self, name: str) -> bytes | None:
        """The bytes of a small object, None when it is absent."""

    def check_writable(self, name: str) -> None:
        """Raise AccessError where the store says already that no object of this name may be stored.

        A courtesy, before a source is read for long: where the store does not tell, nothing happens. No object MUST
        become visible, and what is begun is ended.
        """

    def read_small(self, name: str, *, most: int | None = None) -> SmallObject | None:
        """The same with its validator, for a condition on just these bytes. ``most``: the first so many bytes alone."""

    def open_small(self, name: str) -> OpenSmall | None:
        """The same, of which no more is in memory than is asked for; None when it is absent."""

    def head(self, name: str) -> StoredObject | None:
        """One object, with its metadata and checksum where the store has them; None when it is absent."""

    def list(self, name_prefix: str = "") -> Iterator[StoredObject]:
        """Whole objects whose names begin with ``name_prefix``, directly in this place, by name.

        Never temporary files or open uploads. ``metadata`` is not filled in.
        """

    def delete(self, name: str, *, when: Condition | None = None) -> bool:
        """Remove an object; False, and nothing done, where ``when`` does not hold. True when it is absent."""

    def sweep(self, name_prefix: str, *, only: Callable[[str], bool] | None = None, count: bool = False) -> int:
        """Remove what killed writers of names with this prefix left (temporary files, open multipart uploads).

        ``only``: those of the names that it says yes to, where leftovers have names. ``count``: remove none of them.
        Only what is ours and no living process holds. Returns how many. Raises StoreError where the store does not say
        what there is, or does not let it be removed: a courtesy that callers can do without.
        """

    def close(self) -> None:
        """Undo what is under way and free threads and connections. Safe to repeat.

        Small steps still work afterwards, so that a name can be given back: ``read_small``, ``list``, ``delete``.
        """


class StagedObject(Protocol):
    """One object written before its name is known, at any offset, from any thread."""

    def write_at(self, offset: int, data: Buffer) -> None:
        """Write at ``offset``. Concurrent calls write ranges that do not overlap."""

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """Read back what was written; returns the bytes filled. Only before ``close``."""

    def truncate(self, size: int) -> None:
        """Cut to ``size`` bytes."""

    def close(self) -> None:
        """No more writes; the content stays, still without a name: a million of them are not a million open files."""


class Staging(Protocol):
    """A sink's way to take bytes before their name is known. Thread-safe, and safe to repeat.

    It may also have ``batches``, a Batches; without it, or where that is None, objects go one by one.
    """

    def stage(self, name_prefix: str, number: int) -> StagedObject:
        """Begin a staged object; ``name_prefix`` is the job's, ``number`` the chunk's: what ``sweep`` finds it by."""

    def publish(
        self, staged: StagedObject, name: str, *, metadata: str | None = None, when: Condition | None = None
    ) -> StoredObject:
        """Make it visible under ``name``; replaces. Atomic. ``metadata`` and ``when`` as in ``put``."""

    def discard(self, staged: StagedObject) -> None:
        """Remove it. Safe after publish (then nothing happens) and to repeat."""

    def checksum(self, name: str, *, compression: Compression | None = None) -> int | None:
        """The CRC-64/NVME of an object's bytes, which may be read for it, in bounded memory; None when it is absent.

        ``compression``: of what they are decompressed; raises BadInputError where they are not so compressed.
        """


class Numbering(NamedTuple):
    """Names that differ by a chunk's number alone: ``prefix``, the number in ``width`` digits, ``suffix``."""

    prefix: str
    suffix: str
    width: int


class Listed(NamedTuple):
    """Some of the objects that a listing found. ``total`` and ``suffix``: those of the columns, as chunks are called.

    ``numbers`` in any order; ``marks``: a validator each, as two numbers (``Batches.validator``). ``others``: objects
    of interest whose names say anything else.
    """

    total: int
    suffix: str
    numbers: array[int]
    sizes: array[int]
    marks: tuple[array[int], array[int]]
    others: list[StoredObject]


class Batches(Protocol):
    """A sink's way to stage, publish and list many small objects in one step. Thread-safe.

    What it does MUST be what is done of one object at a time, as of all others around it: no object is an exception
    because it came in a batch. Staged objects are numbers here. ``stage_all`` MUST be given numbers of ``reserve``.
    One ``Sink.sweep`` of such a sink MUST find what was left of any job.
    """

    def reserve(self, count: int) -> int:
        """Numbers for ``count`` staged objects: the first, above 0, which the others follow."""

    def stage_all(self, first: int, header: bytes, body: memoryview, ends: array[int], base: int) -> None:
        """Write staged objects whole: each the header and a run of ``body``, the first of them ``first``.

        ``ends``: where the runs end, counted from ``base``, where ``body`` begins. Raises as ``write_at`` does; what
        was begun is gone with the sink, or by ``discard``.
        """

    def staged(self, number: int) -> StagedObject:
        """One of them by itself, for ``publish`` and ``discard``."""

    def publish_all(self, files: memoryview, names: Numbering, number: int) -> int:
        """Make staged objects visible, that of chunk ``number`` first, under names that MUST be free; how many are.

        It stops at 0, which is no staged object, and at the first for which ``publish`` has to say what is wrong.
        """

    def list_all(self, name_prefix: str, job_prefix: str, *, sizes: bool = True) -> Iterator[Listed]:
        """As ``Sink.list``, in any order; chunks begin with ``job_prefix``, and other jobs' may be left out.

        Without ``sizes`` the columns are numbers alone.
        """

    def all_names(self) -> Iterator[str]:
        """Those of all that lies there, whatever it is, in any order."""

    def validator(self, marks: tuple[int, int]) -> str:
        """As in StoredObject."""


class Copier(Protocol):
    """A sink's way to copy ranges of objects that lie on the same store. Thread-safe, and safe to repeat."""

    @property
    def copies_from(self) -> str:
        """Which store that is: a source on S3 that carries the same identity (``S3Location.store``) can be copied."""

    @property
    def least_copy_bytes(self) -> int:
        """Smaller chunks are streamed even where they could be copied."""

    def copy(  # noqa: PLR0913 -- what a copy is made of
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
        """Store ``prefix`` + the range of ``source``, the range copied on the server where S3's limits allow.

        ``read`` is the same object's bytes as they would be streamed (prefix included), for the first 5 MiB.
        Raises CopyRefusedError where the store refuses: the caller then uses ``put``. ``when`` as in ``put``;
        ``sent`` too, a part that the server copied being sent when it is.
        """


class TriedWrites(NamedTuple):
    """Whether a store refuses a write whose condition does not hold, and whether it confirms a body's CRC-64/NVME."""

    conditional: bool
    checksums: bool


class Prober(Protocol):
    """A sink's way to find out what its store lacks, by a few small requests. Thread-safe.

    What it stores is named ``names.PROBE_PREFIX`` and a token, and MUST be removed again, whatever ends it but the end
    of the process. Each method raises StoreError where the store does not let it be found out. Commands that probe the
    same place at once MUST find what they would find alone.
    """

    @property
    def left(self) -> Sequence[SplitjoinError]:
        """Why something that was stored could not be removed again."""

    def try_writes(self) -> TriedWrites:
        """Store a small object, and once more where its name must be free."""

    def try_uploads(self) -> bool:
        """Whether the store lists open uploads; those of probes that were killed are ended."""

    def try_copy(self, source: S3Location) -> bool:
        """Whether the store copies a range of ``source`` into an upload."""

    def remove_stale(self) -> int:
        """Remove the objects that killed probes left, up to one that cannot be; how many are gone."""

    def stop(self) -> None:
        """End what is under way at its next request, but for what removes what is there."""
