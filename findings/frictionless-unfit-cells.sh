#!/usr/bin/env bash
# frictionless' extract() and a column of numbers in which a text comes after the records that types are taken from.
#
# Guess, written before the run: the column is one of texts, or extract() says that x12 is no integer.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check frictionless==5.21.0
venv/bin/python - <<'PYTHON'
import sys
from pathlib import Path

import frictionless

numbers = [*map(str, range(300)), "x12"]
Path("parts.csv").write_text("part,pieces\n" + "".join(f"{number},5\n" for number in numbers))
print("frictionless", frictionless.__version__)
print("guess: [{'part': '299', 'pieces': 5}, {'part': 'x12', 'pieces': 5}], or an error")
rows = [dict(row) for row in frictionless.extract("parts.csv")["parts"]]
print("seen:", rows[-2:])
found = [(error[0], error[1]) for error in frictionless.validate("parts.csv").flatten(["rowNumber", "type"])]
print("seen: validate() says", found)
sys.exit(rows[-2:] != [{"part": 299, "pieces": 5}, {"part": None, "pieces": 5}] or found != [(302, "type-error")])
PYTHON
