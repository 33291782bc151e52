"""A peer: splits with Polars, all columns as text, in slices of rows; the interpreter is the one that has Polars.

python benchmarks/peer_polars.py SOURCE DIRECTORY CHUNK_BYTES
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl


def main(source: str, directory: str, chunk_bytes: int) -> None:
    frame = pl.read_csv(source, infer_schema=False)
    bytes_per_row = Path(source).stat().st_size / max(1, frame.height)
    rows_per_chunk = max(1, int(chunk_bytes / bytes_per_row))
    for number, part in enumerate(frame.iter_slices(rows_per_chunk), start=1):
        part.write_csv(Path(directory) / f"{number}.csv")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
