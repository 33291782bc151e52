"""Dask's own way to cut a file at newlines, then to write the blocks: SCHEDULER_FILE SOURCE DESTINATION CHUNK_BYTES.

It looks for the byte of a newline: a record that holds one inside quotes is cut in two, and blocks have no header.
"""

from __future__ import annotations

import sys
from typing import Any

import dask
import dask.bytes
import distributed

DASK: Any = dask
"""Half of it has no types."""
CLIENT: Any = distributed.Client


def store(block: bytes, place: str) -> int:
    """On a worker: an object of the block's bytes."""
    import s3fs  # noqa: PLC0415 -- the worker's

    s3fs.S3FileSystem().pipe_file(place, block)
    return len(block)


def main(scheduler_file: str, source: str, destination: str, chunk_bytes: str) -> None:
    """All blocks, a task each."""
    with CLIENT(scheduler_file=scheduler_file):
        _, [blocks] = DASK.bytes.read_bytes(source, delimiter=b"\n", blocksize=int(chunk_bytes), sample=False)
        task = DASK.delayed(store)
        stored = DASK.compute(*(task(block, f"{destination}{number:05}.csv") for number, block in enumerate(blocks)))
        print(sum(stored))


if __name__ == "__main__":
    main(*sys.argv[1:])
