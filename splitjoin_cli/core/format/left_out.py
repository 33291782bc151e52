"""What a split left out: lines that are in no chunk, and lines of chunks that are no records."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from splitjoin_cli.core.format.fields import as_object, take

__all__ = ["LeftOut"]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Counts. ``lines`` and ``trailer_lines``: physical lines before the header and at the end, in no chunk.

    ``blank_lines`` and ``repeated_headers``: no records, but in the chunk where they are; blank lines at the end of the
    file are in no chunk.
    """

    lines: int = 0
    trailer_lines: int = 0
    blank_lines: int = 0
    repeated_headers: int = 0

    def to_json(self) -> dict[str, int]:
        """As manifests and results write it."""
        return asdict(self)

    @classmethod
    def of(cls, value: object) -> LeftOut:
        """The inverse of ``to_json``. Raises FieldError."""
        fields: dict[str, Any] = as_object(value, "left_out")
        names = ("lines", "trailer_lines", "blank_lines", "repeated_headers")
        return cls(*(take(fields, name, int, within="left_out.") for name in names))
