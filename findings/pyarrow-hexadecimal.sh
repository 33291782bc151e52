#!/usr/bin/env bash
# pyarrow's read_csv and a column of hexadecimal codes, with types that it finds and with types that are said.
#
# Guess, as one has it without a run: it finds texts; where the column is said to be of integers, an error, as for 255 in an int8.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyarrow==26.0.1 polars==2.1.0
printf 'code\n0x00ff\n0xffffffffffffffff\n' > codes.csv
printf 'code\n0xff\n' > hexadecimal.csv
printf 'code\n255\n' > decimal.csv
venv/bin/python - <<'PYTHON'
import sys

import polars
import pyarrow
from pyarrow import csv

print("pyarrow", pyarrow.__version__, "polars", polars.__version__)
print("guess: the texts 0x00ff and 0xffffffffffffffff")
found = csv.read_csv("codes.csv")["code"]
print("seen: polars finds", polars.read_csv("codes.csv")["code"].to_list())
print("seen: pyarrow finds", found.type, found.to_pylist())
print("guess: an error for 0xff and for 255 as int8")


def as_int8(name: str) -> object:
    try:
        return csv.read_csv(name, convert_options=csv.ConvertOptions(column_types={"code": pyarrow.int8()}))["code"][0].as_py()
    except pyarrow.ArrowInvalid:
        return "an error"


seen = [as_int8("hexadecimal.csv"), as_int8("decimal.csv")]
print(f"seen: 0xff is {seen[0]}, 255 is {seen[1]}")
sys.exit((found.to_pylist(), seen) != ([255, -1], [-1, "an error"]))
PYTHON
