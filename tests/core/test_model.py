"""The dialect's own word on when a record's end can be told without a scan."""

from __future__ import annotations

from dataclasses import fields

import pytest

from splitjoin_cli.core.model import Dialect

PLAIN = Dialect(";", quotechar=None, header=False, line_end="\r\n", encoding="cp1252")


def test_every_newline_ends_a_record_where_nothing_can_hide_it() -> None:
    """Neither delimiter, header, line end nor encoding can."""
    assert PLAIN.every_newline_ends_a_record
    assert Dialect(quotechar=None).every_newline_ends_a_record


@pytest.mark.parametrize("dialect", [Dialect(), Dialect(quotechar=None, escapechar="\\"), Dialect(escapechar="\\")])
def test_quotes_and_escapes_hide_newlines(dialect: Dialect) -> None:
    """Either of them is enough."""
    assert not dialect.every_newline_ends_a_record


def test_what_is_not_known_to_be_harmless_is_scanned() -> None:
    """A field that the rule does not name makes it False unless it has its default."""
    harmless = {"delimiter", "quotechar", "header", "line_end", "encoding"}
    changed = {field.name for field in fields(Dialect) if getattr(PLAIN, field.name) != field.default}
    assert changed == harmless
