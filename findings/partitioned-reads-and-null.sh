#!/usr/bin/env bash
# A table of 20 rows that connectorx, Polars and dask read in several queries, by a column that is NULL in four of them.
#
# Guess, written before the run: all 20 rows, or an error that names the column.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check connectorx==0.4.6 polars==2.1.0 pyarrow==26.0.1 'dask[dataframe]==2026.8.0' \
    pandas==3.0.6 sqlalchemy==2.1.9
venv/bin/python - "$place/invoices.db" <<'PYTHON'
import sqlite3
import sys

import connectorx
import dask
import dask.dataframe
import pandas
import polars

dask.config.set(scheduler="threads")
file = sys.argv[1]
with sqlite3.connect(file) as db:
    db.execute("CREATE TABLE invoices (id INTEGER PRIMARY KEY, branch INTEGER)")
    db.executemany("INSERT INTO invoices (branch) VALUES (?)", [(number if number % 5 else None,) for number in range(1, 21)])
every, uri = "SELECT * FROM invoices", f"sqlite://{file}"
print("connectorx", connectorx.__version__, "polars", polars.__version__, "dask", dask.__version__)
print("guess: 20 rows each time, or an error")
whole = [len(polars.read_database_uri(every, uri)), len(pandas.read_sql_table("invoices", f"sqlite:///{file}", index_col="branch"))]
print("seen: in one query, polars and pandas read", *whole)
seen = [
    len(connectorx.read_sql(uri, every, partition_on="branch", partition_num=4, return_type="polars")),
    len(polars.read_database_uri(every, uri, partition_on="branch", partition_num=4)),
    len(dask.dataframe.read_sql_table("invoices", f"sqlite:///{file}", index_col="branch", npartitions=4)),
]
print("seen: in four, connectorx, polars and dask read", *seen)
sys.exit((whole, seen) != ([20, 20], [16, 16, 16]))
PYTHON
