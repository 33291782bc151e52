#!/usr/bin/env bash
# datacompy's comparison of two tables whose integers differ by one, with its tolerances at their default, 0.
#
# Guess, as one has it without a run: it says that they differ, however large the integers are.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check datacompy==1.1.0 pandas==3.0.6 polars==1.33.1
venv/bin/python - <<'PYTHON'
import sys

import datacompy
import pandas
import polars

print("datacompy", datacompy.__version__, "pandas", pandas.__version__, "polars", polars.__version__)
print("guess: all differ")
seen = []
for number in (1234, 12345678901234567):
    for library, compare in ((pandas, datacompy.PandasCompare), (polars, datacompy.PolarsCompare)):
        ours, theirs = (library.DataFrame({"id": [1], "invoice": [invoice]}) for invoice in (number, number + 1))
        assert not (ours["invoice"] == theirs["invoice"]).all()
        seen.append(compare(ours, theirs, join_columns="id").matches())
        print(f"seen: {number} and {number + 1} in {library.__name__}, {ours['invoice'].dtype}:", "the same" if seen[-1] else "they differ")
sys.exit(seen != [False, False, True, True])
PYTHON
