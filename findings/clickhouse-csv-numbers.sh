#!/usr/bin/env bash
# ClickHouse's CSV reader and values that a column's type cannot hold.
#
# Guess, written before the run: an error for each, as it is for '-1' in an unsigned column; at the least for 300 in a byte.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check chdb==4.4.0 chdb-core==26.9.0
printf '300,200,2.999,1900-01-01\n' > values.csv
printf -- '-1\n' > negative.csv
venv/bin/python - <<'PYTHON'
import sys

import chdb

print("ClickHouse", chdb.query("SELECT version()", "TSVRaw").data().strip(), "in chdb 4.4.0")
print("guess: four errors")
types = ("UInt8", "Int8", "Decimal(10, 2)", "Date")
columns = ", ".join(f"c{number} {name}" for number, name in enumerate(types))
seen = chdb.query(f"SELECT * FROM file('values.csv', 'CSV', '{columns}')", "TSVRaw").data().strip().split("\t")
for text, name, value in zip(("300", "200", "2.999", "1900-01-01"), types, seen):
    print(f"seen: {text} as {name} is {value}")
try:
    chdb.query("SELECT * FROM file('negative.csv', 'CSV', 'c UInt8')")
    refused = False
except RuntimeError as error:
    refused = "must not contain '-'" in str(error)
print("seen: -1 as UInt8 is", "an error" if refused else "none")
sys.exit(not refused or seen != ["44", "-56", "2.99", "1970-01-01"])
PYTHON
