"""Others' text in our messages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.shown import SHOWN_BYTES, in_quotes, shown


def test_short_text_stands_as_it_is() -> None:
    """Of any script."""
    for text in ("", "x3", "日本語 🎌", "a" * SHOWN_BYTES, 'could not convert "é"'):
        assert shown(text) == text


def test_what_a_terminal_would_obey_is_spelled_out() -> None:
    """Control characters, line ends, what turns the direction of text, lone surrogates."""
    assert shown("a\nb\r\tc\x1b[2J\x7f\x9b") == r"a\nb\r\tc\x1b[2J\x7f\x9b"
    assert shown("\u202ea\u2028\udcfc") == r"\u202ea\u2028\udcfc"


def test_a_long_text_loses_its_middle() -> None:
    """What is said before a value, and what is said behind it, stay."""
    found = shown(f'value "{"9" * 10_000}" is out of range for type integer')
    assert found.startswith('value "999')
    assert found.endswith('999" is out of range for type integer')
    assert len(found.encode()) <= SHOWN_BYTES


@given(st.text(max_size=80), st.integers(10, 60))
def test_it_is_never_longer_than_allowed_and_never_half_a_character(text: str, most: int) -> None:
    """And nothing in it is a control character."""
    found = shown(text * 5, most)
    assert len(found.encode()) <= most
    assert "\ufffd" not in found or "\ufffd" in text
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in found)


def test_what_was_typed_is_in_quotes_as_it_was_typed() -> None:
    """A backslash once; what a terminal would obey as an escape, as ever."""
    assert in_quotes(r"(?P<client>\d+)") == r"'(?P<client>\d+)'"
    assert (in_quotes("'"), in_quotes("'\"")) == ('"\'"', "''\"'")
    assert in_quotes("\x1b\n") == r"'\x1b\n'"
