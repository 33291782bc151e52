"""Lithops' partitioner on processes of this machine: SOURCE DESTINATION CHUNK_BYTES SCRATCH.

It looks for the byte of a newline: a record that holds one inside quotes is cut in two, and partitions have no header.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import lithops

WORKERS = 2


def store(obj: Any, storage: Any, destination: str) -> int:  # noqa: ANN401 -- Lithops' own
    """In a process of Lithops': an object of the partition's bytes."""
    block = obj.data_stream.read()
    bucket, _, prefix = destination.partition("/")
    storage.put_object(bucket, f"{prefix}{obj.part:05}.csv", block)
    return len(block)


def main(source: str, destination: str, chunk_bytes: str) -> None:
    """All partitions, a call each."""
    s3 = {
        "endpoint": os.environ["AWS_ENDPOINT_URL"],
        "access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
        "secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
        "region": os.environ["AWS_REGION"],
        "storage_bucket": "lithops",
    }
    config = {
        "lithops": {"backend": "localhost", "storage": "aws_s3", "telemetry": False},
        "localhost": {"runtime": sys.executable, "worker_processes": WORKERS},
        "aws_s3": s3,
    }
    with lithops.FunctionExecutor(config=config, log_level="WARNING") as executor:
        data = {"obj": source.removeprefix("s3://"), "destination": destination.removeprefix("s3://")}
        calls = executor.map(store, [data], obj_chunk_size=int(chunk_bytes), obj_newline="\n")
        stored = executor.get_result(calls)
        if len(stored) != len(calls):  # a call that ran into a time-out is no error here
            raise SystemExit(f"{len(calls) - len(stored)} of {len(calls)} partitions were not stored")
        print(sum(stored))


if __name__ == "__main__":
    main(*sys.argv[1:])
