"""The directory sink beyond the contract: locks, leftovers, foreign files, refusals of the system, and --fsync."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import CorruptObjectError, StoreError
from splitjoin_cli.stores.sinks.base import ABSENT
from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sinks.staged_file import WRITE_BYTES
from splitjoin_cli.stores.sinks.staging_folder import STAGING_PREFIX
from splitjoin_cli.testing.bodies import Bytes

NAME = "acme_20240131-1-2.csv"


def folders(place: Path) -> list[Path]:
    """The staging folders in a directory."""
    return sorted(place.glob(f"{STAGING_PREFIX}*"))


def test_nothing_is_made_before_it_is_needed(tmp_path: Path) -> None:
    """Looking makes no directory; the first write makes it with those above it."""
    sink = DirectorySink(tmp_path / "a" / "b")
    assert list(sink.list()) == []
    assert (sink.head(NAME), sink.get_small(NAME), sink.checksum(NAME), sink.sweep("")) == (None, None, None, 0)
    sink.delete(NAME)
    sink.close()
    assert list(tmp_path.iterdir()) == []
    sink.put(NAME, Bytes(b"id\n"), checksum=None)
    sink.close()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == [NAME]


def test_a_relative_directory_has_an_absolute_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays the same place when the process goes elsewhere."""
    monkeypatch.chdir(tmp_path)
    sink = DirectorySink(Path("out"))
    monkeypatch.chdir("/")
    sink.put(NAME, Bytes(b"id\n"), checksum=None)
    sink.close()
    assert sink.properties.uri == f"{tmp_path}/out/"
    assert (tmp_path / "out" / NAME).read_bytes() == b"id\n"


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    """DEST must be a directory, or not be there; so must what lies above it."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError) as error:
        DirectorySink(tmp_path / "file")
    assert error.value.message == f"not a directory: {tmp_path}/file"
    assert error.value.hint == "DEST is a directory or s3://bucket/prefix/"
    beneath = DirectorySink(tmp_path / "file" / "out")
    with pytest.raises(StoreError) as error:
        beneath.put_small("plan.json", b"{}")
    assert error.value.message == f"making {tmp_path}/file/out failed: Not a directory"


@pytest.mark.parametrize(
    ("number", "message", "hint"),
    [
        (
            errno.ENOSPC,
            "no space left while writing {place}",
            "free space there or choose another directory, then run ",
        ),
        (
            errno.EDQUOT,
            "no space left while writing {place}",
            "free space there or choose another directory, then run ",
        ),
        (errno.EACCES, "not allowed: writing {place}", "check the directory's permissions"),
        (errno.EIO, "writing {place} failed: Input/output error", "look at the disk and the system's log (dmesg), "),
        (errno.EROFS, "writing {place} failed: Read-only file system", "its file system is mounted read-only: choose "),
        (errno.EFBIG, "writing {place} failed: File too large", "the file system, or a limit (ulimit -f), allows no "),
        (errno.EMFILE, "writing {place} failed: Too many open files", "raise the limit of open files (ulimit -n 4096)"),
        (errno.ESTALE, "writing {place} failed: Stale file handle", "the file server has replaced it: mount its file "),
        (errno.ENAMETOOLONG, "writing {place} failed: File name too long", "choose a shorter name, or a directory "),
        (errno.ENXIO, "writing {place} failed: No such device or address", None),
    ],
)
def test_what_the_system_refuses_names_the_place(
    number: int, message: str, hint: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, a quota, permissions, a broken disk: our error, the next step, and nothing stays."""

    def refuses(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    sink = DirectorySink(tmp_path)
    monkeypatch.setattr("splitjoin_cli.stores.sinks.directory.os.pwrite", refuses)
    with pytest.raises(StoreError) as error:
        sink.put(NAME, Bytes(b"id\n"), checksum=None)
    place = f"{folders(tmp_path)[0]}/1"
    assert error.value.message == message.format(place=place)
    assert error.value.hint is None if hint is None else (error.value.hint or "").startswith(hint)
    assert isinstance(error.value.__cause__, OSError)
    sink.close()
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_is_cut_short_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take fewer bytes than it was given."""
    write = os.pwrite
    monkeypatch.setattr("splitjoin_cli.stores.sinks.directory.os.pwrite", lambda fd, data, at: write(fd, data[:3], at))
    sink = DirectorySink(tmp_path)
    body = Bytes(b"0123456789" * 10)
    sink.put(NAME, body, checksum=body.crc)
    sink.close()
    assert (tmp_path / NAME).read_bytes() == body.data


def test_writes_end_at_multiples_of_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is larger, and none but the last ends in the middle of a page, wherever the data begins."""
    write, wrote = os.pwrite, []

    def recorded(descriptor: int, data: memoryview, at: int) -> int:
        wrote.append((at, at + len(data)))
        return write(descriptor, data, at)

    monkeypatch.setattr("splitjoin_cli.stores.sinks.directory.os.pwrite", recorded)
    sink = DirectorySink(tmp_path)
    staged = sink.stage("acme_1-", 1)
    staged.write_at(0, b"id\n")
    staged.write_at(3, b"x" * (2 * WRITE_BYTES))
    sink.publish(staged, NAME)
    sink.close()
    assert wrote == [
        (0, 3),
        (3, WRITE_BYTES),
        (WRITE_BYTES, 2 * WRITE_BYTES),
        (2 * WRITE_BYTES, 2 * WRITE_BYTES + 3),
    ]
    assert (tmp_path / NAME).read_bytes() == b"id\n" + b"x" * (2 * WRITE_BYTES)


def test_only_files_are_objects(tmp_path: Path) -> None:
    """Folders and what is under way are not listed; links to files are."""
    (tmp_path / "acme_1-1-1.csv").mkdir()
    (tmp_path / "acme_2-1-1.csv").write_bytes(b"id\n")
    (tmp_path / "acme_3-1-1.csv").symlink_to(tmp_path / "acme_2-1-1.csv")
    (tmp_path / "acme_4-1-1.csv").symlink_to(tmp_path / "nowhere")
    (tmp_path / "acme_5-1-1.csv").symlink_to("acme_5-1-1.csv")
    sink = DirectorySink(tmp_path)
    sink.writer(NAME).write(b"under way")
    assert [(stored.name, stored.size) for stored in sink.list()] == [("acme_2-1-1.csv", 3), ("acme_3-1-1.csv", 3)]
    assert (sink.head("acme_4-1-1.csv"), sink.head("acme_5-1-1.csv")) == (None, None)
    sink.close()


def test_files_have_the_usual_permissions(tmp_path: Path) -> None:
    """As the process's umask says, not those of a private temporary file."""
    before = os.umask(0o027)
    try:
        sink = DirectorySink(tmp_path)
        sink.put(NAME, Bytes(b"id\n"), checksum=None)
        sink.put_small("plan.json", b"{}", when=ABSENT)
        sink.close()
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o640}


