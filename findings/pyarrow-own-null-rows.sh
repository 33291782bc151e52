#!/usr/bin/env bash
# pyarrow's write_csv and read_csv with a table of one column that holds NULL.
#
# Guess, written before the run: a table of four rows that pyarrow writes is a table of four rows when pyarrow reads it.
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

amounts = [1, None, 2, None]
print("pyarrow", pyarrow.__version__, "polars", polars.__version__, "duckdb", duckdb.__version__)
print("guess: all read four rows,", amounts)
csv.write_csv(pyarrow.table({"amount": amounts}), "amounts.csv")
with open("amounts.csv", "rb") as file:
    print("seen: the file", file.read())
own = csv.read_csv("amounts.csv")["amount"].to_pylist()
others = [
    polars.read_csv("amounts.csv")["amount"].to_list(),
    [amount for (amount,) in duckdb.sql("FROM read_csv('amounts.csv', header = true)").fetchall()],
]
print("seen: polars and duckdb read", *others)
print("seen: pyarrow reads", own, "since it passes over blank lines unless ParseOptions(ignore_empty_lines=False) is given")
kept = csv.read_csv("amounts.csv", parse_options=csv.ParseOptions(ignore_empty_lines=False))["amount"].to_pylist()
sys.exit((own, kept, *others) != ([1, 2], amounts, amounts, amounts))
PYTHON
