"""docs/stores.md shows the last results of ``python -m tools.stores``, and they are whole. Run again: tests/soak."""

from __future__ import annotations

from tools.stores import page
from tools.stores.__main__ import STORES
from tools.stores.operations import OPERATIONS
from tools.stores.tried import read


def test_the_page_shows_the_last_results() -> None:
    """To the letter; and none of them is wrong data that nothing spoke of."""
    rows = read()
    assert page.on_page() == page.section(rows)
    assert [(row.name, name) for row in rows for name, outcome in row.outcomes.items() if outcome.wrong] == []


def test_every_operation_was_tried_on_every_store() -> None:
    """In the order of the list, with a version each."""
    rows = read()
    assert [row.name for row in rows] == [store.name for store in STORES]
    assert {tuple(row.outcomes) for row in rows} == {tuple(operation.name for operation in OPERATIONS)}
    assert [row.name for row in rows if not row.version] == []


def test_a_row_has_its_word_and_its_notes() -> None:
    """A note has one number, however often it is said."""
    rows = read()
    notes = {note for row in rows for outcome in row.outcomes.values() for note in (*outcome.notes, *row.warned)}
    section = page.section(rows)
    assert all(section.count(f". {note}\n") + section.endswith(f". {note}") == 1 for note in notes)