def test_a_living_process_keeps_its_folder(tmp_path: Path) -> None:
    """Its lock is held by another process; when that is killed, the folder goes with the next sweep."""
    script = (
        "import sys, time; from pathlib import Path; from splitjoin_cli.stores.sinks.directory import DirectorySink; "
        "DirectorySink(Path(sys.argv[1])).writer('x').write(b'half'); "
        "keep = []; print('ready', flush=True); time.sleep(60)"
    ).replace("DirectorySink(Path(sys.argv[1])).writer", "sink = DirectorySink(Path(sys.argv[1])); sink.writer")
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        sink = DirectorySink(tmp_path)
        assert sink.sweep("") == 0
        assert len(folders(tmp_path)) == 1
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    assert sink.sweep("acme_20240131-") == 1
    assert folders(tmp_path) == []


def test_close_removes_the_folder_and_the_sink_works_on(tmp_path: Path) -> None:
    """What is under way goes; a write after it makes another folder, which the next close removes."""
    sink = DirectorySink(tmp_path)
    writer = sink.writer(NAME)
    writer.write(b"half")
    sink.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreError):
        writer.commit(checksum=None)
    writer.abort()
    sink.put(NAME, Bytes(b"id\n"), checksum=None)
    sink.close()
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_checksum_is_read_back(tmp_path: Path) -> None:
    """Of the file as it is now, in blocks."""
    sink = DirectorySink(tmp_path)
    data = b"x" * (2 * 1024 * 1024 + 5)
    sink.put(NAME, Bytes(data), checksum=None)
    assert sink.checksum(NAME) == crc64(data)
    (tmp_path / NAME).write_bytes(b"other")
    assert sink.checksum(NAME) == crc64(b"other")
    sink.close()


def test_a_wrong_checksum_names_the_object(tmp_path: Path) -> None:
    """And leaves nothing."""
    sink = DirectorySink(tmp_path)
    with pytest.raises(CorruptObjectError) as error:
        sink.put(NAME, Bytes(b"id\n"), checksum=1)
    assert error.value.message == f"writing {NAME}: the bytes written are not the bytes planned"
    sink.close()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_copies_nothing(tmp_path: Path) -> None:
    """The caller streams instead."""
    sink = DirectorySink(tmp_path)
    assert sink.copier is None


def test_fsync_syncs_each_object_and_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content before the name, the name's directory after it; without --fsync nothing waits for the disk."""
    steps: list[str] = []
    sync, rename, link = os.fsync, os.rename, os.link

    def fsync(descriptor: int) -> None:
        steps.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def renamed(source: str, target: Path) -> None:
        steps.append(target.name)
        rename(source, target)

    def linked(source: str, target: Path) -> None:
        steps.append(target.name)
        link(source, target)

    monkeypatch.setattr("splitjoin_cli.stores.sinks.directory.os.fsync", fsync)
    monkeypatch.setattr("splitjoin_cli.stores.sinks.directory.os.link", linked)
    monkeypatch.setattr("splitjoin_cli.stores.sinks.directory.os.rename", renamed)
    for fsync_too in (True, False):
        sink = DirectorySink(tmp_path, fsync=fsync_too)
        sink.put_small("plan.json", b"{}", when=ABSENT)
        staged = sink.stage("acme_20240131-", 1)
        staged.write_at(0, b"id\n")
        sink.publish(staged, NAME)
        sink.put_small("manifest.json", b"{}")
        sink.delete("plan.json")
        sink.close()
        if fsync_too:
            assert steps == [
                *("file", "plan.json", "directory"),
                *("file", NAME, "directory"),
                *("file", "manifest.json", "directory"),
            ]
        else:
            assert steps == ["plan.json", NAME, "manifest.json"]
        steps.clear()


def test_what_is_given_up_is_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that lost its name, a chunk that was discarded: the disk need not have them."""
    sink = DirectorySink(tmp_path, fsync=True)
    staged = sink.stage("acme_20240131-", 1)
    staged.write_at(0, b"id\n")
    synced: list[int] = []
    monkeypatch.setattr("splitjoin_cli.stores.sinks.directory.os.fsync", synced.append)
    sink.discard(staged)
    sink.close()
    assert synced == []
