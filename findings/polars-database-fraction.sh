#!/usr/bin/env bash
# Polars' read_database and a column of SQLite with whole prices, behind which comes one with a fraction.
#
# Guess, written before the run: 1.5 and 2.75 are read as they are, as read_database_uri reads them, or there is an error.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check polars==2.1.0 pandas==3.0.6
venv/bin/python - <<'PYTHON'
import sqlite3
import sys

import pandas
import polars

db = sqlite3.connect(":memory:")
db.execute("CREATE TABLE sales (price NUMERIC)")
db.executemany("INSERT INTO sales VALUES (?)", [(price,) for price in (*range(1, 101), 1.5, 2.75)])
total = db.execute("SELECT sum(price) FROM sales").fetchone()[0]
print("polars", polars.__version__, "pandas", pandas.__version__)
print("guess: 1.5 and 2.75, and SQLite's sum of all,", total)
frame = polars.read_database("SELECT price FROM sales", db)
print("seen: polars", frame["price"].tail(2).to_list(), frame["price"].sum(), frame["price"].dtype)
whole = polars.read_database("SELECT price FROM sales", db, infer_schema_length=None)["price"]
print("seen: polars, with infer_schema_length=None", whole.tail(2).to_list(), whole.sum())
peer = pandas.read_sql("SELECT price FROM sales", db)["price"]
print("seen: pandas", peer.tail(2).to_list(), peer.sum())
sys.exit((frame["price"].tail(2).to_list(), whole.sum(), peer.sum(), total) != ([1, 2], 5054.25, 5054.25, 5054.25))
PYTHON
