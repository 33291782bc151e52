"""Finds one long list of objects in JSON of any layout, and reads it some of it at a time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.core.format.fields import FieldError, bad_field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.format.document import Document

__all__ = ["FoundList", "find_list", "objects"]

BLOCK_BYTES = 512 * 1024  # read at once
_BLANK = b" \t\r\n"
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|(?P<open>\\?\Z))|[\[\]{}]', re.DOTALL)


class FoundList(NamedTuple):
    """Where a list's brackets are."""

    opens: int
    closes: int


def find_list(document: Document, start: int, key: str, *, most_bytes: int) -> FoundList | None:
    """The list of the outermost object's ``key``; None where none begins within ``most_bytes``.

    ``start``: where the object begins. Raises FieldError where the list does not end.
    """
    tokens, depth, after, wanted = _tokens(document, start, most_bytes), 0, -1, b'"%s"' % key.encode()
    for place, token in tokens:
        if place - start > most_bytes:
            break
        if after >= 0 and token == b"[" and not _between(document, after, place, most_bytes).strip(b":"):
            inside = 1
            for end, other in tokens:
                inside += _turn(other)
                if not inside:
                    return FoundList(place, end)
            raise bad_field(key, "the list does not end")
        depth += _turn(token)
        after = place + len(token) if depth == 1 and token == wanted else -1
    return None


def objects(document: Document, found: FoundList, key: str, *, most_bytes: int) -> Iterator[bytes]:
    """The objects of a list, with commas between them and nothing else, each of at most ``most_bytes``.

    Raises FieldError for anything else.
    """
    depth, first = 0, found.opens + 1
    begin = done = first
    for place, token in _tokens(document, first, most_bytes):
        if place >= found.closes:
            break
        if not depth:
            begin = place
            between = _between(document, done, begin, most_bytes)
            if token != b"{" or between != (b"" if done == first else b","):
                raise bad_field(key, "expected a list of objects")
        depth += _turn(token)
        if not depth:
            done = place + len(token)
            if done - begin > most_bytes:
                raise bad_field(key, f"expected at most {most_bytes:,} bytes a line, found {done - begin:,}")
            yield document.read_at(begin, done - begin)
    if _between(document, done, found.closes, most_bytes):
        raise bad_field(key, "expected a list of objects")


def _turn(token: bytes) -> int:
    """How much deeper one is behind it."""
    return (token in (b"[", b"{")) - (token in (b"]", b"}"))


def _between(document: Document, start: int, end: int, most_bytes: int) -> bytes:
    """What is between two tokens, without blanks."""
    if end - start > most_bytes:
        raise FieldError(f"expected at most {most_bytes:,} blanks, found {end - start:,} bytes from byte {start} on")
    return document.read_at(start, end - start).strip(_BLANK)


def _tokens(document: Document, start: int, most_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Place and bytes of each text and bracket from ``start`` on. Raises FieldError for a text of too many bytes."""
    base, block, at = start, b"", 0
    while more := document.read_at(base + len(block), BLOCK_BYTES):
        base, block, at = base + at, block[at:] + more, 0
        for match in _TOKEN.finditer(block):
            if match["open"] is not None:  # it goes on in the next block
                at = match.start()
                break
            yield base + match.start(), match[0]
        else:
            at = len(block)
        if len(block) - at > most_bytes + BLOCK_BYTES:
            raise FieldError(f"expected texts of at most {most_bytes:,} bytes, found a longer one at byte {base + at}")
