"""Which delimiters a sample might have: what stands in many of its lines and is part of no word."""

from __future__ import annotations

import re
from collections import Counter

__all__ = ["COMMON", "delimiters", "prior"]

COMMON = (b",", b";", b"\t", b"|")
_RARE = {b":": 0.55, b" ": 0.55, b"=": 0.4, b"/": 0.3, b"&": 0.6, b"%": 0.5, b"*": 0.5, b"!": 0.6, b"?": 0.4, b"<": 0.3}
_RARE |= {b">": 0.3, b"@": 0.5, b"[": 0.3, b"]": 0.3, b"{": 0.3, b"}": 0.3, b"$": 0.5, b"#": 0.6, b"^": 0.9, b"~": 0.9}
_RARE |= {b"`": 0.4}
_SINGLE = re.compile(rb"[!#$%&*:=?@^~`<>{}\[\]|;,\t\x01-\x08\x0b\x0c\x0e-\x1f ]")
_RUN = re.compile(rb"[!#$%&*:=?@^~<>{}\[\]|;,\t\x01-\x08\x0b\x0c\x0e-\x1f/+_-]{2,16}")
_NEVER = re.compile(rb":/+|[,;:=/+_-][$#]|[-+/_=.*#]+|,+|;+|[:,;][-+]|[?=%/].*")
_SPACED = re.compile(rb"[\t ][!#$%&*:=?@^~|;]{1,4}[\t ]")
_SIGN = re.compile(
    rb"(?:\xc2[\xa1-\xbf]|\xe2[\x80-\x9e][\x80-\xbf]|\xc3\xbe|\xc3\x97|\xc3\xb7|\xef\xbf[\xb0-\xbf]|\xf0\x9f[\x80-\xbf]{2})+"
)
_BETWEEN_QUOTES = re.compile(rb"(?<=\")[^\"\r\n]{1,8}(?=\")")
_BYTE = re.compile(rb"[\x80-\xff]")
_LONGEST = 8
_LINES = 400
_KEPT = 10


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def prior(delimiter: bytes) -> float:
    """How likely a delimiter is, before anything is seen, as a factor of at most 1."""
    if len(delimiter) > 1:
        return 0.97
    return _RARE.get(delimiter, 1.0)


def delimiters(lines: list[bytes]) -> list[bytes]:
    """What may separate fields in ``lines`` (some of the sample's), likely ones first."""
    lines = [line for line in lines if line.strip()][:_LINES]
    held: Counter[bytes] = Counter()
    for line in lines:
        seen = set(_SINGLE.findall(line))
        seen.update(_SIGN.findall(line))
        seen.update(run for run in _BETWEEN_QUOTES.findall(line) if not any(mark in run for mark in COMMON))
        seen.update(_SPACED.findall(line))
        for run in _RUN.findall(line):
            seen.update(run[i:j] for i in range(len(run)) for j in range(i + 2, min(len(run), i + _LONGEST) + 1))
        held.update(seen)
    enough = max(1, len(lines) // 20)
    several = [d for d, n in held.items() if len(d) > 1 and n >= max(enough, len(lines) // 4)]
    several = [d for d in several if not _NEVER.fullmatch(d)]
    several = sorted(several, key=lambda d: (-held[d], -len(d)))[:_KEPT]
    single = [d for d, n in held.items() if len(d) == 1 and n >= enough]
    single.sort(key=lambda d: (-(prior(d) * held[d]), d))
    if not any(d in COMMON for d in single) and not _is_utf8(b"\n".join(lines)):
        high = Counter(b for line in lines for b in set(_BYTE.findall(line)))
        single += [b for b, n in high.most_common(2) if n > len(lines) // 2]
    return single[:_KEPT] + several
