"""Exporters that the tests do not bring: pip's, npm's and Debian's, run where they are installed.

Each is a program that reads the table as JSON from standard input, and writes the file to standard output.
"""

# ruff: noqa: S608 -- the program that exports makes its own table

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from tools.exporters.programs import environment, program
from tools.exporters.table import COLUMNS, ROWS
from tools.exporters.variants import LIKE_NULL, LOST_NULL, NO_NULL, NULL_EMPTY, NULL_N, SAME_BYTES, Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tools.exporters.variants import Places

__all__ = ["ELSEWHERE"]

READ = "import sys, json; columns, rows = json.load(sys.stdin)\n"
PANDAS = f"{READ}import pandas; frame = pandas.DataFrame(rows, columns=columns)\nframe.to_csv(sys.stdout, index=False"
POLARS = (
    f"{READ}import polars; frame = polars.DataFrame(rows, schema=columns, orient='row')\n"
    "frame.write_csv(sys.stdout.buffer"
)
PYARROW = (
    f"{READ}import pyarrow, pyarrow.csv\n"
    "table = pyarrow.table(dict(zip(columns, map(list, zip(*rows)))))\n"
    "pyarrow.csv.write_csv(table, sys.stdout.buffer, pyarrow.csv.WriteOptions("
)
CHDB = (
    f"{READ}import chdb.session; session = chdb.session.Session()\n"
    "session.query('CREATE DATABASE d'); session.query('CREATE TABLE d.a (id Int32, t Nullable(String), "
    "u Nullable(String)) ENGINE = MergeTree ORDER BY id')\n"
    "text = lambda v: 'NULL' if v is None else \"unhex('\" + v.encode().hex() + \"')\"\n"
    "session.query('INSERT INTO d.a VALUES ' + ', '.join(f'({i}, {text(t)}, {text(u)})' for i, t, u in rows))\n"
    "sys.stdout.buffer.write(session.query('SELECT * FROM d.a ORDER BY id', "
)
NODE = (
    "const [columns, rows] = JSON.parse(require('fs').readFileSync(0, 'utf8'));\n"
    "const put = (s) => process.stdout.write(s);\n"
)
PERL = (
    "use JSON::PP; use Text::CSV_XS; local $/; my ($columns, $rows) = @{JSON::PP->new->utf8->decode(<STDIN>)};\n"
    "binmode STDOUT, ':utf8'; my $csv = Text::CSV_XS->new({binary => 1, eol => \"\\n\""
)
PERL_END = "}); $csv->print(*STDOUT, $_) for $columns, @$rows;"
PHP = "[$columns, $rows] = json_decode(stream_get_contents(STDIN)); foreach (array_merge([$columns], $rows) as $row) "
RUBY = (
    "require 'json'; require 'csv'; columns, rows = JSON.parse(STDIN.read);"
    " puts [columns, *rows].map { |row| row.to_csv }.join"
)


def _program(*command: str, records: bool = False) -> Callable[[Path, Places], None]:
    """A command. Raises FileNotFoundError where its program is not there.

    ``records``: it reads one object for each row.
    """

    def write(path: Path, _: Places) -> None:
        table = json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in ROWS] if records else [COLUMNS, ROWS])
        done = subprocess.run(
            [program(command[0]), *command[1:]],
            check=True,
            input=table.encode(),
            capture_output=True,
            env=environment(),
        )
        path.write_bytes(done.stdout)

    return write


def _python(code: str) -> Callable[[Path, Places], None]:
    return _program("python", "-c", code)


def _node(code: str) -> Callable[[Path, Places], None]:
    return _program("node", "-e", NODE + code)


ELSEWHERE: Sequence[Variant] = (
    Variant("pandas: to_csv", _python(f"{PANDAS})"), {"line_end": "lf", **NO_NULL}, LOST_NULL),
    Variant(
        "pandas: na_rep='\\N'", _python(f"{PANDAS}, na_rep='\\\\N')"), {"line_end": "lf", **NULL_N}, {"\\N": LIKE_NULL}
    ),
    Variant("Polars: write_csv", _python(f"{POLARS})"), NULL_EMPTY),
    Variant("Polars: quote_style='always'", _python(f"{POLARS}, quote_style='always')"), NO_NULL, LOST_NULL),
    Variant("Polars: null_value='NA'", _python(f"{POLARS}, null_value='NA')"), {"null": "NA"}, {"NA": LIKE_NULL}),
    Variant("pyarrow: write_csv", _python(f"{PYARROW}))"), NULL_EMPTY),
    Variant("ClickHouse: CSVWithNames", _python(f"{CHDB}'CSVWithNames').bytes())"), {"dialect": "clickhouse-csv"}),
    Variant(
        "ClickHouse: TabSeparatedWithNames",
        _python(f"{CHDB}'TabSeparatedWithNames').bytes())"),
        {"dialect": "clickhouse-tsv"},
    ),
    Variant(
        "csv-stringify",
        _node("put(require('csv-stringify/sync').stringify([columns, ...rows]));"),
        NO_NULL,
        LOST_NULL,
    ),
    Variant("Papa Parse", _node("put(require('papaparse').unparse([columns, ...rows]));"), NO_NULL, LOST_NULL),
    Variant(
        "Papa Parse: quotes",
        _node("put(require('papaparse').unparse([columns, ...rows], {quotes: true}));"),
        NULL_EMPTY,
    ),
    Variant(
        "fast-csv",
        _node("require('fast-csv').writeToString([columns, ...rows]).then(put);"),
        NO_NULL,
        LOST_NULL,
    ),
    Variant(
        "SheetJS: sheet_to_csv",
        _node("const x = require('xlsx'); put(x.utils.sheet_to_csv(x.utils.aoa_to_sheet([columns, ...rows])));"),
        {"line_end": "lf", **NO_NULL},
        LOST_NULL,
    ),
    Variant(
        "PHP: fputcsv", _program("php", "-r", f"{PHP} fputcsv(STDOUT, $row);"), {"dialect": "php", **NO_NULL}, LOST_NULL
    ),
    Variant(
        "PHP: fputcsv, escape ''",
        _program("php", "-r", f"{PHP} fputcsv(STDOUT, $row, ',', '\"', '');"),
        NO_NULL,
        LOST_NULL,
    ),
    Variant("Ruby: to_csv", _program("ruby", "-e", RUBY), NULL_EMPTY),
    Variant("Perl: Text::CSV_XS", _program("perl", "-e", PERL + PERL_END), NO_NULL, LOST_NULL),
    Variant("Perl: quote_empty", _program("perl", "-e", f"{PERL}, quote_empty => 1{PERL_END}"), NULL_EMPTY),
    Variant(
        "Miller: from JSON to CSV",
        _program("mlr", "--ijson", "--ocsv", "cat", records=True),
        NO_NULL,
        {None: SAME_BYTES},
    ),
)
"""What ``make exporters`` brings; ``python -m tools.exporters`` and ``make soak`` run them."""
