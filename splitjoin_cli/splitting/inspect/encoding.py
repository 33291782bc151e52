"""Which encoding a sample is in: by its mark, by what is valid, and else by which language its letters make sense in.

A legacy encoding is told by letters: each language's own ones are known, and the encoding is the right one in which
they explain the bytes above ASCII. What no language here explains is asked of charset-normalizer.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from splitjoin_cli.core.bytes.kinds import BLOCK_BYTES
from splitjoin_cli.stores.sources.transcode import wide_encoding

__all__ = ["Encoding", "encoding_of"]

_MOST_BYTES = 12 * 1024
_MOST_UTF8 = 1024 * 1024
_WHOLE = 20
_HIGH_LINE = re.compile(rb"[^\n]*[\x80-\xff][^\n]*\n?")
_SURE = 0.75
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16LE's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SIGNS = (
    "\u00a0\u2013\u2014\u2018\u2019\u201c\u201d\u201e\u2026\u20ac\u00a3\u00a9\u00ae\u2122\u00b0\u00ab\u00bb\u00b1\u00b2\u00b3\u00bd\u00a7\u00b7"
    "\u2022\u00b5\u00d7\u00bf\u00a1\u00aa\u00ba"
)
_WEST = ("cp1252", "iso-8859-15", "mac_roman", "cp850", "cp437")
_EAST = ("cp1250", "iso-8859-2", "cp852", "mac_latin2")
_CYRILLIC = ("cp1251", "koi8-r", "cp866", "iso-8859-5", "mac_cyrillic")
_SINGLE: tuple[tuple[str, float, tuple[str, ...]], ...] = (
    ("éèêàçùôâîûëïœÉÈÀÇÊ", 1.0, _WEST),
    ("äöüßÄÖÜ", 1.0, _WEST),
    ("áéíóúñüÑÁÉÍÓÚ", 1.0, _WEST),
    ("ãçáéíóõâêôúàÃÇÁÉÍÓÕ", 1.0, _WEST),
    ("àèéìòùÀÈÉ", 1.0, _WEST),
    ("æøåäöéÆØÅÄÖðþóáíúýÞ", 0.98, _WEST),
    ("éëïèöüóáíê", 0.98, _WEST),
    ("éèêàçùôâîûëïäöüßáíóúñãõåæøœìòÉÈÀÇÄÖÜÁÍÓÚÑÃÕÅÆØ", 0.92, _WEST),
    ("ąćęłńóśźżĄĆĘŁŃÓŚŹŻ", 1.0, _EAST),
    ("áčďéěíňóřšťúůýžÁČĎÉĚÍŇÓŘŠŤÚŮÝŽ", 1.0, _EAST),
    ("áäčďéíľĺňóôŕšťúýžÁČĎÉÍĽŇÓŠŤÚÝŽ", 0.99, _EAST),
    ("áéíóöőúüűÁÉÍÓÖŐÚÜŰ", 0.98, _EAST),
    ("čćžšđČĆŽŠĐ", 0.99, _EAST),
    ("ăâîşţșțĂÂÎŞŢȘȚ", 0.97, (*_EAST, "iso-8859-16")),
    ("çğıöşüÇĞİÖŞÜâ", 0.99, ("cp1254", "cp857", "mac_turkish")),
    ("ąčęėįšųūžĄČĘĖĮŠŲŪŽ", 0.97, ("cp1257", "iso-8859-13")),
    ("āčēģīķļņšūžĀČĒĢĪĶĻŅŠŪŽ", 0.97, ("cp1257", "iso-8859-13")),
    ("õäöüšžÕÄÖÜŠŽ", 0.95, ("cp1257", "iso-8859-13")),
    ("абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґўђјљњћџѓќѕ", 1.0, (*_CYRILLIC, "koi8-u", "cp855")),
    ("αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋΐΰ", 1.0, ("cp1253", "iso-8859-7", "cp737", "mac_greek")),
    ("אבגדהוזחטיךכלםמןנסעףפץצקרשת", 1.0, ("cp1255", "cp862")),
    ("ابتثجحخدذرزسشصضطظعغفقكلمنهويىةءآأإئؤپچژگ", 1.0, ("cp1256", "iso-8859-6")),
    ("กขฃคฅฆงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรฤลวศษสหฬอฮะัาำิีึืุูเแโใไๅ็่้๊๋์ๆ", 0.95, ("cp874",)),
)
"""Letters of a language (or of several), how likely it is, and the encodings that files in it come in."""

_CAPITALS = frozenset("АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЁІЇЄҐЎЂЈЉЊЋЏΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΆΈΉΊΌΎΏ")
_DOUBLE: tuple[str, ...] = ("cp932", "euc_jp", "gb18030", "big5", "cp949")


class Encoding(NamedTuple):
    """An encoding by the name that Python has for it, None where it is unknown, and its byte order mark.

    ``sure``: the letters make sense in it. ``invalid``: the first byte that is not valid in it.
    """

    name: str | None
    mark: bytes = b""
    sure: bool = True
    invalid: int | None = None

    @property
    def wide(self) -> bool:
        """Whether it is UTF-16 or UTF-32."""
        return str(self.name).startswith(("utf-16", "utf-32"))


def encoding_of(start: bytes, others: bytes = b"", *, whole: bool = False) -> Encoding:
    """The encoding of a file that begins with ``start``; ``others``: more of it, from whole lines.

    ``whole``: ``start`` is all of it, and not cut within a character.
    """
    for mark, name in _MARKS:
        if start.startswith(mark):
            return Encoding(name, mark)
    if b"\0" in start:
        wide = wide_encoding(start[:BLOCK_BYTES])
        if wide is not None:
            return Encoding(wide)
    if start.isascii() and others.isascii():
        return Encoding("utf-8")
    if _is_utf8(start, whole=whole) and _is_utf8(others, whole=True):
        return Encoding("utf-8")
    damaged = _damaged_utf8(start)
    if damaged is not None:
        return Encoding("utf-8", invalid=damaged)
    sample = b"".join(_HIGH_LINE.findall(start))[:_MOST_BYTES] + b"".join(_HIGH_LINE.findall(others))[:_MOST_BYTES]
    return _legacy(sample)


def _is_utf8(data: bytes, *, whole: bool) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data, final=whole)
    except UnicodeDecodeError:
        return False
    return True


def _damaged_utf8(data: bytes) -> int | None:
    """The first invalid byte of what is UTF-8 all the same: twenty times as many of its characters are whole."""
    data = data[:_MOST_UTF8]
    text = data.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    right = sum(1 for char in text if char > "\x7f") - wrong
    if not wrong or right < _WHOLE * wrong:
        return None
    try:
        data.decode()
    except UnicodeDecodeError as exc:
        return exc.start
    return None


def _legacy(sample: bytes) -> Encoding:
    best, name = 0.0, None
    for encoding in _DOUBLE:
        score = _double_score(sample, encoding)
        if score > best + 1e-9:
            best, name = score, encoding
    decoded: dict[str, str | None] = {}
    for letters, weight, encodings in _SINGLE:
        for rank, encoding in enumerate(encodings):
            if encoding not in decoded:
                decoded[encoding] = _decoded(sample, encoding)
            text = decoded[encoding]
            score = 0.0 if text is None else _single_score(text, letters) * weight - rank * 0.01
            if score > best + 1e-9:
                best, name = score, encoding
    if best >= _SURE:
        return Encoding(name)
    return Encoding(_asked(sample) or name, sure=False)


def _decoded(sample: bytes, encoding: str) -> str | None:
    try:
        return sample.decode(encoding)
    except UnicodeDecodeError:
        return None


def _single_score(text: str, letters: str) -> float:
    """The share of characters above ASCII that are ``letters`` in their places, 0 to 1."""
    own, other_script = frozenset(letters + letters.upper()), letters[0] > "\u0370"
    total = good = 0.0
    before = " "
    for char in text:
        if char > "\x7f":
            total += 1
            if char in own:
                # a capital within a word of small letters is of another encoding, and so is a word of mixed scripts
                odd = (before.islower() and char.isupper()) or (other_script and before.isascii() and before.isalpha())
                good += 0.3 if odd else 1
            elif char in _SIGNS:
                good += (
                    0.7
                    if not before.isalpha()
                    or char in "\u2019\u00b2\u00b3\u00ae\u2122\u00a0\u00ba\u00aa\u2013\u201d\u2026\u00bb"
                    else 0.2
                )
            elif char < "\xa0" or not char.isalpha():
                good -= 0.5
        before = char
    return good / total if total else 0.0


def _double_score(sample: bytes, encoding: str) -> float:
    """The share of characters above ASCII that are common ones of the language, 0 to 1; 0 where bytes are invalid."""
    text = _decoded(sample, encoding)
    if text is None:
        return 0.0
    high = [char for char in text if char > "\x7f"]
    if not high:
        return 0.0
    return sum(_commonness(char, encoding) for char in high) / len(high)


def _commonness(char: str, encoding: str) -> float:
    written = char.encode(encoding, "replace")
    first = written[0]
    if "\u3000" <= char <= "\u303f" or "\uff00" <= char <= "\uff5e":
        return 0.9
    if encoding in ("cp932", "euc_jp"):
        if "\u3040" <= char <= "\u30ff":
            return 1.0
        if "\uff61" <= char <= "\uff9f":
            return 0.15 if encoding == "cp932" else 0.1
        level_1 = 0x88 <= first <= 0x97 if encoding == "cp932" else 0xB0 <= first <= 0xCF
        return (0.93 if level_1 else 0.3) if len(written) == 2 and char >= "\u4e00" else 0.2
    if encoding == "cp949":
        return 1.0 if "\uac00" <= char <= "\ud7a3" and 0xB0 <= first <= 0xC8 and written[1] >= 0xA1 else 0.2
    if len(written) != 2 or char < "\u4e00":
        return 0.1
    if encoding == "gb18030":
        return (0.96 if 0xB0 <= first <= 0xD7 else 0.3) if written[1] >= 0xA1 else 0.15
    return 0.95 if 0xA4 <= first <= 0xC6 else 0.3


def _asked(sample: bytes) -> str | None:
    """What charset-normalizer says; imported for this alone."""
    from charset_normalizer import from_bytes  # noqa: PLC0415

    found = from_bytes(sample).best()
    return None if found is None else found.encoding
