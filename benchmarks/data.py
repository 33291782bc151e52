"""Writes a CSV file of a given size whose fields hold quoted newlines, doubled quotes and delimiters.

    python -m benchmarks.data FILE BYTES

Rows are drawn once, 8 MiB of them, and repeated: none of the tools compared keeps anything from one row to the next.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

HEADER = b"id,account,opened,amount,currency,note,city\n"
BLOCK_BYTES = 8 * 1024 * 1024
SEED = 20240131
NOTES = (
    "paid",
    "",
    "see contract",
    '"called on Monday,\nno answer\ntry again"',
    '"said ""later"", twice"',
    '"Müller & Sons, 2nd floor"',
)
SHAPE = "7 columns, about 80 bytes a row, LF; quoted newlines in a sixth of the rows, doubled quotes in a sixth"
CITIES = ("Berlin", "São Paulo", "Tokyo", "New York", '"Washington, D.C."')


def rows(count_bytes: int) -> bytes:
    """At least that many bytes of rows, the same on every machine."""
    draw = random.Random(SEED)
    lines: list[bytes] = []
    size = 0
    while size < count_bytes:
        number = draw.randrange(10**9)
        line = (
            f"{number},AC{draw.randrange(10**10):010d},20{number % 24:02d}-0{number % 9 + 1}-1{number % 10},"
            f"{number % 100_000}.{number % 90 + 10},EUR,{draw.choice(NOTES)},{draw.choice(CITIES)}\n"
        ).encode()
        lines.append(line)
        size += len(line)
    return b"".join(lines)


def write(path: Path, size: int) -> int:
    """Write a file of ``size`` bytes, up to one row less; return its size. It ends with a whole row."""
    block = rows(min(BLOCK_BYTES, size))
    with path.open("wb") as file:
        written = file.write(HEADER)
        while written + len(block) <= size:
            written += file.write(block)
        rest = block[: size - written]
        while rest and not _ends_a_row(rest):
            rest = rest[: rest.rfind(b"\n", 0, -1) + 1]
        return written + file.write(rest)


def _ends_a_row(text: bytes) -> bool:
    return text.endswith(b"\n") and text.count(b'"') % 2 == 0


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
