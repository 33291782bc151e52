#!/usr/bin/env bash
# pyarrow's write_csv and read_csv with a column of unsigned 64-bit integers, such as hashes.
#
# Guess, written before the run (of a file with 18446744073709551615): integers, texts or an error; two numbers that differ stay two.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1
venv/bin/python - <<'PYTHON'
import sys

import duckdb
import polars
import pyarrow
from pyarrow import csv

hashes = [12345678901234567890, 12345678901234567891, 18446744073709551615]
csv.write_csv(pyarrow.table({"hash": pyarrow.array(hashes, pyarrow.uint64())}), "hashes.csv")
print("pyarrow", pyarrow.__version__, "polars", polars.__version__, "duckdb", duckdb.__version__)
print("guess:", *hashes)
back = csv.read_csv("hashes.csv")["hash"]
print("seen: pyarrow reads what it wrote as", back.type, *back.to_pylist(), "with", len(set(back.to_pylist())), "different hashes")
peers = [polars.read_csv("hashes.csv")["hash"].to_list(), [row[0] for row in duckdb.sql("FROM 'hashes.csv'").fetchall()]]
print("seen: polars and duckdb read them", "as they are" if peers == [hashes, hashes] else peers)
sys.exit(back.type != pyarrow.float64() or len(set(back.to_pylist())) != 2 or peers != [hashes, hashes])
PYTHON
