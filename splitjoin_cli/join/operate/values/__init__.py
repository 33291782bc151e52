"""Compares the rows of a table with the records that they came from: multisets, by hashes, in bounded memory."""

from splitjoin_cli.join.operate.values.comparison import Limits, Side, compare_values
from splitjoin_cli.join.operate.values.report import ChangedRow, ChangedValue, FoundRow, Values

__all__ = ["ChangedRow", "ChangedValue", "FoundRow", "Limits", "Side", "Values", "compare_values"]
