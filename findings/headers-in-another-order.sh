#!/usr/bin/env bash
# Two exports of one table, whose headers name the same columns in another order, read as one table by six readers.
#
# Guess, written before the run: each goes by the names in each file's header, or refuses the second file.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check datafusion==55.0.0 daft==0.6.14 duckdb==2.0.1 polars==2.1.0 pyarrow==26.0.1 \
    'dask[dataframe]==2026.8.0' pandas==3.0.6
mkdir days
printf 'id,debit,credit\n1,1,2\n2,10,20\n' > days/monday.csv
printf 'id,credit,debit\n3,200,100\n' > days/tuesday.csv
DAFT_PROGRESS_BAR=0 DO_NOT_TRACK=true venv/bin/python - <<'PYTHON'
import os
import sys

import daft
import dask
import dask.dataframe
import datafusion
import duckdb
import polars
import pyarrow
import pyarrow.compute
import pyarrow.dataset

dask.config.set(scheduler="threads")
context = datafusion.SessionContext()
context.register_csv("days", "days/")
total = context.sql("SELECT sum(debit) AS debit, sum(credit) AS credit FROM days").to_pylist()[0]
seen = {f"datafusion {datafusion.__version__}": (total["debit"], total["credit"])}
total = daft.read_csv("days/*.csv").sum("debit", "credit").to_pydict()
seen[f"daft {daft.__version__}"] = (total["debit"][0], total["credit"][0])
seen[f"duckdb {duckdb.__version__}"] = duckdb.sql("SELECT sum(debit), sum(credit) FROM read_csv('days/*.csv')").fetchall()[0]
table = pyarrow.dataset.dataset("days", format="csv").to_table()
seen[f"pyarrow {pyarrow.__version__}"] = tuple(pyarrow.compute.sum(table[name]).as_py() for name in ("debit", "credit"))
total = dask.dataframe.read_csv("days/*.csv")[["debit", "credit"]].sum().compute()
seen[f"dask {dask.__version__}"] = (total["debit"], total["credit"])
try:
    seen[f"polars {polars.__version__}"] = polars.scan_csv("days/*.csv").select("debit", "credit").sum().collect().row(0)
except polars.exceptions.PolarsError as error:
    seen[f"polars {polars.__version__}"] = str(error).splitlines()[0]
print("guess: debit 111 and credit 222, or an error")
for reader, sums in seen.items():
    print(f"seen: {reader}", sums if isinstance(sums, str) else f"debit {sums[0]} and credit {sums[1]}")
first, second, third, fourth, fifth, refusal = seen.values()
mixed = {(211, 122), (122, 211)}  # which of the two headers counts for both files is a matter of the order that they are listed in
changed = not {first, second} <= mixed or {third, fourth, fifth} != {(111, 222)} or "schema names differ" not in refusal
sys.stdout.flush()
os._exit(changed)  # daft has threads that the end of the interpreter does not wait for
PYTHON
