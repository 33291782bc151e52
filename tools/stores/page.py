"""The section of docs/stores.md that the results make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tools.stores.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tools.stores.tried import Tried

__all__ = ["BEGIN", "END", "PAGE", "on_page", "put", "section"]

PAGE = Path(__file__).parents[2] / "docs" / "stores.md"
BEGIN, END = "<!-- made by python -m tools.stores -->", "<!-- end of what python -m tools.stores made -->"


def section(rows: Sequence[Tried]) -> str:
    """Two tables, operations by store, and the notes to their cells."""
    notes = dict.fromkeys(note for row in rows for note in row.warned)
    notes |= dict.fromkeys(note for row in rows for outcome in row.outcomes.values() for note in outcome.notes)
    numbers = {note: number for number, note in enumerate(notes, start=1)}
    lines = ["| store | version | licence | package | `split` warns |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.name} | {row.version} | {row.licence} | {row.source} | {_marks(row.warned, numbers)} |" for row in rows
    ]
    names = [operation.name for operation in OPERATIONS]
    lines += ["", f"| store | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    lines += [f"| {row.name} | {' | '.join(_cells(row, names, numbers))} |" for row in rows]
    lines += ["", *(f"{number}. {note}" for note, number in numbers.items())]
    return "\n".join(lines)


def _cells(row: Tried, names: Sequence[str], numbers: dict[str, int]) -> Iterator[str]:
    for name in names:
        outcome = row.outcomes.get(name)
        if outcome is None:
            yield "not run"
            continue
        marks = _marks(outcome.notes, numbers)
        yield f"{outcome.word} ({marks})" if marks else outcome.word


def _marks(notes: Sequence[str], numbers: dict[str, int]) -> str:
    return ", ".join(str(numbers[note]) for note in notes)


def on_page() -> str:
    """What stands there."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip("\n")


def put(text: str) -> None:
    """Write it between its marks."""
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
