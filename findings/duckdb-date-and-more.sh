#!/usr/bin/env bash
# DuckDB's read_csv and a date with something behind it, in a column that is said to be DATE.
#
# Guess, as one has it without a run: an error, as CAST makes it.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1
venv/bin/python - <<'PYTHON'
import datetime
import sys
from pathlib import Path

import duckdb

texts = ["2024-01-31x", "2024-01-31 foo", "2024-01-31-05", "2024-01-31;2024-02-29", "2024-01-311"]
print("duckdb", duckdb.__version__)
print("guess: an error for each, in read_csv and in CAST")
read = "read_csv('day.csv', auto_detect = false, strict_mode = true, header = true, delim = ',', columns = {'day': 'DATE'})"


def seen(query: str) -> str:
    try:
        return str(duckdb.sql(query).fetchall()[0][0])
    except duckdb.ConversionException:
        return "an error"


days, casts = [], []
for text in texts:
    Path("day.csv").write_text(f"day\n{text}\n")
    days.append(seen(f"FROM {read}"))
    casts.append(seen(f"SELECT CAST('{text}' AS DATE)"))
    print(f"seen: {text} is {days[-1]} in read_csv, {casts[-1]} in CAST")
sys.exit(days != [str(datetime.date(2024, 1, 31))] * 4 + ["an error"] or casts != ["an error"] * 5)
PYTHON
