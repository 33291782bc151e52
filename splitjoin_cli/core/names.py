"""Object names, where the two flows meet: ``<client>_<date>-<chunk>-<total>.csv`` and what belongs beside it.

Names are parsed from the right, so that client and date may hold ``-``, and the client ``_``; a date holds none.
Client and date are kept in Unicode's NFC: the same name typed on another system is the same bytes.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.model import Compression

MAX_CHARACTERS = 128
MAX_NAME_BYTES = 200
MAX_TOTAL = 10_000_000
"""Chunks of one split, at most. A name alone may claim any total; one that is larger is not believed."""
MANIFEST_SUFFIX = ".manifest.json"
PLAN_SUFFIX = ".plan.json"
PROBE_PREFIX = ".splitjoin-probe-"
"""Of objects that a command stores to find out what a store lacks, and removes again. No client begins with a dot."""
SUFFIX_OF: dict[Compression | None, str] = {None: ".csv", "gzip": ".csv.gz", "zstd": ".csv.zst"}
"""What chunks can be stored as; sources may be compressed otherwise."""

_COMPRESSION_OF = {suffix: compression for compression, suffix in SUFFIX_OF.items()}
# 18 digits: far beyond any total, and far below where int() refuses. [0-9]: \d takes other scripts' digits as well.
_CHUNK = re.compile(r"(?P<file_name>.+)-(?P<number>[0-9]{1,18})-(?P<total>[0-9]{1,18})(?P<suffix>\.csv(?:\.gz|\.zst)?)")


@dataclass(frozen=True, slots=True)
class JobName:
    """The name of a job. Raises UsageError, which says which character, for anything that names cannot hold.

    Client and date are normalised to NFC when the value is made.
    """

    client: str
    date: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "client", _checked("client", self.client, "-._"))
        object.__setattr__(self, "date", _checked("date", self.date, "-."))
        _check_size(f"{self.file_name}-1-1{SUFFIX_OF[None]}")

    @property
    def file_name(self) -> str:
        """``<client>_<date>``: the job's id, and the tracker's key."""
        return f"{self.client}_{self.date}"


@dataclass(frozen=True, slots=True)
class ChunkName:
    """The name of one chunk: ``number`` counts from 1 to ``total``.

    Raises UsageError as JobName does, ValueError for numbers or a compression that no chunk has.
    """

    client: str
    date: str
    number: int
    total: int
    compression: Compression | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "client", _checked("client", self.client, "-._"))
        object.__setattr__(self, "date", _checked("date", self.date, "-."))
        if not 1 <= self.number <= self.total:
            raise ValueError(f"not a chunk's number: {self.number} of {self.total}")
        if self.compression not in SUFFIX_OF:
            raise ValueError(f"chunks are not stored as {self.compression}")
        _check_size(format(self))

    @property
    def file_name(self) -> str:
        """``<client>_<date>``: the job's id."""
        return f"{self.client}_{self.date}"


def around_number(file_name: str, total: int, compression: Compression | None) -> tuple[str, str]:
    """What stands before and behind the number, zero-padded to the width of ``total``, in each chunk's name."""
    return f"{file_name}-", f"-{total}{SUFFIX_OF[compression]}"


def chunk_names(file_name: str, total: int, compression: Compression | None) -> Callable[[int], str]:
    """What gives each chunk's object its name, by number: for a million of them, whose names are known to be good."""
    width, (prefix, suffix) = len(str(total)), around_number(file_name, total, compression)
    return lambda number: f"{prefix}{number:0{width}d}{suffix}"


def format(name: ChunkName) -> str:  # noqa: A001 -- read as names.format, beside names.parse
    """The object's name, the number zero-padded to the width of the total, so that names sort as chunks do."""
    return chunk_names(name.file_name, name.total, name.compression)(name.number)


def parse(key: str) -> ChunkName | None:
    """The chunk that a key names, whatever prefix stands before the last ``/``; None where it names none.

    Numbers may be unpadded: names by others, who follow the published pattern, are.
    """
    match = _CHUNK.fullmatch(key.rpartition("/")[2])
    job = parse_file_name(match["file_name"]) if match else None
    if match is None or job is None:
        return None
    try:
        return ChunkName(
            job.client, job.date, int(match["number"]), int(match["total"]), _COMPRESSION_OF[match["suffix"]]
        )
    except (UsageError, ValueError):
        return None


def parse_file_name(file_name: str) -> JobName | None:
    """The job that a ``<client>_<date>`` names; None where it names none."""
    client, _, date = file_name.rpartition("_")
    try:
        return JobName(client, date)
    except UsageError:
        return None


def parse_manifest_name(key: str) -> JobName | None:
    """The job whose manifest a key is, whatever prefix stands before the last ``/``; None for any other key."""
    name = key.rpartition("/")[2]
    return parse_file_name(name.removesuffix(MANIFEST_SUFFIX)) if name.endswith(MANIFEST_SUFFIX) else None


def parse_plan_name(key: str) -> JobName | None:
    """The job whose plan a key is, whatever prefix stands before the last ``/``; None for any other key."""
    name = key.rpartition("/")[2]
    return parse_file_name(name.removesuffix(PLAN_SUFFIX)) if name.endswith(PLAN_SUFFIX) else None


def manifest_name(file_name: str) -> str:
    """The object that says that a split is whole."""
    return f"{file_name}{MANIFEST_SUFFIX}"


def plan_name(file_name: str) -> str:
    """The object that stands while a split is under way."""
    return f"{file_name}{PLAN_SUFFIX}"


def proposed_client(client: str, date: str) -> str:
    """A client that ``client`` can be called, with ``date`` beside it; the empty text where nothing is left of it."""
    normal = unicodedata.normalize("NFC", client)
    text = "".join(char if _may_be_in(char, "-._") else "\0" for char in normal)
    text = re.sub("\0+", "_", text).lstrip(".")[:MAX_CHARACTERS]
    room = MAX_NAME_BYTES - len(f"_{date}-1-1{SUFFIX_OF[None]}".encode("utf-8", "replace"))
    return text.encode()[: max(room, 0)].decode(errors="ignore")


@lru_cache(maxsize=1024)
def _checked(what: str, text: str, punctuation: str) -> str:
    """``text`` in NFC. Raises UsageError where it is no name for a ``what``."""
    hint = f"give another one with --{what}"
    normal = unicodedata.normalize("NFC", text)
    for position, char in enumerate(normal, start=1):
        if not _may_be_in(char, punctuation):
            allowed = " ".join(punctuation)
            raise UsageError(
                f"{what} {normal!r} holds {char!r} (U+{ord(char):04X}) at character {position}; "
                f"letters, digits and {allowed} are allowed",
                hint=hint,
            )
    if normal.startswith("."):
        raise UsageError(f"{what} {normal!r} begins with '.' (U+002E)", hint=hint)
    if not 1 <= len(normal) <= MAX_CHARACTERS:
        raise UsageError(f"{what} has {len(normal)} characters; 1 to {MAX_CHARACTERS} are allowed", hint=hint)
    return normal


def _may_be_in(char: str, punctuation: str) -> bool:
    """Punctuation; letters and combining marks of any script, decimal digits (Unicode's categories L, M and Nd)."""
    if char in punctuation:
        return True
    category = unicodedata.category(char)
    return category[0] in "LM" or category == "Nd"


def _check_size(name: str) -> None:
    size = len(name.encode())
    if size > MAX_NAME_BYTES:
        raise UsageError(
            f"object name {name!r} has {size} bytes of UTF-8; {MAX_NAME_BYTES} are allowed",
            hint="give a shorter one with --client",
        )
