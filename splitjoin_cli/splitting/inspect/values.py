"""What fields say of their values: how NULL is spelled, and what the escape character does."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from splitjoin_cli.splitting.inspect.kinds import TYPED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.splitting.inspect.columns import Profile
    from splitjoin_cli.splitting.inspect.form import Form, Row

__all__ = ["Escapes", "escapes_of", "nulls_of"]

_WORDS = (b"\\N", b"NULL", b"null", b"NA", b"N/A", b"NaN", b"None", b"(null)", b"#N/A", b"nil", b"<NULL>", b"[NULL]")
_ALWAYS = frozenset({b"\\N", b"NULL", b"(null)", b"<NULL>", b"[NULL]"})
_MOST_NULLS = 8


def nulls_of(rows: Sequence[Row], form: Form, profile: Profile) -> list[str]:
    """The spellings of NULL in ``rows``: unquoted fields, and only what hardly can be a value.

    ``NA`` and the like count in columns of numbers or dates alone. The empty field counts where empty text is written
    in quotes beside it, or where everything else is quoted.
    """
    found: Counter[bytes] = Counter()
    typed: Counter[bytes] = Counter()
    empty = empty_quoted = quoted = bare = 0
    kinds = [column.kind for column in profile.columns]
    quotes = form.quote * 2 if form.quote else None
    for row in rows:
        for at, cell in enumerate(row.cells):
            if not cell:
                empty += 1
            elif cell == quotes:
                empty_quoted += 1
            elif form.quote and cell.startswith(form.quote):
                quoted += 1
            elif cell in _WORDS:
                found[cell] += 1
                if at < len(kinds) and kinds[at] in TYPED:
                    typed[cell] += 1
            elif at >= len(kinds) or kinds[at] is None:
                bare += 1
    spelled = [word for word in _WORDS if found[word] and (word in _ALWAYS or typed[word])]
    if len(profile.columns) > 1 and empty and (empty_quoted or (quoted and not bare and kind_all(kinds))):
        spelled.append(b"")
    return [word.decode() for word in spelled[:_MOST_NULLS]]


def kind_all(kinds: Sequence[str | None]) -> bool:
    """Whether a table has a column of words: only there quotes tell an empty text from nothing."""
    return any(kind is None for kind in kinds)


class Escapes:
    """Which characters follow the escape character: outside quotes and inside."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self.inside: Counter[bytes] = Counter()
        self.outside: Counter[bytes] = Counter()
        self.null_fields = 0
        self.paths = 0

    @property
    def letters(self) -> bool:
        """Whether letters follow it, and each of them is one that MySQL and PostgreSQL know."""
        every = set(self.inside) | set(self.outside)
        known = {bytes([b]) for b in b"0bfnrtvZN"}
        strange = {one for one in every if one.isalnum() and one not in known}
        return bool(every & known) and not strange

    def speak_for_themselves(self, delimiter: bytes) -> bool:
        r"""Whether every backslash of a text without quotes begins an escape, though none keeps a delimiter.

        ``\N`` for NULL or a doubled backslash says so; a tab-separated file with nothing but ``\n`` and ``\t``, too.
        """
        known = {bytes([b]) for b in b"0bfnrtvZN\\"} | {delimiter[:1]}
        if not self.outside or set(self.outside) - known:
            return False
        return bool(self.null_fields or self.outside[b"\\"] or (delimiter == b"\t" and not self.paths))

    @property
    def only_quoted(self) -> bool:
        """Whether it stands outside quotes as a character like any other."""
        return any(one.isalnum() or one in b" ./_-" for one in self.outside)


_PAIR = re.compile(rb"\\([\x00-\xff])")


def escapes_of(rows: Sequence[Row], form: Form) -> Escapes:
    r"""What follows each backslash in ``rows``; a field that is ``\N`` alone is counted by itself."""
    seen = Escapes()
    for row in rows:
        for cell in row.cells:
            if b"\\" not in cell:
                continue
            if cell == b"\\N":
                seen.null_fields += 1
            elif form.quote and cell.startswith(form.quote):
                seen.inside.update(_PAIR.findall(cell))
            else:
                seen.outside.update(_PAIR.findall(cell))
                seen.paths += cell[1:3] == b":\\"
    return seen
