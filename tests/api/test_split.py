"""A split as a library call, on several days."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.api.one_split import run_split
from splitjoin_cli.core.errors import NameTakenError
from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.core.places import DirectoryPlace
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting.request import RowCount, SplitRequest

if TYPE_CHECKING:
    from pathlib import Path

    from splitjoin_cli.splitting.result import SplitResult

BEGAN = dt.datetime(2024, 2, 28, 23, 59, 59, tzinfo=dt.UTC)


class Nightly:
    """A cron line that splits one file, on a clock of the test's."""

    def __init__(self, place: Path, name: str) -> None:
        self.place, self.source = place, place / name
        self.source.write_bytes(b"id\n1\n2\n3\n")

    def split(self, days: float, **options: Any) -> SplitResult:  # noqa: ANN401 -- any of SplitRequest's
        request = SplitRequest(
            source=str(self.source), destination=DirectoryPlace(str(self.place / "out")), size=RowCount(2), **options
        )
        return run_split(request, Silent(), now=lambda: BEGAN + dt.timedelta(days))


def test_the_same_file_past_midnight_is_not_split_again(tmp_path: Path) -> None:
    """A second later, on leap day, and up to 31 days on: done; after that, and with other content, it is a new job."""
    nightly = Nightly(tmp_path, "acme.csv")
    assert nightly.split(0).file_name == "acme_20240228"
    assert nightly.split(0).progress.count(ChunkState.SKIPPED) == 2
    for days in (1 / 86_400, 1, 2, 31):
        with pytest.raises(NameTakenError, match=r"^.* has a finished split of the same content, of 20240228 \(run "):
            nightly.split(days)
    nightly.source.write_bytes(b"id\n1\n2\n4\n")
    assert nightly.split(2).file_name == "acme_20240301"
    nightly.source.write_bytes(b"id\n1\n2\n3\n")
    assert nightly.split(32).file_name == "acme_20240331"


def test_a_date_in_the_name_is_no_question(tmp_path: Path) -> None:
    """The job is the same on every day; two days' exports may be alike."""
    first, second = Nightly(tmp_path, "acme_20240227.csv"), Nightly(tmp_path, "acme_20240228.csv")
    assert first.split(0).progress.count(ChunkState.UPLOADED) == 2
    assert first.split(5).progress.count(ChunkState.SKIPPED) == 2
    assert second.split(1).file_name == "acme_20240228"
    assert second.split(2, date="20240301").file_name == "acme_20240301"


def test_the_clock_is_looked_at_once(tmp_path: Path) -> None:
    """A split that goes on past midnight keeps its date."""
    nightly, times = Nightly(tmp_path, "acme.csv"), iter((BEGAN, BEGAN + dt.timedelta(1)))
    request = SplitRequest(source=str(nightly.source), destination=DirectoryPlace(str(tmp_path / "out")))
    assert run_split(request, Silent(), now=lambda: next(times)).file_name == "acme_20240228"
    assert next(times) == BEGAN + dt.timedelta(1)
