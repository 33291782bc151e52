#!/usr/bin/env bash
# dlt, which spells names as a database likes them, and records with the keys "Unit price" and "unit_price", loaded into DuckDB.
#
# Guess, written before the run: two columns, or an error that says that both would be unit_price.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'dlt[duckdb]==1.31.0' duckdb==2.0.1
RUNTIME__DLTHUB_TELEMETRY=false HOME="$place" venv/bin/python - <<'PYTHON'
import sys

import dlt
import duckdb

rows = [{"id": 1, "Unit price": 10, "unit_price": 12}, {"id": 2, "Unit price": 30, "unit_price": 36}]
pipeline = dlt.pipeline("prices", destination=dlt.destinations.duckdb("prices.duckdb"), dataset_name="shop", pipelines_dir="state")
done = pipeline.run(rows, table_name="prices")
print("dlt", dlt.__version__, "duckdb", duckdb.__version__)
print("guess: 10, 12, 30 and 36 are in the table")
with duckdb.connect("prices.duckdb") as db:
    columns = [name for name, *_ in db.sql("DESCRIBE shop.prices").fetchall() if not name.startswith("_dlt")]
    loaded = db.sql(f"SELECT {', '.join(columns)} FROM shop.prices ORDER BY id").fetchall()
print("seen: the load has failed jobs:", done.has_failed_jobs)
print("seen:", columns, loaded)
sys.exit(done.has_failed_jobs or columns != ["id", "unit_price"] or loaded != [(1, 12), (2, 36)])
PYTHON
