#!/usr/bin/env bash
# DuckDB's read_csv, with nothing said, and a column of codes some of which begin with a number sign.
#
# Guess, written before the run: all rows as they stand; a comment is something that one has to ask for.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1
printf 'code,pieces\n#1001,5\n1002,3\n#1003,7\n' > codes.csv
printf 'pieces,note\n5,ok\n#,unknown\n8,flat # 12\n' > notes.csv
venv/bin/python - <<'PYTHON'
import csv
import sys

import duckdb

print("duckdb", duckdb.__version__)
seen = {}
for name in ("codes.csv", "notes.csv"):
    with open(name, newline="") as file:
        print("guess:", list(csv.reader(file))[1:])
    seen[name] = duckdb.sql(f"FROM '{name}'").fetchall()
    print("seen:", seen[name])
whole = [len(duckdb.sql(f"FROM read_csv('{name}', comment = '')").fetchall()) for name in seen]
print("seen: with comment = '' rows", *whole)
sys.exit((*seen.values(), whole) != ([(1002, 3)], [(5, "ok"), (8, "flat ")], [3, 3]))
PYTHON
