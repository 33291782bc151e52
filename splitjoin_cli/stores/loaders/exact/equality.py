"""Whether what a database keeps is what the file's text says: for each kind of type a rule, the same everywhere."""

from __future__ import annotations

import enum
from functools import partial
from typing import TYPE_CHECKING

from splitjoin_cli.stores.loaders.exact import amounts, moments, numbers, spans, words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Kind", "alike"]


class Kind(enum.StrEnum):
    """What a declared type keeps of a text, and so what of two texts must be the same."""

    TEXT = "text"
    """Each character."""
    PADDED = "padded text"
    """Each character; blanks that the type itself adds at the end are none of them."""
    NUMBER = "number"
    """The number, exactly. A float is told in the fewest digits that mean it."""
    DOUBLE = "64-bit float"
    """The number that the fewest digits say which mean the float, in however many a database tells it."""
    SINGLE = "32-bit float"
    """The same, where the database may tell it in the digits of a 64-bit float."""
    MONEY = "money"
    """The amount, in the way of any locale to write it."""
    BOOLEAN = "boolean"
    """True or false, in any spelling."""
    DATE = "date"
    """The day. A time of day but midnight and an offset are more than it keeps."""
    DATETIME = "date and time"
    """The day and the time of day with its fraction; an offset is more than it keeps."""
    INSTANT = "instant"
    """The instant, told with any offset."""
    TIME = "time of day"
    """The time with its fraction; a date and an offset are more than it keeps."""
    TIME_WITH_OFFSET = "time of day with offset"
    """The time with its fraction, and its offset."""
    SPAN = "span"
    """How long it is, a month being 30 days."""
    MEMBER = "member"
    """The member of an enumeration that is named, in any case."""
    MEMBERS = "members"
    """The members of a set that are named, in any case and order."""
    CASED_MEMBER = "member with its case"
    """The same of one whose collation tells cases apart."""
    CASED_MEMBERS = "members with their case"
    """The same."""
    HEXADECIMAL = "hexadecimal digits"
    """Each of them, whatever stands between them; six bytes of a network card are the eight that they become."""
    BITS = "bits"
    """Each of them, in binary or hexadecimal digits."""
    ADDRESS = "network address"
    """The address and its mask."""
    BYTES = "bytes"
    """Each byte, in the hex format of PostgreSQL's bytea or in its escape format."""
    BLOB = "blob"
    """Each byte, as DuckDB writes it: what is no printable ASCII in two hexadecimal digits behind ``\\x``."""
    DOCUMENT = "document"
    """The JSON value; no key twice in one object."""


_RULES: Mapping[Kind, Callable[[str, str], bool]] = {
    Kind.TEXT: str.__eq__,
    Kind.PADDED: words.padded_alike,
    Kind.NUMBER: numbers.numbers_alike,
    Kind.DOUBLE: numbers.doubles_alike,
    Kind.SINGLE: numbers.singles_alike,
    Kind.MONEY: amounts.amounts_alike,
    Kind.BOOLEAN: words.booleans_alike,
    Kind.DATE: moments.dates_alike,
    Kind.DATETIME: moments.datetimes_alike,
    Kind.INSTANT: moments.instants_alike,
    Kind.TIME: moments.times_alike,
    Kind.TIME_WITH_OFFSET: partial(moments.times_alike, keeps_offset=True),
    Kind.SPAN: spans.spans_alike,
    Kind.MEMBER: words.members_alike,
    Kind.MEMBERS: words.sets_alike,
    Kind.CASED_MEMBER: words.cased_members_alike,
    Kind.CASED_MEMBERS: words.cased_sets_alike,
    Kind.HEXADECIMAL: words.hexadecimal_alike,
    Kind.ADDRESS: words.addresses_alike,
    Kind.BITS: words.bits_alike,
    Kind.BYTES: words.bytes_alike,
    Kind.BLOB: words.blobs_alike,
    Kind.DOCUMENT: words.documents_alike,
}


_FLOATS = frozenset({Kind.SINGLE, Kind.DOUBLE})
"""Of which a database may tell more digits than the type keeps of a text."""


def alike(kind: Kind, text: str, kept: str, *, is_list: bool = False) -> bool:
    """Whether ``kept``, as the database tells it, is the value that ``text`` says in a file.

    ``is_list``: both are lists (of lists) of such values. NULL is neither: which fields are, the loaders' rule says.
    """
    if text == kept and kind not in _FLOATS:
        return True
    return words.lists_alike(text, kept, _RULES[kind]) if is_list else _RULES[kind](text, kept)
