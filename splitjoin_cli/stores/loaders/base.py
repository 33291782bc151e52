"""The contract of a loader: it puts a chunk into a database, once. splitjoin_cli/testing/ tests each rule."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.model import Compression, Dialect, S3Location


LEDGER = "splitjoin_ledger"
JOBS = "splitjoin_jobs"
MENDED = "splitjoin_mended"


@dataclass(frozen=True, slots=True)
class LoadTarget:
    """Where chunks go and what may be done for it; checked when made.

    ``table``: its name, or ``schema.name``. ``create_table``: make it, with text columns, where it is missing
    (SQLite and DuckDB always do). ``run_column``: the table's column that the loader fills with the run, so that a
    newer run can replace an older one's rows. Neither begins with ``splitjoin_``, in any spelling that a database might
    take for that: raises ReservedNameError. ``beside_other_run``: load although the ledger holds another run of
    the same generation or an older one; its rows stay. ``max_record_bytes``: of one record in UTF-8, its line end
    included; where the loader reads the chunk itself, it holds a record in memory, and a larger one is a bad row.
    """

    table: str
    create_table: bool = False
    run_column: str | None = None
    beside_other_run: bool = False
    max_record_bytes: int = 256 * 1024 * 1024
    exact_values: bool = False

    def __post_init__(self) -> None:
        from splitjoin_cli.stores.loaders.reserved import check_own  # noqa: PLC0415 -- a contract is read alone

        parts = self.table.split(".")
        if len(parts) > 2 or not all(parts) or "\0" in self.table:  # noqa: PLR2004 -- a schema and a name
            raise ValueError(f"not a table's name: {self.table!r}")
        if self.run_column is not None and (not self.run_column or "\0" in self.run_column):
            raise ValueError(f"not a column's name: {self.run_column!r}")
        check_own("table", parts[-1])
        if self.run_column is not None:
            check_own("column", self.run_column)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkToLoad:
    """One chunk, as one GET (or HEAD) of its object described it; never put together from two.

    ``rows``: records to expect, None where nobody counted them: the row check is then left out. ``header_bytes``:
    of the header, byte order mark included, in the chunk's decompressed bytes; 0 without one. ``header_lines``: its
    physical lines. ``open``: begins a pass over the object's bytes as stored (compressed, header included), any number
    of times; it MUST raise, not end early, when they are no longer those of the same GET.

    ``validator``: the ETag, of a chunk without metadata of ours alone: it is then what says that two deliveries are
    the same chunk. ``mended``: ``replace`` stored the object; its checksum is what says that, then, and MUST be told by
    ``checksum``, which gives that of the object as stored (``crc64nvme:BASE64``), and may read it. ``s3`` and
    ``etag_now`` are needed by loaders that read S3 themselves (``LoaderProperties.reads_s3``): where the object is,
    ETag included, and a call that asks S3 for its ETag now (None: it is gone).
    """

    file_name: str
    run_id: str
    generation: int
    number: int
    total: int
    rows: int | None
    dialect: Dialect
    header_bytes: int
    header_lines: int
    compression: Compression | None
    open: Callable[[], ByteStream]
    validator: str | None = None
    mended: bool = False
    checksum: Callable[[], str] | None = None
    s3: S3Location | None = None
    etag_now: Callable[[], str | None] | None = None

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"chunk {self.number} of {self.total} of {self.file_name} (run {self.run_id})"


@dataclass(frozen=True, slots=True)
class LoadResult:
    """``rows``: in the table from this chunk. ``already_loaded``: by an earlier delivery; nothing was done now.

    ``rows_checked``: they were compared with what the chunk's metadata says; False where that says nothing.
    """

    rows: int
    already_loaded: bool
    rows_checked: bool


class Expectation(enum.StrEnum):
    """What became of a checksum that ``expect`` was to write down."""

    NOTED = "noted"
    """The chunk is not loaded: it is written down."""
    SAME = "same"
    """The chunk is loaded, with these very bytes: it is written down."""
    LOADED = "loaded"
    """The chunk is loaded, with other bytes: nothing was written."""
    OTHER_RUN = "other run"
    """A newer run has the job: nothing was written."""


@dataclass(frozen=True, slots=True)
class LedgerTotal:
    """What the ledger holds of one run: how many chunks, and their rows in all."""

    chunks: int
    rows: int


@dataclass(frozen=True, slots=True)
class TableRows:
    """What a table holds, and what the ledger says of it, as one consistent read showed both.

    ``rows``: in the table; with a run column, and a run asked for, that run's alone. ``of_run``: what the ledger has of
    that run. ``of_others``: what it has of other jobs that went into this table; 0 where only the run's were counted.
    """

    rows: int
    of_run: int = 0
    of_others: int = 0


@dataclass(frozen=True, slots=True)
class LedgerJob:
    """The ledger's row of a job: the run that stands, and where it was loaded.

    ``table``: empty while nothing was loaded, and ``expect`` alone made the row. ``joined_at``: ISO 8601 with Z, None
    until ``mark_joined``.
    """

    file_name: str
    run_id: str
    generation: int
    table: str
    joined_at: str | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that a database says of one job, as one consistent read showed it.

    ``uri``: the database, without password. ``found``: whether it has a ledger at all. ``job``: None where nothing was
    ever loaded of it. ``runs``: for each run the numbers of its loaded chunks, ascending, and their rows.
    ``history``: the keys of the job's objects that an Aurora MySQL says it has loaded, whoever asked for it and whether
    that was undone or not; None where a database keeps no such history, or it cannot be read: ``history_error`` then
    says why.
    """

    uri: str
    found: bool
    job: LedgerJob | None = None
    runs: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    history: tuple[str, ...] | None = None
    history_error: str | None = None


