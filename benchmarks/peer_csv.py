"""A peer: splits with Python's csv module, record by record, as most scripts do.

python benchmarks/peer_csv.py SOURCE DIRECTORY CHUNK_BYTES
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path


def main(source: str, directory: str, chunk_bytes: int) -> None:
    with Path(source).open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = next(reader)
        number, chunk, size = 0, None, 0
        for row in reader:
            if chunk is None or size >= chunk_bytes:
                if chunk is not None:
                    chunk.close()
                number += 1
                chunk = (Path(directory) / f"{number}.csv").open("w", newline="", encoding="utf-8")
                writer = csv.writer(chunk, lineterminator="\n")
                size = writer.writerow(header)
            size += writer.writerow(row)
        if chunk is not None:
            chunk.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
