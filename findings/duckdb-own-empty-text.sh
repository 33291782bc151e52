#!/usr/bin/env bash
# DuckDB's COPY TO and its own read_csv: NULL and the empty text.
#
# Guess, written before the run: COPY writes the two in different ways, and read_csv, with nothing said, gives both back, as Polars does
# for its own file and for DuckDB's.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1 polars==2.1.0
venv/bin/python - <<'PYTHON'
import sys

import duckdb
import polars

rows = [(1, None), (2, ""), (3, "x")]
print("duckdb", duckdb.__version__, "polars", polars.__version__)
print("guess: both read", rows)
duckdb.sql("COPY (SELECT * FROM (VALUES (1, NULL), (2, ''), (3, 'x')) t(id, note)) TO 'export.csv'")
with open("export.csv", "rb") as file:
    data = file.read()
own, theirs = duckdb.sql("FROM read_csv('export.csv')").fetchall(), polars.read_csv("export.csv").rows()
print("seen: the file", data)
print("seen: polars reads", theirs)
print("seen: duckdb reads", own, "and the empty text is gone")
sys.exit(data != b'id,note\n1,\n2,""\n3,x\n' or theirs != rows or own != [(1, None), (2, None), (3, "x")])
PYTHON