@dataclass(frozen=True, slots=True)
class LoadTime:
    """When a chunk was loaded, by the clock of the worker that did (seconds since 1970, UTC).

    ``began_at``: when its delivery began; None in a ledger that an earlier release made, which does not note it.
    ``loaded_at``: just before the load was committed; by an earlier release, when it began.
    """

    number: int
    rows: int
    began_at: float | None
    loaded_at: float | None


@dataclass(frozen=True, slots=True)
class LoaderProperties:
    """What loaders differ in, as data.

    ``uri``: without password. ``reads_s3``: the database fetches the object itself, so that a chunk needs ``s3`` and
    ``etag_now``. ``null_rule``: which fields become NULL, in a sentence. Everywhere: an empty field is NULL in a
    column that is not text, and where the dialect has an escape character an unquoted escape + N is NULL.
    """

    uri: str
    table: str
    reads_s3: bool
    null_rule: str


class LedgerReader(Protocol):
    """Looks into a database's ledger, and changes nothing there."""

    def read_ledger(self, file_name: str) -> Ledger:
        """What is there of the job, of all its runs.

        MUST NOT write: no table is made, nor a file. A database without a ledger, and a file that is not there, have
        loaded nothing: no error. Raises LoadError where the database cannot be reached or refuses.
        """

    def read_times(self, file_name: str, run_id: str) -> list[LoadTime]:
        """When each chunk of a run was loaded, by number; as ``read_ledger`` otherwise."""

    def close(self) -> None:
        """Free connections. Safe to repeat."""


