"""Listing a directory: in the order of names, however they are kept meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.stores.sinks import directory_listing
from splitjoin_cli.stores.sinks.directory import DirectorySink

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("run", [1, 7, 1000])
def test_names_come_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: int) -> None:
    """Sorted as texts, in runs of any length; folders, other prefixes and the staging folder are left out."""
    monkeypatch.setattr(directory_listing, "RUN", run)
    monkeypatch.setattr(directory_listing, "STEP_BYTES", 20)
    wanted = sorted([f"a-{number}" for number in range(50)] + ["a-é", "a-\U0001f600", "a-\uffee"])
    for name in [*wanted, "b-1", ".splitjoin-x"]:
        (tmp_path / name).write_bytes(b"12")
    (tmp_path / "a-folder").mkdir()
    found = list(DirectorySink(tmp_path).list("a-"))
    assert [stored.name for stored in found] == wanted
    assert {stored.size for stored in found} == {2}
    assert [stored.name for stored in DirectorySink(tmp_path).list()] == [*wanted, "b-1"]


def test_a_file_that_goes_meanwhile_is_left_out(tmp_path: Path) -> None:
    """Names are read first, a file's size when it is its turn."""
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"")
    listed = DirectorySink(tmp_path).list()
    assert next(listed).name == "a"
    (tmp_path / "b").unlink()
    assert [stored.name for stored in listed] == ["c"]
