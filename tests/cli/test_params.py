"""What option values look like."""

from __future__ import annotations

import click
import pytest

from splitjoin_cli.cli.params import Count, Delimiter, Duration, OneByteOrNone, Size
from splitjoin_cli.core.shown import in_quotes


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("1", 1),
        ("1000", 1000),
        ("7B", 7),
        ("1K", 1024),
        ("1KiB", 1024),
        ("1KB", 1000),
        ("64MiB", 64 * 1024**2),
        ("64m", 64 * 1024**2),
        ("100MB", 100 * 1000**2),
        ("1GiB", 1024**3),
        ("1gb", 1000**3),
        ("2T", 2 * 1024**4),
        ("2TB", 2 * 1000**4),
        ("1.5 GiB", 3 * 1024**3 // 2),
    ],
)
def test_sizes(text: str, size_bytes: int) -> None:
    """K and KiB are 1024, KB is 1000, and so on up to T."""
    assert Size().convert(text, None, None) == size_bytes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", "'0' is not between 1 byte and 8 EiB"),
        ("0MiB", "'0MiB' is not between 1 byte and 8 EiB"),
        ("9999999T", "'9999999T' is not between 1 byte and 8 EiB"),
        ("0.1", "'0.1' is not a whole number of bytes"),
        ("", "'' is not a size: write 64MiB, 100MB, 1GiB, or plain bytes"),
        ("-1", "'-1' is not a size: write 64MiB, 100MB, 1GiB, or plain bytes"),
        ("1XB", "'1XB' is not a size: write 64MiB, 100MB, 1GiB, or plain bytes"),
        ("1e6", "'1e6' is not a size: write 64MiB, 100MB, 1GiB, or plain bytes"),
        ("1_000", "'1_000' is not a size: write 64MiB, 100MB, 1GiB, or plain bytes"),
        ("١", "'١' is not a size: write 64MiB, 100MB, 1GiB, or plain bytes"),
        ("9" * 5000, f"'{'9' * 5000}' is not a size: write 64MiB, 100MB, 1GiB, or plain bytes"),
    ],
)
def test_no_sizes(text: str, message: str) -> None:
    """Zero, and what is no number or no unit."""
    with pytest.raises(click.BadParameter) as caught:
        Size().convert(text, None, None)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86400), ("7", 7), ("0.5s", 0.5)]
)
def test_durations(text: str, seconds: float) -> None:
    """Seconds, minutes, hours, days."""
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0s", "'0s' is not more than 0 seconds"),
        ("15 minutes", "'15 minutes' is not a duration: write 90s, 15m, 2h"),
        ("m", "'m' is not a duration: write 90s, 15m, 2h"),
    ],
)
def test_no_durations(text: str, message: str) -> None:
    """Zero, and what is no number or no unit."""
    with pytest.raises(click.BadParameter) as caught:
        Duration().convert(text, None, None)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("text", "char"), [(";", ";"), ("\\t", "\t"), ("tab", "\t"), ("\t", "\t"), ("\x01", "\x01"), (" ", " ")]
)
def test_one_byte(text: str, char: str) -> None:
    """One ASCII byte as it is; two ways to type a tab."""
    assert Delimiter().convert(text, None, None) == char
    assert OneByteOrNone().convert(text, None, None) == char


@pytest.mark.parametrize("text", ["ab", "é", "\n", "\r", "\\n"])
def test_no_byte(text: str) -> None:
    """Several, others than ASCII, and line ends."""
    with pytest.raises(click.BadParameter) as caught:
        OneByteOrNone().convert(text, None, None)
    assert caught.value.message == f"{in_quotes(text)} is not one ASCII byte other than CR and LF"


@pytest.mark.parametrize("text", ["", "123456789", "ääääa", "|\n", "\r"])
def test_no_delimiter(text: str) -> None:
    """None, more than 8 bytes of UTF-8, and line ends."""
    with pytest.raises(click.BadParameter) as caught:
        Delimiter().convert(text, None, None)
    assert caught.value.message == f"{text!r} is not 1 to 8 bytes of UTF-8 without CR and LF"


def test_none_is_a_choice() -> None:
    """Where a character may be none, ``none`` says so."""
    assert OneByteOrNone().convert("none", None, None) == ""


@pytest.mark.parametrize("text", ["0", "-1", "1.0", "1_0", "²", "١", "", "9223372036854775808", "9" * 5000])
def test_no_counts(text: str) -> None:
    """Only ASCII digits, from 1 to what 64 bits hold."""
    with pytest.raises(click.BadParameter) as caught:
        Count().convert(text, None, None)
    assert caught.value.message == f"{in_quotes(text)} is not a number from 1 to 9223372036854775807"
