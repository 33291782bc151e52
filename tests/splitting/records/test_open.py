"""What is read at once: no less than the source's own step is worth, and no more than a core's cache holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.splitting.records import open as scanners

if TYPE_CHECKING:
    import pytest

MIB = 1024 * 1024


def test_a_request_to_a_store_is_worth_its_round_trip() -> None:
    """Blocks of a local file are small with the kernel; those of an object are as large as the source asks for."""
    assert scanners.best_block_bytes() == MIB
    assert scanners.best_block_bytes(4 * MIB) == 4 * MIB


def test_without_the_kernel_blocks_are_long_and_scanned_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Numpy's steps take the GIL from each other."""
    monkeypatch.setattr(scanners, "kernel", lambda: None)
    assert scanners.best_block_bytes() == 4 * MIB
    assert not scanners.scans_side_by_side()
    assert scanners.scanner_name() == "numpy (nothing is compiled here)"
