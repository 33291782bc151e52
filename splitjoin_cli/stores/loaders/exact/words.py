"""Whether words, documents and lists that a database keeps are those that their texts say."""

from __future__ import annotations

import ipaddress
import json
import re
from decimal import Decimal
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from splitjoin_cli.stores.loaders.exact.forms import json_form
from splitjoin_cli.stores.loaders.exact.numbers import numbers_alike

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "CLOSED",
    "OPENED",
    "address",
    "addresses_alike",
    "bits",
    "bits_alike",
    "blob",
    "blobs_alike",
    "booleans_alike",
    "bytes_alike",
    "bytes_of",
    "cased_members_alike",
    "cased_sets_alike",
    "document",
    "documents_alike",
    "elements",
    "hexadecimal",
    "hexadecimal_alike",
    "lists_alike",
    "member",
    "members",
    "members_alike",
    "padded_alike",
    "sets_alike",
    "truth",
]

_TRUE = frozenset({"t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"})
_FALSE = frozenset({"f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"})
"""With the beginnings of them that PostgreSQL takes, too."""
_NOT_HEXADECIMAL = re.compile("[^0-9a-f]")
_OCTAL = re.compile(rb"\\(?:([0-3][0-7]{2})|\\)")
_HEX_PAIR = re.compile(rb"\\x([0-9A-Fa-f]{2})")
_BITS_IN_HEX = re.compile(r"[xX]([0-9a-fA-F]*)")
_CARD_DIGITS = 12
"""Of the six bytes of a network card's address, in the middle of which FFFE stands where it is one of eight."""
OPENED, CLOSED = object(), object()
"""Marks of a list's structure, which no element is."""
_NUMBERS, _BITS = 4, 8
"""Of an address of IPv4, and of each of its numbers."""


class _TwiceError(ValueError):
    """A key stands twice in one object."""


def padded_alike(text: str, kept: str) -> bool:
    """Whether ``kept`` is the text, filled up with blanks or not."""
    return kept.startswith(text) and not kept[len(text) :].strip(" ")


def members_alike(text: str, kept: str) -> bool:
    """Whether the member of an enumeration is the one that is named, in any case; never one that is counted."""
    return member(text).casefold() == member(kept).casefold()


def cased_members_alike(text: str, kept: str) -> bool:
    """The same, in its own case."""
    return member(text) == member(kept)


def member(text: str) -> str:
    """The member that a text names: blanks at its end are none of it."""
    return text.rstrip(" ")


def sets_alike(text: str, kept: str) -> bool:
    """Whether the members of a set are those that are named, in any order and case."""
    return cased_sets_alike(text.casefold(), kept.casefold())


def cased_sets_alike(text: str, kept: str) -> bool:
    """The same, in their own cases."""
    return members(text) == members(kept)


def members(text: str) -> str:
    """The members that a text names, in one order."""
    return ",".join(sorted({member(each) for each in text.split(",")}))


def documents_alike(text: str, kept: str) -> bool:
    """Whether two JSON documents say the same: numbers exactly, keys in any order, none twice."""
    try:
        return bool(json_form(document(text)) == json_form(document(kept)))
    except (ValueError, RecursionError):
        return False


def document(text: str) -> Any:  # noqa: ANN401 -- a JSON value
    """The JSON value of a text. Raises ValueError for none, and for a key that stands twice; RecursionError."""
    return json.loads(
        text, parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal, object_pairs_hook=_each_once
    )


def hexadecimal_alike(text: str, kept: str) -> bool:
    """Whether two identifiers have the same digits, in whatever groups and case."""
    return hexadecimal(text) == hexadecimal(kept)


def hexadecimal(text: str) -> str:
    """The digits of an identifier; PostgreSQL's ``macaddr8`` makes eight bytes of the six of a network card."""
    digits = _NOT_HEXADECIMAL.sub("", text.lower())
    half = _CARD_DIGITS // 2
    return f"{digits[:half]}fffe{digits[half:]}" if len(digits) == _CARD_DIGITS else digits


def bits_alike(text: str, kept: str) -> bool:
    """Whether two bit strings are one."""
    return bits(text) == bits(kept)


