"""What the body's columns hold, as far as it tells a header, a preamble or a trailer from records."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.splitting.inspect.kinds import TYPED, kind_of, plain, shape_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.splitting.inspect.form import Row

__all__ = ["Column", "Profile", "profile"]

_MOST_ROWS = 400
_MOST_COLUMNS = 200
_TYPED_SHARE = 0.85
_KIN = {"number": "number", "money": "number", "date": "date", "datetime": "date", "time": "time"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the body. ``kind``: what nearly all of its fields are, None where they are words and texts.

    ``filled``: the share of its fields that hold anything. ``shape``: what nearly all look like, where that holds a
    digit. ``lengths``: the shortest and the longest. ``values``: how often each text occurs.
    """

    kind: str | None
    filled: float
    shape: bytes | None
    lengths: tuple[int, int]
    values: Counter[bytes]

    def holds(self, text: bytes) -> bool:
        """Whether ``text`` is of the column's kind."""
        return _kin(kind_of(text)) == self.kind


@dataclass(frozen=True, slots=True)
class Profile:
    """The columns (the first 200), how many there are, and how many fields of a record hold something (the median)."""

    columns: tuple[Column, ...]
    width: int
    fill: int
    rows: int
    quote: bytes

    def texts(self, row: Row) -> list[bytes]:
        """A record's fields without quotes and outer spaces."""
        return [plain(cell, self.quote).strip(b" ") for cell in row.cells]

    def agrees(self, row: Row) -> int:
        """How many of a record's fields are of their typed column's kind, less those that are not."""
        total = 0
        for text, column in zip(self.texts(row), self.columns, strict=False):
            if column.kind and text:
                total += 1 if column.holds(text) else (0 if kind_of(text) == "null" else -1)
        return total


def _kin(kind: str) -> str:
    return _KIN.get(kind, kind)


def profile(rows: Sequence[Row], width: int, quote: bytes) -> Profile:
    """What the records of ``width`` fields in ``rows`` hold."""
    step = max(1, len(rows) // _MOST_ROWS)
    body = [row for row in rows[::step] if len(row.cells) == width]
    fills = sorted(sum(1 for cell in row.cells if plain(cell, quote).strip()) for row in body)
    columns = tuple(
        _column([plain(row.cells[at], quote).strip(b" ") for row in body]) for at in range(min(width, _MOST_COLUMNS))
    )
    return Profile(columns, width, fills[len(fills) // 2] if fills else 0, len(body), quote)


def _column(texts: list[bytes]) -> Column:
    held = [text for text in texts if text]
    kinds = Counter(_kin(kind_of(text)) for text in held)
    nulls = kinds.pop("null", 0)
    known = sum(kinds.values())
    kind = None
    if known:
        name, times = kinds.most_common(1)[0]
        if name in TYPED and times >= _TYPED_SHARE * known and known >= nulls:
            kind = name
    shape = None
    if held and kind is None:
        best, times = Counter(map(shape_of, held)).most_common(1)[0]
        shape = best if times >= _TYPED_SHARE * len(held) and b"9" in best else None
    lengths = (min(map(len, held)), max(map(len, held))) if held else (0, 0)
    return Column(kind, len(held) / len(texts) if texts else 0.0, shape, lengths, Counter(held))
