"""``python -m tools.values``: loads every value, and writes the tables of docs/values.md."""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tools.values.cases import CASES
from tools.values.runs import database, outcomes

if TYPE_CHECKING:
    from splitjoin_cli.stores.loaders.exact.base import TypeRule
    from tools.values.runs import Outcome

PAGE = Path("docs/values.md")
BEGIN, END = "<!-- made by python -m tools.values -->", "<!-- end -->"
MODULES = {"SQLite": "sqlite", "DuckDB": "duckdb", "MariaDB": "mysql", "PostgreSQL": "postgresql"}


def main() -> int:
    """Write the tables; 1 where a value is refused that was kept, or kept that the plain load refuses."""
    parts, alarms = [], []
    for name in CASES:
        with tempfile.TemporaryDirectory(prefix="splitjoin-values-") as place, database(name, Path(place)) as found:
            rig, version = found
            rows = [row for kind, texts in CASES[name].items() for row in outcomes(name, rig, kind, texts)]
        alarms += [row for row in rows if row.is_alarm]
        parts += [
            f"## {name} {version}",
            "",
            *_values(rows),
            "",
            f"What must be the same, on {name}:",
            "",
            *_rules(name),
            "",
        ]
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    tail = rest.partition(END)[2]
    PAGE.write_text(f"{head}{BEGIN}\n\n" + "\n".join(parts) + f"\n{END}{tail}", encoding="utf-8")
    for row in alarms:
        print(f"not as it should be: {row}", file=sys.stderr)
    return 1 if alarms else 0


def row_of(row: Outcome) -> str:
    """A line of the table."""
    kept = "refused" if row.kept is None else _code(row.kept)
    return f"| {_code(row.kind)} | {_code(row.text)} | {kept} | {'loaded' if row.exact else 'refused'} |"


def _values(rows: list[Outcome]) -> list[str]:
    head = ["| column | text in the file | becomes by default | with `--exact-values` |", "|---|---|---|---|"]
    return head + [row_of(row) for row in rows]


def _rules(name: str) -> list[str]:
    types = importlib.import_module(f"splitjoin_cli.stores.loaders.exact.{MODULES[name]}").TYPES
    alike: dict[tuple[str, str], list[str]] = {}
    for kind, rule in types.items():
        alike.setdefault((_meaning(rule), rule.source), []).append(kind)
    return ["| types | the same must be | manual |", "|---|---|---|"] + [
        f"| {', '.join(kinds)} | {meaning} | [page]({source}) |" for (meaning, source), kinds in alike.items()
    ]


def _meaning(rule: TypeRule) -> str:
    return "nothing to compare: each value is kept, or refused" if rule.kind is None else str(rule.kind)


def _code(text: str) -> str:
    escaped = text.replace("|", "\\|")
    return f"`{escaped}`" if escaped == escaped.strip() else f"`{escaped.strip()}` and a blank"


if __name__ == "__main__":
    sys.exit(main())
