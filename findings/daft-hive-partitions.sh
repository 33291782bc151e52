#!/usr/bin/env bash
# daft's read_csv with hive_partitioning=True and two folders, branch=1001 and branch=north, as DuckDB and Polars write them.
#
# Guess, written before the run: the texts 1001 and north, as DuckDB and pyarrow read them, or an error.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check daft==0.6.14 duckdb==2.0.1 pyarrow==26.0.1
DAFT_PROGRESS_BAR=0 DO_NOT_TRACK=true venv/bin/python - <<'PYTHON'
import os
import sys
from pathlib import Path

import daft
import duckdb
import pyarrow
import pyarrow.dataset

duckdb.sql("COPY (SELECT * FROM (VALUES (1, '1001'), (2, 'north')) t(id, branch)) TO 'sales' (FORMAT csv, PARTITION_BY (branch))")
print("daft", daft.__version__, "duckdb", duckdb.__version__, "pyarrow", pyarrow.__version__)
print("guess: [(1, '1001'), (2, 'north')]")
peers = [
    duckdb.sql("SELECT id, branch FROM read_csv('sales/*/*.csv', hive_partitioning = true) ORDER BY id").fetchall(),
    sorted((row["id"], row["branch"]) for row in pyarrow.dataset.dataset("sales", format="csv", partitioning="hive").to_table().to_pylist()),
]
print("seen: duckdb and pyarrow read", *peers)
files = sorted(map(str, Path("sales").glob("*/*.csv")))


def by_daft(names: list[str]) -> list[tuple[int, object]]:
    columns = daft.read_csv(names, hive_partitioning=True).to_pydict()
    return sorted(zip(columns["id"], columns["branch"]))


seen = [by_daft(files), by_daft(files[::-1])]
print("seen: daft reads", seen[0], "and, with the same two files in another order,", seen[1])
changed = peers != [[(1, "1001"), (2, "north")]] * 2 or seen != [[(1, 1001), (2, None)], [(1, "1001"), (2, "north")]]
sys.stdout.flush()
os._exit(changed)  # daft has threads that the end of the interpreter does not wait for
PYTHON
