#!/usr/bin/env bash
# DuckDB's CAST of columns that it has found to be DATE and DOUBLE, in a query of the CSV file and in one of a table made of that file.
#
# Guess, as one has it without a run: the same in both; CAST(day AS VARCHAR) is the text of the date that day is.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1
printf 'id,day,factor\n1,12/25/2024,2.50\n' > days.csv
venv/bin/python - <<'PYTHON'
import sys

import duckdb

print("duckdb", duckdb.__version__)
print("guess: 2024-12-25, 2.5 and 2, each time")
casts = "CAST(day AS VARCHAR), CAST(factor AS VARCHAR), CAST(factor AS INTEGER)"
duckdb.sql("CREATE TABLE days AS FROM 'days.csv'")
queries = {
    "the columns are": "SELECT typeof(day), typeof(factor) FROM 'days.csv'",
    "from the table": f"SELECT {casts} FROM days",
    "from the file, beside the columns": f"SELECT {casts}, day, factor FROM 'days.csv'",
    "from the file, text": "SELECT CAST(day AS VARCHAR), CAST(factor AS VARCHAR) FROM 'days.csv'",
    "from the file, integer": "SELECT CAST(factor AS INTEGER) FROM 'days.csv'",
    "from the file, with the type said": "SELECT CAST(factor AS VARCHAR) FROM read_csv('days.csv', types = {'factor': 'DOUBLE'})",
}
seen = []
for name, query in queries.items():
    seen.append(" ".join(map(str, duckdb.sql(query).fetchall()[0])))
    print(f"seen: {name}:", seen[-1])
sys.exit(seen != ["DATE DOUBLE", "2024-12-25 2.5 2", "2024-12-25 2.5 2 2024-12-25 2.5", "12/25/2024 2.50", "3", "2.50"])
PYTHON
