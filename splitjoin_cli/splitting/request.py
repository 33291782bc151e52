"""What a split was asked to do, as plain values: the command line makes it, api/one_split.py reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from splitjoin_cli.core.aws.options import AwsOptions, ObjectOptions
from splitjoin_cli.core.model import Dialect, Skip
from splitjoin_cli.core.source_name import Naming, name_job

if TYPE_CHECKING:
    import datetime as dt
    import re
    from pathlib import Path

    from splitjoin_cli.core.places import Place
    from splitjoin_cli.stores.trackers.urls import TrackerUrl

DEFAULT_CHUNK_BYTES = 128 * 1024 * 1024
DEFAULT_JOBS = 8

ChunkCompression = Literal["gzip", "zstd"]
ServerSideEncryption = Literal["AES256", "aws:kms"]


@dataclass(frozen=True, slots=True)
class ChunkSize:
    """Chunks of at most so many uncompressed bytes, the header included."""

    size_bytes: int

    def __post_init__(self) -> None:
        _check_positive(self.size_bytes)


@dataclass(frozen=True, slots=True)
class ChunkCount:
    """Exactly min(count, records) chunks, at least one."""

    count: int

    def __post_init__(self) -> None:
        _check_positive(self.count)


@dataclass(frozen=True, slots=True)
class RowCount:
    """Chunks of so many records, the header not counted; the last may have fewer."""

    rows: int

    def __post_init__(self) -> None:
        _check_positive(self.rows)


Size = ChunkSize | ChunkCount | RowCount


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRequest:
    """One split, as it was asked for.

    ``source``: a path, a URL, or ``-``. ``client`` and ``date``: None where ``naming`` finds them, ``name_pattern`` in
    SOURCE's name. ``encoding``: of the source, where it must be transcoded. ``dialect_typed``: whether the user said
    how fields are written; ``delimiter_typed``: whether the delimiter was, which a first line ``sep=;`` then does not
    change. ``notify``: where the chunks' events are sent, ``sqs:URL`` or ``lambda:NAME``. ``skip``: what of the source
    is in no chunk. ``bwlimit``: bytes per second over the network. ``tmp_dir``: None for the system's. ``objects``: for
    destinations on S3. ``share``: of the jobs, where several splits have them together. ``engine``: where scan and
    transfer run, ``threads`` or ``dask:ADDRESS``; ``allow_plain_dask``: also without TLS. ``jobs``: None for 8, or on
    an engine for as many units at once as it wants.

    An option of ``split`` is a field here (or of the values that travel whole), from which the command that resumes it
    is spelled (resume.py), a parameter of ``api.split.split``, and an option in cli/split.py: three places.
    """

    source: str
    destination: Place
    client: str | None = None
    date: str | None = None
    name_pattern: re.Pattern[str] | None = None
    size: Size = field(default_factory=lambda: ChunkSize(DEFAULT_CHUNK_BYTES))
    dialect: Dialect = field(default_factory=Dialect)
    dialect_typed: bool = False
    delimiter_typed: bool = False
    encoding: str | None = None
    skip: Skip = field(default_factory=Skip)
    strict: bool = False
    compress: ChunkCompression | None = None
    jobs: int | None = None
    engine: str = "threads"
    allow_plain_dask: bool = False
    bwlimit: int | None = None
    fsync: bool = False
    dry_run: bool = False
    force: bool = False
    run_label: str | None = None
    tracker: TrackerUrl | None = None
    notify: str | None = None
    tmp_dir: Path | None = None
    objects: ObjectOptions = field(default_factory=ObjectOptions)
    aws: AwsOptions = field(default_factory=AwsOptions)
    share: int | None = None

    def __post_init__(self) -> None:
        _check_positive(self.at_once)

    @property
    def at_once(self) -> int:
        """How many chunks are sent or read at the same time, by threads here."""
        jobs = DEFAULT_JOBS if self.jobs is None else self.jobs
        return jobs if self.share is None else self.share

    @property
    def shaping(self) -> dict[str, int | str | bool | None]:
        """The options that shape chunks and run beside the dialect, by name; None for what was not given."""
        size = self.size
        return {
            "chunk_size": size.size_bytes if isinstance(size, ChunkSize) else None,
            "chunks": size.count if isinstance(size, ChunkCount) else None,
            "rows": size.rows if isinstance(size, RowCount) else None,
            "run_label": self.run_label,
            "strict": self.strict,
        }

    def naming(self, today: dt.date) -> Naming:
        """The job's name: what was asked for, else what the source's own name says, else ``today`` (UTC).

        Raises UsageError where that is no name.
        """
        return name_job(self.source, client=self.client, date=self.date, pattern=self.name_pattern, today=today)


def _check_positive(value: int) -> None:
    if value < 1:
        raise ValueError(f"not a positive number: {value}")
