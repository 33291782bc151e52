"""Texts for people: sizes, counts, durations, labelled lines, and what a terminal must not get."""

from __future__ import annotations

import re

from splitjoin_cli.core.shown import visible
from splitjoin_cli.core.words import count_text, duration_text, listed

__all__ = ["byte_text", "count_text", "duration_text", "fact", "listed", "visible", "without_secrets"]

LABEL_WIDTH = 12
# USER is what a hint asks to be filled in, and nobody's.
_URL_SECRETS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?!USER@)[^\s/?#@'\"]*@", re.IGNORECASE)
_URL_QUERY = re.compile(r"(?P<url>https?://[^\s?#'\"]+)[?#][^\s'\"]*", re.IGNORECASE)


def fact(label: str, text: str) -> str:
    """A line of a report."""
    return f"{label:<{LABEL_WIDTH}}{text}"


def without_secrets(message: str) -> str:
    """The message with no URL's user, password or query in it."""
    return _URL_QUERY.sub(r"\g<url>", _URL_SECRETS.sub(r"\g<scheme>", message))


def byte_text(size: float) -> str:
    """Bytes for people: ``1.5 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1000 or unit == "TiB":  # noqa: PLR2004 -- four digits are one too many
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