class Loader(Protocol):
    """One table of one database, or a table for each client. All methods are thread-safe, and safe to repeat.

    The ledger lies in the same database as the table: ``splitjoin_ledger`` (a row per loaded chunk, primary key
    file_name, run_id, number), ``splitjoin_jobs`` (a row per job), and ``splitjoin_mended`` (the same key as the
    ledger: the checksum that ``expect`` wrote down). An earlier release's has no ``splitjoin_mended``, and no
    ``began_at`` in ``splitjoin_ledger``: the table is made where it may be, and the column is done without. Foreign
    errors come out as LoadError, wrapped; a login that cannot be fetched as what its store raises. No message holds a
    password.
    """

    @property
    def properties(self) -> LoaderProperties:
        """What this loader is."""

    def table_of(self, file_name: str) -> str:
        """The table that this job's chunks go to, as the ledger notes it."""

    def prepare(self) -> None:
        """Connect, and make the ledger's tables where they are missing. ``load`` does it too.

        Raises LoadError where the database cannot be reached or refuses.
        """

    def load(self, chunk: ChunkToLoad) -> LoadResult:
        """Load ``chunk`` exactly once, however often and by however many it is called; all or nothing of it.

        In ONE transaction: the job's row is read with a shared lock, the ledger's row inserted, the rows loaded and
        their number compared with ``chunk.rows``. A chunk whose ledger row is there is skipped; a concurrent delivery
        of the same chunk waits for that transaction and then skips. Tables are made before it, and an engine without
        transactions is refused. Whatever is killed when: after a failure nothing of the chunk is there. Columns are
        mapped by the header's names, by position without a header. Warnings and truncations are failures. Memory
        MUST NOT grow with the chunk.

        Runs: a chunk of an older generation than the job's row raises OlderRunError. One of a newer generation takes
        the row over and, in this transaction, deletes the other run's rows by ``run_column``; without one it raises
        RunConflictError, unless ``beside_other_run``. So does another run of the same generation, run column or not:
        nothing says which is newer. A run of which nothing is loaded gives way to any other.
        A known number whose ``validator`` is another raises RunConflictError, never skips; so does one that ``expect``
        wrote another checksum down for, loaded or not.

        Exact values: where the target asks for it, each value is compared with its text within the transaction, by the
        rules of ``exact.equality``. One that lost anything is a bad row, another spelling is not.

        Raises BadRowError, which names the row (and the column where the database says it), for a chunk that the
        table does not take; LoadError for what may succeed later.
        """

    def unchecked(self) -> tuple[str, ...]:
        """The table's columns whose values no rule checks, with their types; none where exact values are not asked for.

        None where there is no table yet either. Raises LoadError where the database cannot be reached.
        """

    def ledger_numbers(self, file_name: str, run_id: str) -> Sequence[int]:
        """The numbers of the chunks of this run that are loaded, ascending; there may be a million of them."""

    def ledger_rows(self, file_name: str, run_id: str) -> LedgerTotal:
        """How much of this run is loaded."""

    def table_rows(self, file_name: str = "", run_id: str = "") -> TableRows:
        """Rows in the table now, of a run or, without one, of all; none where there is no table.

        However many loads are under way: each is in the table and in the ledger, or in neither.
        """

    def job(self, file_name: str) -> LedgerJob | None:
        """The job's row, None where nothing was ever loaded of it."""

    def mark_joined(self, file_name: str, run_id: str, joined_at: str, *, total_parts: int = 0) -> bool:
        """Note that the job is joined; the first ``joined_at`` stays.

        False, and nothing noted, where the row is another run's, or none, and where the ledger has fewer than
        ``total_parts`` chunks of the run: it was cleared meanwhile.
        """

    def expect(
        self, file_name: str, run_id: str, generation: int, number: int, checksum: str, *, own: bool, write: bool = True
    ) -> Expectation:
        """Write down which object a chunk must be loaded from, unless it is loaded from another, in one transaction.

        Not ``write``: only say what would become of it.

        The job's row is locked alone meanwhile, and made where it is missing, so that a load that is under way ends
        first. ``own``: ``checksum`` is the split's own for the chunk, which a ledger's row without a mark of
        ``replace`` has. What is written down outlives ``clear_run``, and is dropped with the run.
        """

    def clear_run(self, file_name: str, run_id: str) -> LedgerTotal:
        """Delete what is loaded of a run, rows and ledger, in one transaction that locks the job's row alone.

        ``joined_at`` goes where the job's row is that run's. Rows are found by the target's ``run_column``; without
        one, and where it finds fewer than the ledger has, raises RunConflictError, and nothing is deleted. Returns
        what the ledger had. A run without rows in the ledger needs no column.
        """

    def close(self) -> None:
        """Free connections. Safe to repeat."""
