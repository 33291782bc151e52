#!/usr/bin/env bash
# fsspec's touch() and a file that is there.
#
# Guess, written before the run: it has a new time and its old content, as after touch(1) and pathlib's touch().
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fsspec==2026.9.0
printf 'id,name\n1,Ann\n' > export.csv
venv/bin/python - <<'PYTHON'
import sys
from pathlib import Path

import fsspec

print("fsspec", fsspec.__version__)
print("guess: 14 bytes before and after")
files, path = fsspec.filesystem("file"), Path("export.csv")
path.touch()
before = path.stat().st_size
files.touch("export.csv")
after = path.stat().st_size
print(f"seen: {before} bytes before, {after} after: its parameter truncate is True unless one says otherwise")
path.write_text("id,name\n1,Ann\n")
files.touch("export.csv", truncate=False)
sys.exit((before, after, path.stat().st_size) != (14, 0, 14))
PYTHON
