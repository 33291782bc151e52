"""The parts of a URL that a user typed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from splitjoin_cli.core.errors import UsageError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["parts_of"]


def parts_of(url: str) -> SplitResult:
    """As urlsplit. Raises UsageError where it has none, which does not repeat it: it may hold a password."""
    try:
        return urlsplit(url)
    except ValueError:  # a bracket of an IPv6 address that is not closed, for one
        raise UsageError("the host of a URL is not complete", hint="check the URL: it is SCHEME://HOST/PATH") from None
