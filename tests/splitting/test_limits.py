"""What is said where a source is larger, or less, than it should be."""

from __future__ import annotations

from splitjoin_cli.splitting.limits import large_warning


def test_one_record_and_several_are_said_in_their_number() -> None:
    """With the line, and with the option that loads them."""
    assert large_warning(1, 7) == (
        "1 record is larger than 256MiB (line 7): a worker loads it only with a larger --max-record"
    )
    assert large_warning(2, 7) == (
        "2 records are larger than 256MiB (the first is at line 7): a worker loads them only with a larger --max-record"
    )
