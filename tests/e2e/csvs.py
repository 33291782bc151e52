"""Exports to split, and what must hold of every split of them, by the csv module alone."""

from __future__ import annotations

import csv
import io
import json
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEADER = b"id,name,note\n"
NOTES = ('"two\nlines"', '"a ""quoted"" word, and a comma"', "plain", "", "Z\u00fcrich", '"\n\n"')


def export(rows: int, *, seed: int = 1, header: bytes = HEADER) -> bytes:
    """A header and so many records, a third of them with newlines inside quotes; LF."""
    draw = random.Random(seed)
    lines = (f"{number},name {number},{draw.choice(NOTES)}\n" for number in range(rows))
    return header + "".join(lines).encode()


def bulk(size: int, *, seed: int = 1) -> bytes:
    """About ``size`` bytes of the same kind, made quickly: a block of records over and over."""
    block = export(4000, seed=seed, header=b"")
    return HEADER + block * max(1, size // len(block))


def records(data: bytes, delimiter: str = ",") -> list[list[str]]:
    """All records as the csv module reads them, the header too."""
    csv.field_size_limit(len(data) + 1)  # the module's own limit is 131,072 characters
    text = io.StringIO(data.decode("utf-8-sig"), newline="")
    return list(csv.reader(text, delimiter=delimiter, strict=True))


def check(document: dict[str, Any], source: bytes, read: Callable[[str], bytes], *, header: bytes = HEADER) -> None:
    """Every law of a split: what is said of it is there, each chunk is the header and whole records, none is missing.

    ``read`` gives a chunk's bytes, decompressed, by its name.
    """
    chunks, delimiter = document["chunks"], document["dialect"]["delimiter"]
    assert [chunk["number"] for chunk in chunks] == list(range(1, document["total_parts"] + 1))
    position = document["header_bytes"]
    assert position == len(header)
    bodies, rows = [], 0
    for chunk in chunks:
        data = read(chunk["name"])
        assert (chunk["start"], chunk["bytes"]) == (position, len(data))
        position = chunk["end"]
        assert data.startswith(header)
        body = data[len(header) :]
        assert len(body) == chunk["end"] - chunk["start"]
        if chunk["rows"] is not None:
            assert len(records(body, delimiter)) == chunk["rows"]
            rows += chunk["rows"]
        bodies.append(body)
    assert header + b"".join(bodies) == source
    if document["rows"] is not None:
        assert document["rows"] == rows == len(records(source[len(header) :], delimiter))


def manifest(directory: Path) -> dict[str, Any]:
    """The only manifest of a directory."""
    (path,) = directory.glob("*.manifest.json")
    document: dict[str, Any] = json.loads(path.read_bytes())
    return document
