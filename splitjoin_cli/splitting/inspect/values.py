"""What fields say of their values: how NULL is spelled, and what the escape character does."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.splitting.inspect.kinds import TYPED, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.splitting.inspect.columns import Profile
    from splitjoin_cli.splitting.inspect.form import Form, Row

__all__ = ["Escapes", "Nulls", "escapes_of", "nulls_of"]

_WORDS = (b"\\N", b"NULL", b"null", b"NA", b"N/A", b"NaN", b"None", b"(null)", b"#N/A", b"nil", b"<NULL>", b"[NULL]")
_ALWAYS = frozenset({b"\\N", b"NULL", b"(null)", b"<NULL>", b"[NULL]"})
_MOST_NULLS = 8
_FEW = 2


class Nulls(NamedTuple):
    """The spellings of NULL that are sure, and how often others occur that may be NULL or text.

    The empty text is the empty field.
    """

    sure: list[str]
    doubtful: dict[str, int]


def nulls_of(rows: Sequence[Row], form: Form, profile: Profile) -> Nulls:
    r"""How NULL is spelled in ``rows``: by an unquoted field, and only by what hardly can be a value.

    Sure is a word in a column of numbers or dates; one whose quoted twin is text (``NULL`` beside ``"NULL"``, nothing
    beside ``""``); one in a column whose texts are all quoted; and ``\N`` where the backslash is the escape character.
    Where none of that holds, a word that has no rival is NULL; of several one is text, and nothing says which. A word
    that is there once or twice beside empty fields may be text, too.
    """
    seen = _Counts(form, profile)
    for row in rows:
        seen.add(row)
    sure = [word for word in _WORDS if seen.bare[word] and seen.is_sure(word)]
    if profile.width > 1 and seen.bare[b""] and seen.is_sure(b""):
        sure.append(b"")
    doubtful = [word for word in _WORDS if seen.bare[word] and word in _ALWAYS]
    if not sure and len(doubtful) == 1 and (seen.bare[doubtful[0]] > _FEW or not seen.bare[b""]):
        sure, doubtful = doubtful, []
    left = {} if sure else {word.decode(): seen.bare[word] for word in doubtful}
    return Nulls([word.decode() for word in sure[:_MOST_NULLS]], left)


class _Counts:
    """Where the words for NULL are: unquoted and quoted, and in which columns."""

    def __init__(self, form: Form, profile: Profile) -> None:
        self.form, self.columns = form, profile.columns
        self.bare: Counter[bytes] = Counter()
        self.twins: Counter[bytes] = Counter()
        self.places: dict[bytes, set[int]] = {}
        self.quoted = [0] * len(self.columns)
        self.unquoted = [0] * len(self.columns)

    def add(self, row: Row) -> None:
        quote = self.form.quote
        for at, cell in enumerate(row.cells[: len(self.columns)]):
            if quote and cell.startswith(quote):
                self.quoted[at] += 1
                text = plain(cell, quote)
                if not text or text in _WORDS:
                    self.twins[text] += 1
            elif not cell or cell in _WORDS:
                self.bare[cell] += 1
                self.places.setdefault(cell, set()).add(at)
            else:
                self.unquoted[at] += 1

    def is_sure(self, word: bytes) -> bool:
        places = self.places.get(word, set())
        if self.twins[word] or (word == b"\\N" and self.form.escape and not self.form.escape_quoted):
            return True
        if word and any(self.columns[at].kind in TYPED for at in places):
            return True
        return any(self.quoted[at] > _FEW and not self.unquoted[at] and not self.columns[at].kind for at in places)


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
        every = set(self.inside) if self.inside and self.only_quoted else set(self.inside) | set(self.outside)
        known = {bytes([b]) for b in b"0bfnrtvZN"}
        strange = {one for one in every if one.isalnum() and one not in known}
        return bool(every & known or (self.null_fields and not self.inside)) and not strange

    def speak_for_themselves(self, delimiter: bytes) -> bool:
        r"""Whether every backslash of a text without quotes begins an escape, though none keeps a delimiter.

        ``\N`` for NULL or a doubled backslash says so; a tab-separated file with nothing but ``\n`` and ``\t``, too.
        """
        known = {bytes([b]) for b in b"0bfnrtvZN\\'\""} | {delimiter[:1]}
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
