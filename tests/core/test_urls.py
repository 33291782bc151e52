"""The parts of a URL, and what is said of one that has none."""

from __future__ import annotations

import pytest

from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.urls import parts_of


def test_parts() -> None:
    """As urllib has them; a torn one is not repeated."""
    assert parts_of("https://[::1]:8080/a%20b.csv?c#d")[:3] == ("https", "[::1]:8080", "/a%20b.csv")
    with pytest.raises(UsageError, match=r"^the host of a URL is not complete$"):
        parts_of("http://user:secret@[::1/a.csv")
