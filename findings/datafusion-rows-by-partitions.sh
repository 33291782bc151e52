#!/usr/bin/env bash
# DataFusion's count of a CSV file of addresses of two lines each, with 1, 4 and 16 target partitions; the default is the number of cores.
#
# Guess, written before the run: 300,000 each time; or an error, since newlines in quotes have to be asked for.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check datafusion==55.0.0 pyarrow==26.0.1
venv/bin/python - <<'PYTHON'
import csv
import sys

import datafusion
import pyarrow

with open("addresses.csv", "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["name", "address"])
    writer.writerows([f"Customer {number}", f"{number} Elm Street\nFlat 3, Leeds"] for number in range(300_000))
schema = pyarrow.schema([("name", pyarrow.string()), ("address", pyarrow.string())])


def table(partitions: int, newlines: bool = False) -> datafusion.DataFrame:
    options = datafusion.CsvReadOptions(schema=schema, newlines_in_values=newlines)
    context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(partitions))
    return context.read_csv("addresses.csv", options=options)


print("DataFusion", datafusion.__version__)
print("guess: 300000, three times, or an error")
seen = {partitions: table(partitions).count() for partitions in (1, 4, 16)}
for partitions, rows in seen.items():
    print(f"seen: {rows} rows with {partitions} partitions")
others = table(4).filter(datafusion.functions.strpos(datafusion.col("name"), datafusion.lit("Customer")) == datafusion.lit(0)).to_pydict()
print("seen: rows of no customer, with 4 partitions", [*zip(*others.values(), strict=True)])
asked = table(16, newlines=True).count()
print(f"seen: {asked} rows with 16 partitions and newlines_in_values")
sys.exit([*seen.values(), asked] != [300_000, 300_003, 300_011, 300_000])
PYTHON
