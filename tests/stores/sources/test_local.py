"""Regular files: what cannot be opened, and every way in which a file stops being what it was."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from splitjoin_cli.core.errors import SourceChangedError, SourceError
from splitjoin_cli.stores.sources.local import LocalSource
from splitjoin_cli.testing.reading import read_range, read_through

AGAIN = "run again when nothing writes to it"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of ten bytes, last written long ago."""
    path = tmp_path / "export.csv"
    path.write_bytes(b"0123456789")
    os.utime(path, ns=(0, 10**9))
    return path


@pytest.fixture
def source(path: Path) -> LocalSource:
    """That file, opened."""
    return LocalSource(str(path))


def test_properties(source: LocalSource, path: Path) -> None:
    """The URI is the path as it was given, the validator size and time."""
    properties = source.properties
    assert properties.uri == str(path)
    assert (properties.size, properties.stored_bytes, properties.validator) == (10, 10, "10:1000000000")
    assert (properties.seekable, properties.compression, properties.s3) == (True, None, None)


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/no/such/export.csv", None),
        ("no-such.csv", "the path is relative to the working directory; check both"),
        ("s3:/bucket/export.csv", "an object on S3 is written s3://BUCKET/KEY"),
    ],
)
def test_missing(path: str, hint: str | None) -> None:
    """A missing file is named, with what may be wrong about the path."""
    with pytest.raises(SourceError) as caught:
        LocalSource(path)
    assert (caught.value.message, caught.value.hint) == (f"cannot read {path}: no such file", hint)


def test_directory(tmp_path: Path) -> None:
    """A directory is not a source."""
    with pytest.raises(SourceError) as caught:
        LocalSource(str(tmp_path))
    assert caught.value.message == f"cannot read {tmp_path}: it is a directory"
    assert caught.value.hint == "name one file in it"


def test_not_a_regular_file() -> None:
    """Devices are not read in place."""
    with pytest.raises(SourceError) as caught:
        LocalSource("/dev/null")
    assert caught.value.message == "cannot read /dev/null: it is not a regular file"
    assert caught.value.hint == "pipe it in: splitjoin split - ..."


def test_permission(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that may not be read says so (the refusal is made up: tests may run as root)."""

    def refuses(*_arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuses)
    with pytest.raises(SourceError) as caught:
        LocalSource(str(path))
    assert caught.value.message == f"cannot read {path}: permission denied"
    assert caught.value.hint == "check its permissions and its directories'"


def test_path_that_cannot_be() -> None:
    """A NUL in a path is the system's to refuse, and ours to report."""
    with pytest.raises(SourceError) as caught:
        LocalSource("a\0b")
    assert caught.value.message == "cannot read a\0b: embedded null byte"


def test_other_failures_tell_the_systems_reason(tmp_path: Path) -> None:
    """What the system says is passed on: here, a socket cannot be opened."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        with pytest.raises(SourceError) as caught:
            LocalSource(str(path))
    assert caught.value.message == f"cannot read {path}: No such device or address"


def test_failing_to_open_leaks_no_descriptor(tmp_path: Path) -> None:
    """Each refusal closes what it opened."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        with pytest.raises(SourceError):
            LocalSource(str(tmp_path))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_truncated(source: LocalSource, path: Path) -> None:
    """A file that became shorter is a changed one, and the message has both sizes."""
    os.truncate(path, 4)
    with pytest.raises(SourceChangedError) as caught:
        read_range(source, 2, 5)
    assert caught.value.message == f"{path} changed while it was read: it had 10 bytes and now ends at 4"
    assert caught.value.hint == AGAIN


def test_appended_bytes_are_not_read(source: LocalSource, path: Path) -> None:
    """What comes after the size at opening is not part of the source, and is noticed by the check."""
    with path.open("ab") as file:
        file.write(b"more")
    assert read_through(source) == b"0123456789"
    assert read_range(source, 8, 10) == b"89"
    with pytest.raises(SourceChangedError) as caught:
        source.check_unchanged()
    expected = f"{path} changed while it was read: size or time of change are not what they were"
    assert (caught.value.message, caught.value.hint) == (expected, AGAIN)


def test_same_size_other_time(source: LocalSource, path: Path) -> None:
    """A file written again with as many bytes has another time."""
    path.write_bytes(b"9876543210")
    with pytest.raises(SourceChangedError, match=r"size or time of change are not what they were$"):
        source.check_unchanged()


def test_replaced_by_rename(source: LocalSource, path: Path, tmp_path: Path) -> None:
    """Another file under the path is noticed, same size and time or not; the open one is still read whole."""
    other = tmp_path / "other"
    other.write_bytes(b"abcdefghij")
    os.utime(other, ns=(0, 10**9))
    other.replace(path)
    assert read_through(source) == b"0123456789"
    with pytest.raises(SourceChangedError) as caught:
        source.check_unchanged()
    assert caught.value.message == f"{path} was replaced by another file while it was read"
    assert caught.value.hint == "run again: the new file is a new run"


def test_removed(source: LocalSource, path: Path) -> None:
    """A file without its name is not what was named any more."""
    path.unlink()
    with pytest.raises(SourceChangedError) as caught:
        source.check_unchanged()
    assert caught.value.message == f"{path} was removed while it was read"


def test_read_after_close_meets_no_other_file(source: LocalSource, path: Path, tmp_path: Path) -> None:
    """A descriptor's number is used again by the next file opened: a late read must not end up there."""
    source.close()
    (tmp_path / "other").write_bytes(b"abcdefghij")
    with (tmp_path / "other").open("rb"), pytest.raises(SourceError) as caught:
        read_range(source, 0, 4)
    assert caught.value.message == f"cannot read {path}: Bad file descriptor"


def test_reads_are_repeated_until_the_buffer_is_full(source: LocalSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may answer with less than asked (network file systems, over 2 GiB at once): the rest is asked for."""
    preadv = os.preadv

    def miserly(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        return preadv(descriptor, [buffers[0][:3]], offset)

    monkeypatch.setattr(os, "preadv", miserly)
    assert read_range(source, 1, 8) == b"12345678"
    assert read_through(source) == b"0123456789"


def test_io_error(source: LocalSource, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails is reported with the file's name."""

    def fails(*_arguments: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "preadv", fails)
    with pytest.raises(SourceError) as caught:
        read_range(source, 0, 4)
    assert caught.value.message == f"cannot read {path}: Input/output error"
