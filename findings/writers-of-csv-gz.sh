#!/usr/bin/env bash
# The name table.csv.gz, given to the writers of pandas, DuckDB, pyarrow, dask, DataFusion and Polars, and what each then reads from it.
#
# Guess, written before the run: a gzip file, or an error.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pandas==3.0.6 duckdb==2.0.1 pyarrow==26.0.1 'dask[dataframe]==2026.8.0' \
    datafusion==55.0.0 polars==2.1.0
venv/bin/python - <<'PYTHON'
import sys
import warnings
from pathlib import Path

import dask
import dask.dataframe
import datafusion
import duckdb
import pandas
import polars
import pyarrow
import pyarrow.csv

warnings.simplefilter("ignore")
dask.config.set(scheduler="threads")
frame = pandas.DataFrame({"id": [1, 2]})
context = datafusion.SessionContext()
parts = dask.dataframe.from_pandas(frame, npartitions=1)
tools = {
    "pandas": (pandas, lambda name: frame.to_csv(name, index=False), pandas.read_csv),
    "duckdb": (duckdb, lambda name: duckdb.sql(f"COPY (FROM (VALUES (1), (2)) t(id)) TO '{name}'"), lambda name: duckdb.sql(f"FROM '{name}'").fetchall()),
    "pyarrow": (pyarrow, lambda name: pyarrow.csv.write_csv(pyarrow.table(frame), name), pyarrow.csv.read_csv),
    "dask": (dask, lambda name: parts.to_csv(name, single_file=True, index=False), lambda name: dask.dataframe.read_csv(name, blocksize=None).compute()),
    "datafusion": (datafusion, lambda name: context.sql(f"COPY (VALUES (1), (2)) TO '{name}' STORED AS CSV").collect(), None),
    "polars": (polars, lambda name: polars.DataFrame({"id": [1, 2]}).write_csv(name), polars.read_csv),
}
print("guess: gzip, or an error, each time")
seen = {}
for tool, (module, write, read) in tools.items():
    name = f"{tool}.csv.gz"
    try:
        write(name)
        seen[tool] = "gzip" if Path(name).read_bytes()[:2] == b"\x1f\x8b" else "plain text"
    except Exception as error:
        seen[tool] = f"an error, {type(error).__name__}"
    if read and Path(name).exists():
        try:
            read(name)
            seen[tool] += ", which it reads"
        except Exception as error:
            seen[tool] += f", which it does not read: {type(error).__name__}"
    print(f"seen: {tool} {module.__version__} writes {seen[tool]}")
sys.exit(seen != {
    "pandas": "gzip, which it reads", "duckdb": "gzip, which it reads", "pyarrow": "plain text, which it does not read: OSError",
    "dask": "plain text, which it does not read: BadGzipFile", "datafusion": "plain text", "polars": "an error, InvalidOperationError",
})  # fmt: skip
PYTHON
