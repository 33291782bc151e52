"""What ``verify`` finds: the kinds of problems, and one problem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["KINDS", "Kind", "Problem"]

Kind = Literal[
    "manifest",
    "plan",
    "missing",
    "extra",
    "unreadable",
    "size",
    "checksum",
    "coverage",
    "header",
    "torn",
    "lone-cr",
    "rows",
    "metadata",
    "bytes",
]

KINDS: dict[Kind, str] = {
    "manifest": "the manifest is missing or damaged",
    "plan": "the split is under way, or was interrupted",
    "missing": "a chunk is not there; of several in a row, number is the first",
    "extra": "there is a chunk of the same name that is not part of this split; of several in a row, the first",
    "unreadable": "a chunk cannot be read or decompressed",
    "size": "a stored object has another size than the manifest says",
    "checksum": "a stored object has other bytes than the manifest says",
    "coverage": "the ranges leave a gap or overlap, or a chunk holds more or less than its range",
    "header": "a chunk does not begin with the header, or the header is more than one record",
    "torn": "a chunk, or the header, ends inside a record",
    "lone-cr": "a chunk holds a carriage return without a line feed, outside quotes",
    "rows": "a chunk holds another number of records than the manifest says",
    "metadata": "a chunk says of itself that it is another one",
    "bytes": "a chunk differs from the source's bytes, or the source is longer or shorter",
}
"""The kinds of problems: stable words, for scripts."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not right; ``number`` is the chunk's, ``None`` where it is of the whole set.

    Chunks in a row that are missing, or of another split, are one problem: ``number`` is the first one's, the message
    names the last.
    """

    number: int | None
    kind: Kind
    message: str
