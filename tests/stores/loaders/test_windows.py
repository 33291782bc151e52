"""Files in memory that a driver reads in place of a chunk: whole records, a bounded size, nothing lost."""

from __future__ import annotations

import tempfile
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import BadRowError, LoadError
from splitjoin_cli.stores.loaders import windows as windows_module
from splitjoin_cli.stores.loaders.windows import Windows
from tests.laws import examples

if TYPE_CHECKING:
    from collections.abc import Generator

RECORDS = st.lists(st.integers(1, 12).map(lambda size: b"x" * (size - 1) + b"\n"), max_size=40)


def cut(data: bytes, size: int) -> Generator[tuple[bytes, int], None, None]:
    """Pieces of ``size`` bytes, each with what is behind its last line end."""
    under_way = 0
    for start in range(0, len(data), size):
        piece = data[start : start + size]
        end = piece.rfind(b"\n") + 1
        under_way = len(piece) - end if end else under_way + len(piece)
        yield piece, under_way


@given(RECORDS, st.integers(1, 30), st.integers(1, 60), st.integers(1, 60))
@examples(60)
def test_windows_are_the_pieces_cut_at_record_ends(
    records: list[bytes], piece_bytes: int, window_bytes: int, file_bytes: int
) -> None:
    """Each file is whole records, no longer than is said, and about as large as was asked for; so is each window."""
    data, read = b"".join(records), []
    room = piece_bytes + max(map(len, records), default=0)
    with Windows(cut(data, piece_bytes), window_bytes, file_bytes) as windows:
        for window in windows:
            files = [Path(path).read_bytes() for path in window.paths]
            assert all(text.endswith(b"\n") for text in files)
            assert all(file_bytes <= len(text) + room < file_bytes + 2 * room + 1 for text in files[:-1])
            text = b"".join(files)
            assert max(map(len, text.splitlines(keepends=True))) <= window.longest_bytes
            assert len(text) == window.size_bytes < window_bytes + file_bytes + room
            read.append(text)
    assert b"".join(read) == data
    assert all(len(text) >= window_bytes for text in read[:-1])


def failing(error: Exception) -> Generator[tuple[bytes, int], None, None]:
    """Two windows, then ``error``."""
    yield b"a\n", 0
    yield b"b\n", 0
    raise error


def test_what_the_pieces_raise_is_raised_however_the_driver_fared() -> None:
    """It comes after the last window, and in place of what the driver said: what was read is not to be kept."""
    read: list[bytes] = []
    windows = Windows(failing(LoadError("the file changed")), 1, 1)
    with pytest.raises(LoadError, match=r"^the file changed$"), windows:
        read += [Path(path).read_bytes() for window in windows for path in window.paths]
    assert read == [b"a\n", b"b\n"]
    with pytest.raises(LoadError, match=r"^the file changed$"):
        refuse_after(Windows(failing(LoadError("the file changed")), 1, 1), 3)


def refuse_after(windows: Windows, number: int) -> None:
    """As a driver that finds a bad row in the window of that number."""
    with windows:
        for _ in islice(windows, number):
            pass
        raise BadRowError("a bad row")


def test_a_driver_that_stops_ends_the_reading() -> None:
    """Its own error stays, the pieces are closed, and no file stays open."""
    closed = []

    def endless() -> Generator[tuple[bytes, int], None, None]:
        try:
            while True:
                yield b"a\n", 0
        finally:
            closed.append(True)

    before = len(list(Path("/dev/fd").iterdir()))
    with pytest.raises(BadRowError, match=r"^a bad row$"):
        refuse_after(Windows(endless(), 1, 1), 1)
    assert closed == [True]
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_where_there_are_no_files_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They lie in the temporary directory, and are gone afterwards."""
    monkeypatch.setattr(windows_module, "sys", SimpleNamespace(platform="darwin"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Windows(cut(b"a\nb\n", 4)) as windows:
        paths = [Path(path) for window in windows for path in window.paths if Path(path).read_bytes() == b"a\nb\n"]
    assert [path.parent for path in paths] == [tmp_path]
    assert list(tmp_path.iterdir()) == []


def test_no_room_for_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error that says so, and the load may come again."""

    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(windows_module, "_memory_file", full)
    windows = Windows(cut(b"a\n", 2), 16)
    with (
        pytest.raises(LoadError, match=r"^there is no memory for 16 bytes of the chunk: No space left on device$"),
        windows,
    ):
        assert list(windows) == []
