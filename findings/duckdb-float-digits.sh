#!/usr/bin/env bash
# DuckDB's text of a FLOAT, beside its text of a DOUBLE.
#
# Guess, as one has it without a run: both are the shortest that reads back as the same value: 1234567.8 stays 1234567.8 in both.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1
printf 'weight\n123456.7\n1234567.8\n366598000\n' > export.csv
venv/bin/python - <<'PYTHON'
import struct
import sys
from pathlib import Path

import duckdb

print("DuckDB", duckdb.__version__)
print("guess: the numbers of the file, in both")
db = duckdb.connect()
seen = {}
for kind in ("DOUBLE", "FLOAT"):
    db.execute(f"COPY (FROM read_csv('export.csv', columns = {{'weight': '{kind}'}})) TO '{kind}.csv'")
    seen[kind] = Path(f"{kind}.csv").read_text().split()[1:]
    print(f"seen: {kind}", *seen[kind])
same = all(struct.pack("f", float(a)) == struct.pack("f", float(b)) for a, b in zip(*seen.values(), strict=True))
print("seen: the same FLOAT is read from either text:", same)
sys.exit(seen != {"DOUBLE": ["123456.7", "1234567.8", "366598000.0"], "FLOAT": ["123456.7", "1234567.75", "366598016.0"]} or not same)
PYTHON
