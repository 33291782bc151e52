"""What a field's text looks like: a number, a date, a word; what tells a header from what is under it."""

from __future__ import annotations

import re

__all__ = ["TYPED", "kind_of", "plain", "shape_of"]

_DATE = rb"(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}[- ][A-Za-z]{3,9}[- ,]{1,2}\d{2,4}|[A-Za-z]{3,9} \d{1,2}, ?\d{4})"
_TIME = rb"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AaPp]\.?[Mm]\.?)?(?: ?(?:Z|UTC|[+-]\d{2}:?(?:\d{2})?))?"
_MONEY = (
    rb"[-+(]?\s?(?:[$]|\xe2\x82\xac|\xc2\xa3|\xa3|\x80|[A-Z]{3} )?\s?[-+]?[\d,.' ]*\d\s?"
    rb"(?:%|\xe2\x82\xac|\x80|[$]| ?(?:EUR|USD|GBP|CHF))?\)?"
)
_KINDS: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        (
            "number",
            rb"[+-]?(?:\d+(?:[.,]\d+)?|\d{1,3}(?:[,.'\xa0 ]\d{3})+(?:[.,]\d+)?|[.,]\d+|\d+\.)(?:[eEdD][+-]?\d+)?-?",
        ),
        ("money", _MONEY),
        ("date", _DATE),
        ("time", _TIME),
        ("datetime", _DATE + rb"[T ,]\s?" + _TIME),
        ("uuid", rb"\{?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\}?"),
        ("email", rb"[^@\s,;|\"]+@[^@\s,;|\"]+\.[A-Za-z]{2,}"),
        ("url", rb"(?:https?|ftp|s3|file|mailto)://\S+|www\.\S+"),
        ("ip", rb"\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?|[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}"),
        ("bool", rb"(?i:true|false|yes|no|t|f|y|n)"),
        ("null", rb"(?i:null|nan|n/?a|none|nil|\(null\)|\\N|-|\?|inf|-inf|infinity)"),
    )
)
TYPED = frozenset({"number", "money", "date", "time", "datetime", "uuid", "email", "url", "ip", "bool"})
"""Kinds that no column's name has."""

_WORD = re.compile(rb"[A-Za-z0-9_\x80-\xff][A-Za-z0-9_.\-:/@\x80-\xff]*")
_SENTENCE = re.compile(rb"[A-Za-z0-9_\x80-\xff(#'\"*][\w\x80-\xff .\-'()/:&+!?*%#$@\"=<>\[\]{},;]*")
_CLEAN = re.compile(rb"[\w\x80-\xff .\-'()/:&+!?*%#$@=\xa0]*")


def plain(cell: bytes, quote: bytes) -> bytes:
    """A field's text without its quotes."""
    if quote and len(cell) > 1 and cell.startswith(quote) and cell.endswith(quote):
        return cell[1:-1]
    return cell


def kind_of(text: bytes) -> str:
    """One of: empty, the kinds above, word, text (words), other."""
    text = text.strip(b" ")
    if not text:
        return "empty"
    if len(text) <= 64:  # no number or date is longer
        for name, pattern in _KINDS:
            if pattern.fullmatch(text):
                return name
    elif text.startswith((b"http://", b"https://")) and b" " not in text:
        return "url"
    if _WORD.fullmatch(text):
        return "word"
    if _CLEAN.fullmatch(text):
        return "text"
    return "other"


_SHAPES = ((re.compile(rb"[0-9]+"), b"9"), (re.compile(rb"[A-Z]+"), b"A"), (re.compile(rb"[a-z\x80-\xff]+"), b"a"))


def shape_of(text: bytes) -> bytes:
    """``AB-1024`` is ``A-9``: runs of digits, capitals and small letters become one letter each."""
    for pattern, letter in _SHAPES:
        text = pattern.sub(letter, text)
    return text
