"""What the first block of a source says before it is split: that it is no table, or what its user should know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.kinds import markup_kind
from splitjoin_cli.core.errors import BadInputError

if TYPE_CHECKING:
    from splitjoin_cli.core.model import Dialect

__all__ = ["FirstBlock", "look"]

_NO_TABLE = "export it as CSV; where it is a table all the same, say how its fields are written, with --delimiter"


@dataclass(frozen=True, slots=True)
class FirstBlock:
    """What was seen. ``markup``: what the source begins like, though it may be a table; None where it does not."""

    name: str
    markup: str | None
    warnings: tuple[str, ...]

    def explained(self, error: BadInputError) -> BadInputError:
        """``error``, met while the source was scanned, with the likely reason: that it is no table."""
        message = f"{error.message}; {self.name} begins like {self.markup}"
        return BadInputError(message, hint=f"if it is one, export it as CSV; else: {error.hint}")


def look(start: bytes, name: str, dialect: Dialect, *, typed: bool) -> FirstBlock:
    """Judge a source that begins with ``start``, decompressed and transcoded (a first block, or all of it).

    ``typed``: whether its user said how it is written. Raises BadInputError for markup that holds no delimiter.
    """
    markup = markup_kind(start)
    warnings = []
    if markup is not None:
        delimiter = dialect.delimiter.encode()
        if not typed and delimiter not in start:
            raise BadInputError(f"{name} is {markup}, not delimited text", hint=_NO_TABLE)
        if typed or delimiter not in start.partition(b"\n")[0]:
            warnings.append(f"{name} begins like {markup}: it is split as the text it is")
    nul = start.find(b"\0")
    if nul >= 0:
        line = start.count(b"\n", 0, nul) + 1
        warnings.append(f"{name}, line {line} (byte {nul}): a NUL byte; databases refuse text that holds one")
    return FirstBlock(name, markup, tuple(warnings))
