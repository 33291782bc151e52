#!/usr/bin/env bash
# DuckDB's read_csv and a record with one field too many.
#
# Guess, written before the run: with strict_mode, named columns and no detection, a record of four fields in a file of three
# columns is an error that names the line.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.0
printf 'id,name,note\n1,Ann,x\n2,Smith, John,\n' > "$place/file.csv"
"$place/venv/bin/python" - "$place/file.csv" <<'PYTHON'
import sys

import duckdb

print("duckdb", duckdb.__version__)
print("guess: an error, since the second record has four fields")
columns = "{'id': 'BIGINT', 'name': 'VARCHAR', 'note': 'VARCHAR'}"
read = f"read_csv('{sys.argv[1]}', header=true, auto_detect=false, strict_mode=true, null_padding=false, columns={columns})"
try:
    seen = duckdb.sql(f"SELECT * FROM {read}").fetchall()
except duckdb.Error as error:
    print("seen:", error)
    sys.exit("this has changed: it is an error now")
print("seen: no error;", seen)
sys.exit(seen != [(1, "Ann", "x"), (2, "Smith", " John")])
PYTHON
