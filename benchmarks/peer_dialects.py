"""What others say of files: a script for the Python that has them, without anything of ours.

Reads a JSON list of [path, encoding] on standard input, and writes {tool: [answer]} on standard output. The tools for
dialects are given the text, in its true encoding; those for encodings the bytes.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any


def sniffer(text: str) -> dict[str, Any]:
    """The csv module."""
    sample = text[:65536]
    found = csv.Sniffer()
    try:
        dialect = found.sniff(sample)
    except csv.Error:
        return {}
    try:
        header: bool | None = found.has_header(sample)
    except (csv.Error, StopIteration):
        header = None
    return {"delimiter": dialect.delimiter, "quotechar": dialect.quotechar, "header": header, "skip_lines": 0}


def clever(text: str) -> dict[str, Any]:
    """CleverCSV."""
    import clevercsv  # noqa: PLC0415

    sample = text[:20000]
    try:
        dialect = clevercsv.Sniffer().sniff(sample)
        if dialect is None:
            return {}
        header: bool | None = clevercsv.Sniffer().has_header(sample)
    except Exception:  # noqa: BLE001 -- whatever it raises, it has no answer
        header = None
        if "dialect" not in locals():
            return {}
    return {
        "delimiter": dialect.delimiter or None,
        "quotechar": dialect.quotechar or None,
        "escapechar": dialect.escapechar or None,
        "header": header,
        "skip_lines": 0,
    }


def duck(text: str, lenient: bool) -> dict[str, Any]:  # noqa: FBT001
    """DuckDB's sniff_csv, strict or with ignore_errors and without strict_mode."""
    import duckdb  # noqa: PLC0415

    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="", encoding="utf-8", errors="replace") as file:
        file.write(text)
        file.flush()
        more = ", ignore_errors = true, strict_mode = false, null_padding = true" if lenient else ""
        try:
            asked = f"SELECT Delimiter, Quote, Escape, SkipRows, HasHeader FROM sniff_csv('{file.name}'{more})"  # noqa: S608
            rows = duckdb.connect().execute(asked).fetchall()
        except Exception:  # noqa: BLE001 -- the same
            return {}
    if not rows:
        return {}
    row = rows[0]
    none = ("(empty)", "", "\0")
    return {
        "delimiter": row[0],
        "quotechar": None if row[1] in none else row[1],
        "escapechar": None if row[2] in none else row[2],
        "skip_lines": row[3],
        "header": row[4],
    }


def encodings(data: bytes) -> dict[str, str | None]:
    """Chardet's and charset-normalizer's answers."""
    import chardet  # noqa: PLC0415
    import charset_normalizer  # noqa: PLC0415

    best = charset_normalizer.from_bytes(data).best()
    return {"chardet": chardet.detect(data)["encoding"], "charset-normalizer": best.encoding if best else None}


def main() -> None:
    """Ask each tool about each file."""
    names = {
        "clever": f"CleverCSV {version('clevercsv')}, charset-normalizer {version('charset-normalizer')}",
        "strict": f"DuckDB {version('duckdb')}, chardet {version('chardet')}",
        "lenient": f"DuckDB {version('duckdb')} lenient, chardet {version('chardet')}",
        "csv": f"csv.Sniffer of Python {sys.version.split()[0]}, chardet {version('chardet')}",
    }
    said: dict[str, list[dict[str, Any]]] = {name: [] for name in names.values()}
    for path, encoding in json.load(sys.stdin):
        data = Path(path).read_bytes()
        text = data.decode(encoding).removeprefix("\ufeff")
        guessed = encodings(data)
        said[names["clever"]].append({**clever(text), "encoding": guessed["charset-normalizer"]})
        said[names["strict"]].append({**duck(text, lenient=False), "encoding": guessed["chardet"]})
        said[names["lenient"]].append({**duck(text, lenient=True), "encoding": guessed["chardet"]})
        said[names["csv"]].append({**sniffer(text), "encoding": guessed["chardet"]})
    json.dump(said, sys.stdout)


main()