def bits(text: str) -> str:
    """The bits of a bit string, which may begin with B, or with X before hexadecimal digits."""
    found = _BITS_IN_HEX.fullmatch(text)
    if found is None:
        return text[1:] if text[:1] in ("b", "B") else text
    return "".join(f"{int(digit, 16):04b}" for digit in found[1])


def blobs_alike(text: str, kept: str) -> bool:
    """Whether two texts of DuckDB's BLOB mean the same bytes."""
    return blob(text) == blob(kept)


def blob(text: str) -> bytes:
    """The bytes that a text of DuckDB's BLOB means."""
    return _HEX_PAIR.sub(lambda found: bytes.fromhex(found[1].decode()), text.encode("utf-8", "surrogateescape"))


def addresses_alike(text: str, kept: str) -> bool:
    """Whether two network addresses are one; an abbreviated network of PostgreSQL's ``cidr`` ends with zeros."""
    return address(text) == address(kept)


def address(text: str) -> object:
    """The network address that a text says; the text itself where it says none."""
    host, slash, mask = text.strip().partition("/")
    numbers = host.split(".")
    if ":" not in host:
        mask = mask or str(_BITS * len(numbers))
        numbers = [each.lstrip("0") or "0" for each in numbers]
        host, slash = ".".join([*numbers, *["0"] * (_NUMBERS - len(numbers))]), "/"
    try:
        return ipaddress.ip_interface(host + slash + mask)
    except ValueError:
        return text


def bytes_alike(text: str, kept: str) -> bool:
    """Whether two texts of ``bytea`` mean the same bytes."""
    return bytes_of(text) == bytes_of(kept)


def bytes_of(text: str) -> bytes:
    """The bytes that a text of ``bytea`` means. Raises ValueError for hexadecimal digits that are none."""
    if text.startswith("\\x"):
        return bytes.fromhex(text[2:])
    return _OCTAL.sub(lambda found: bytes([int(found[1], 8)]) if found[1] else b"\\", text.encode())


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _TwiceError
    return found


def booleans_alike(text: str, kept: str) -> bool:
    """Whether a truth value is the one that is said; a number is one where it is 0 or 1."""
    said = truth(text)
    return said is not None and said == truth(kept)


def truth(text: str) -> bool | None:
    """The truth value that a text says; None where it says none."""
    word = text.strip().lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    if numbers_alike(word, "1"):
        return True
    return False if numbers_alike(word, "0") else None


def lists_alike(text: str, kept: str, alike: Callable[[str, str], bool]) -> bool:
    """Whether lists in braces or brackets, within each other too, have the same elements one by one."""
    first, second = elements(text), elements(kept)
    if first is None or second is None:
        return False
    return all(
        one == other or (isinstance(one, str) and isinstance(other, str) and alike(one, other))
        for one, other in zip_longest(first, second)
    )


def elements(text: str) -> list[object] | None:
    """The elements of a list, and of those in it, in order: the marks of its structure among them. None: it is none.

    PostgreSQL's documentation, "Array Input and Output Syntax"; DuckDB's writes brackets, and quotes too.
    """
    body = text.strip()
    if body.startswith("[") and "]={" in body.replace(" ", ""):
        body = body[body.index("=") + 1 :].strip()  # PostgreSQL's bounds
    if body[:1] not in ("{", "["):
        return None
    found: list[object] = []
    place = 0
    while place < len(body):
        char = body[place]
        if char in "{[":
            found.append(OPENED)
            place += 1
        elif char in "}]":
            found.append(CLOSED)
            place += 1
        elif char == "," or char.isspace():
            place += 1
        else:
            element, place = _element(body, place)
            found.append(element)
    return found


def _element(body: str, place: int) -> tuple[str | None, int]:
    quote = body[place] if body[place] in "\"'" else ""
    place += bool(quote)
    taken: list[str] = []
    while place < len(body):
        char = body[place]
        if char == "\\" and place + 1 < len(body):
            taken.append(body[place + 1])
            place += 2
            continue
        if char == quote or (not quote and char in ",}]"):
            break
        taken.append(char)
        place += 1
    element = "".join(taken)
    if quote:
        return element, place + 1
    element = element.strip()
    return (None if element.upper() == "NULL" else element), place
