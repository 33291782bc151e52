#!/usr/bin/env bash
# DuckDB's read_csv, with nothing said, and one file of dates such as 01/02/2024, read whole and in two parts; and years of two digits.
#
# Guess, written before the run: dates that could be of two kinds are texts, or a record's date is the same whatever records stand beside it.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1
printf 'id,day\n1,01/02/2024\n2,03/04/2024\n3,12/25/2024\n' > whole.csv
printf 'id,day\n1,01/02/2024\n2,03/04/2024\n' > first-part.csv
printf 'id,day\n3,12/25/2024\n' > second-part.csv
printf 'id,day\n1,01/02/24\n2,03/04/24\n' > two-digits.csv
venv/bin/python - <<'PYTHON'
import sys

import duckdb

print("duckdb", duckdb.__version__)
print("guess: the record 1 has the same day in whole.csv and in first-part.csv")
seen = {}
for name in ("whole", "first-part", "second-part", "two-digits"):
    rows = duckdb.sql(f"SELECT id, day, typeof(day) FROM read_csv('{name}.csv') ORDER BY id").fetchall()
    seen[name] = [str(day) for _, day, _ in rows]
    print(f"seen: {name}.csv has", ", ".join(f"{number}: {day} ({kind})" for number, day, kind in rows))
sys.exit(
    seen["whole"] != ["2024-01-02", "2024-03-04", "2024-12-25"] or seen["first-part"] != ["2024-02-01", "2024-04-03"]
    or seen["second-part"] != ["2024-12-25"] or seen["two-digits"] != ["2001-02-24", "2003-04-24"]
)  # fmt: skip
PYTHON
