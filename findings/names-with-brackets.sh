#!/usr/bin/env bash
# Two files, export[1].csv and export1.csv, and readers that are given the name of the first.
#
# Guess, written before the run: each reads export[1].csv, since a file of that very name is there.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1 polars==2.1.0 datafusion==55.0.0 pyarrow==26.0.1 \
    chdb==4.4.0 chdb-core==26.9.0
printf 'shop\nnorth\n' > 'export[1].csv'
printf 'shop\nsouth\n' > export1.csv
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import chdb
import datafusion
import duckdb
import polars
from pyarrow import csv

name = "export[1].csv"
seen = {
    "duckdb": duckdb.sql(f"FROM read_csv('{name}', header = true)").fetchall()[0][0],
    "polars": polars.read_csv(name)["shop"][0],
    "datafusion": datafusion.SessionContext().read_csv(name).to_pydict()["shop"][0],
    "pyarrow": csv.read_csv(name)["shop"][0].as_py(),
    "chdb": chdb.query(f"SELECT shop FROM file('{name}', 'CSVWithNames')", "TSVRaw").data().strip(),
}
print("guess: north, five times")
for library, shop in seen.items():
    print(f"seen: {library} {version(library)} reads {shop}")
plain = polars.read_csv(name, glob=False)["shop"][0]
print("seen: polars with glob=False reads", plain)
sys.exit([*seen.values(), plain] != ["south", "south", "south", "north", "north", "north"])
PYTHON
