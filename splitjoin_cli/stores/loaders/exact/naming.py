"""What is said of columns whose values are not checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["not_checked"]


def not_checked(table: str, columns: Sequence[str]) -> str:
    """What is said once of columns whose types have no rule."""
    return f"table {table}: the values of these columns are not checked, since no rule is known for their types: " + (
        ", ".join(columns)
    )
