#!/usr/bin/env bash
# DuckDB's read_csv, with nothing said, and an export that was split by country: norway.csv has the code NO in each row, sweden.csv SE.
#
# Guess, as one has it without a run: NO is a text, as SE is.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1 polars==2.1.0
printf 'id,country\n1,NO\n2,NO\n' > norway.csv
printf 'id,country\n3,SE\n' > sweden.csv
venv/bin/python - <<'PYTHON'
import sys

import duckdb
import polars

print("duckdb", duckdb.__version__, "polars", polars.__version__)
print("guess: NO NO SE")
seen = [duckdb.sql(f"SELECT country, typeof(country) FROM '{name}.csv'").fetchall() for name in ("norway", "sweden")]
print("seen: duckdb reads norway.csv as", *seen[0], "and sweden.csv as", *seen[1])
together = [row[0] for row in duckdb.sql("SELECT country FROM read_csv(['norway.csv', 'sweden.csv']) ORDER BY id").fetchall()]
print("seen: duckdb reads both in one call as", *together)
duckdb.sql("COPY (SELECT * FROM 'norway.csv') TO 'again.csv'")
with open("again.csv") as file:
    again = file.read().split()
print("seen: norway.csv, copied by duckdb:", *again)
print("seen: polars reads norway.csv as", polars.read_csv("norway.csv")["country"].to_list())
sys.exit((seen, together, again[1:]) != ([[(False, "BOOLEAN")] * 2, [("SE", "VARCHAR")]], ["NO", "NO", "SE"], ["1,false", "2,false"]))
PYTHON
