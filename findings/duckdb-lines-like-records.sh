#!/usr/bin/env bash
# DuckDB's read_csv and a valid file whose quoted fields hold lines that look like records.
#
# Guess, written before the run: read_csv, told the whole dialect, reads as many records as Python's csv module, which wrote them.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1
venv/bin/python - <<'PYTHON'
import csv
import random
import sys

import duckdb

with open("mails.csv", "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["id", "text", "n"])
    drawn = random.Random(2)
    for number in range(20_000):
        count = drawn.randint(1, 200)
        lines = (f'{line},"quoted, {line}",{line}' if drawn.random() < 0.5 else f"{line},plain,{line}" for line in range(count))
        writer.writerow([number, "\n".join(lines), number])
with open("mails.csv", newline="") as file:
    records = sum(1 for _ in csv.reader(file)) - 1
dialect = "header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"', columns = {'id': 'BIGINT', 'text': 'VARCHAR', 'n': 'BIGINT'}"
print("duckdb", duckdb.__version__)
print("guess:", records, "records, as the csv module reads")
try:
    seen = duckdb.sql(f"SELECT count(*) FROM read_csv('mails.csv', {dialect})").fetchall()[0][0]
except duckdb.Error as error:
    seen = str(error).splitlines()[0]
one_by_one = duckdb.sql(f"SELECT count(*) FROM read_csv('mails.csv', {dialect}, parallel = false)").fetchall()[0][0]
print("seen:", seen)
print("seen: with parallel = false", one_by_one)
sys.exit(seen == records or one_by_one != records)
PYTHON
