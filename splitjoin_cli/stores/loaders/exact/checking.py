"""Compares the values that a database may change with what their columns make of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core.shown import shown
from splitjoin_cli.stores.loaders.bad_rows import BadRecordError, numbered
from splitjoin_cli.stores.loaders.exact.equality import Kind, alike

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.stores.loaders.exact.base import ColumnRule, ExactValues

__all__ = ["first_changed", "is_same"]

SHOWN_BYTES = 95
"""Of the text, and of what it would become: together no more than 200."""
HINT = "correct the value in the source, give the column a type that keeps it, or load without --exact-values"


def first_changed(exact: ExactValues, rules: Sequence[ColumnRule]) -> BadRecordError | None:
    """The first value that its column would change, as a bad row; None where all are kept."""
    checked = [rule for rule in rules if rule.kind]
    for doubt in exact.doubts(checked):
        for rule, (text, kept) in zip(checked, doubt.values, strict=True):
            if text is None or kept is None or rule.kind is None:
                continue  # what cannot be converted is refused by the load itself
            if not alike(rule.kind, text, kept, is_list=rule.is_list):
                return BadRecordError(_changed(rule, text, kept), numbered(exact.number(doubt.key)), hint=HINT)
    return None


def is_same(rule: ColumnRule, text: str, kept: str) -> bool:
    """Whether a column has the value that ``text`` says; ``kept``: as ``rule.shown`` tells it. Neither is NULL.

    Of a type without a rule each character is compared.
    """
    return alike(rule.kind or rule.spelled or Kind.TEXT, text, kept, is_list=rule.is_list)


def _changed(rule: ColumnRule, text: str, kept: str) -> str:
    column = f"column {shown(rule.column.name)} ({shown(rule.declared)})"
    return f"{column} would change '{shown(text, SHOWN_BYTES)}' to '{shown(kept, SHOWN_BYTES)}'"
