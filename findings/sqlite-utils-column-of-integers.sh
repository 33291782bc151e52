#!/usr/bin/env bash
# sqlite-utils' insert of a CSV file, and columns of codes such as 1_000 and readings with a nan among them.
#
# Guess, written before the run: TEXT columns with the texts as they are, or numbers that SQLite counts with.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check sqlite-utils==4.2.1
printf 'code,reading\n1_000,1.5\n2_000,nan\n' > values.csv
venv/bin/sqlite-utils --version
echo "guess: columns of TEXT; or a sum of 3000 and a largest reading of 1.5"
venv/bin/sqlite-utils insert values.db readings values.csv --csv
python3 - <<'PYTHON'
import sqlite3
import sys

db = sqlite3.connect("values.db")
columns = {name: kind for _, name, kind, *_ in db.execute("PRAGMA table_info(readings)")}
stored = db.execute("SELECT code, typeof(code), reading, typeof(reading) FROM readings").fetchall()
total, largest = db.execute("SELECT sum(code), max(reading) FROM readings").fetchone()
print("seen: columns", columns)
print("seen: rows", *stored)
print("seen: sum(code) is", total, "and max(reading) is", largest)
sys.exit(columns != {"code": "INTEGER", "reading": "REAL"} or (total, largest) != (3, "nan"))
PYTHON
