"""Others' text in our messages: little of it, no half characters, and nothing that a terminal would obey."""

from __future__ import annotations

import re

__all__ = ["SHOWN_BYTES", "in_quotes", "shown", "visible"]

SHOWN_BYTES = 200
"""So much of a customer's data may be in a message or a line of a log."""
_CUT = "..."
# C0, DEL, C1, the separators of lines and paragraphs, what turns the direction of text, and lone surrogates
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# Of whole texts all of that but line feed and tab, and but surrogates that stand for bytes of a path.
_MOVING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udc7f\udd00-\udfff]")


def visible(text: str) -> str:
    """The text with an escape for each character that would move a cursor, change colours or hide others.

    All that is printed passes here, and all on the report page: names and messages come from others.
    """
    return _MOVING.sub(lambda found: _hexadecimal(ord(found[0])), text)


def shown(text: str, most: int = SHOWN_BYTES) -> str:
    r"""``text`` in at most ``most`` bytes of UTF-8, control characters as escapes such as ``\n`` and ``\x1b``.

    A longer one loses its middle: what a database says of a value stands before it, or behind it.
    """
    # no more than this is looked at: a value may be of any size, and each character becomes at least a byte
    if len(text) > 2 * most:
        text = text[:most] + text[-most:]
        too_long = True
    else:
        too_long = False
    escaped = _HIDDEN.sub(_escape, text)
    if not too_long and len(escaped.encode()) <= most:
        return escaped
    room = most - len(_CUT)
    tail = room // 3
    return _first(escaped, room - tail) + _CUT + _last(escaped, tail)


def in_quotes(text: str) -> str:
    r"""What a user typed, between quotes, as it was typed: Python's own form writes a backslash twice."""
    mark = '"' if "'" in text and '"' not in text else "'"
    return f"{mark}{shown(text)}{mark}"


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if found[0] in "\n\r\t":
        return {"\n": r"\n", "\r": r"\r", "\t": r"\t"}[found[0]]
    return _hexadecimal(code)


def _hexadecimal(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"  # noqa: PLR2004 -- what two hex digits hold


def _first(text: str, most: int) -> str:
    return text[:most].encode()[:most].decode("utf-8", "ignore")


def _last(text: str, most: int) -> str:
    return text[-most:].encode()[-most:].decode("utf-8", "ignore")
