"""What a split into a directory may remove there: its own and its dead predecessors' files, and nothing else."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sinks.staging_folder import LOCK_NAME, STAGING_PREFIX
from splitjoin_cli.testing.bodies import Bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME = "acme_20240131-1-2.csv"
FOLDER = f"{STAGING_PREFIX}0123456789abcdef"
OTHER_USER = 65534  # nobody

KILLED = """
import os, signal, sys
from pathlib import Path
from splitjoin_cli.stores.sinks.directory import DirectorySink
sink = DirectorySink(Path(sys.argv[1]))
for number in (1, 2):
    sink.stage("acme_20240131-", number).write_at(0, b"half of it")
os.kill(os.getpid(), signal.SIGKILL)
"""


def leave_behind(place: Path) -> Path:
    """The folder that a process leaves which is killed while it writes two chunks."""
    before = set(place.glob(f"{STAGING_PREFIX}*"))
    killed = subprocess.run([sys.executable, "-c", KILLED, str(place)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (folder,) = set(place.glob(f"{STAGING_PREFIX}*")) - before
    assert sorted(path.name for path in folder.iterdir()) == ["1", "2", LOCK_NAME]
    return folder


def tree(place: Path) -> dict[str, bytes | str | None]:
    """Everything below a directory: the bytes of files, where links lead, None for folders; links are not followed."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(place.rglob("*")):
        name = str(path.relative_to(place))
        found[name] = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
    return found


def split(place: Path) -> None:
    """What a split does in a directory, as far as files are concerned."""
    sink = DirectorySink(place)
    sink.sweep("acme_20240131-")
    sink.put(NAME, Bytes(b"id\n"), checksum=None)
    sink.close()
    assert (place / NAME).read_bytes() == b"id\n"
    (place / NAME).unlink()


def test_a_killed_process_leaves_nothing_for_good(tmp_path: Path) -> None:
    """Its folder goes with the next sweep, whole; a second sweep finds nothing."""
    leave_behind(tmp_path)
    leave_behind(tmp_path)
    sink = DirectorySink(tmp_path)
    assert (sink.sweep(""), sink.sweep("")) == (2, 0)
    assert tree(tmp_path) == {}


def test_a_folder_left_before_its_lock_was_made_goes(tmp_path: Path) -> None:
    """Killed between the two: it is empty."""
    (tmp_path / FOLDER).mkdir()
    assert DirectorySink(tmp_path).sweep("") == 1
    assert tree(tmp_path) == {}


def a_link_to_a_folder(place: Path, outside: Path) -> None:
    """The name is a leftover's, what it leads to is not."""
    (place / FOLDER).symlink_to(outside)


def a_link_to_a_leftover(place: Path, outside: Path) -> None:
    """It is not to be swept through a link either: it lies elsewhere."""
    (outside / LOCK_NAME).touch()
    (place / FOLDER).symlink_to(outside)


def another_name(place: Path, outside: Path) -> None:  # noqa: ARG001 -- as the others
    """A user's folders, as a whole, with a lock in them too."""
    names = ("notes", "0", "", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "0123456789abcdeg")
    for name in (*names, "0123456789abcdef\n"):
        (place / f"{STAGING_PREFIX}{name}").mkdir()
        for file in (LOCK_NAME, "1"):
            (place / f"{STAGING_PREFIX}{name}" / file).touch()


def a_file(place: Path, outside: Path) -> None:  # noqa: ARG001 -- as the others
    """Not a folder at all."""
    (place / FOLDER).write_bytes(b"mine")


def no_lock(place: Path, outside: Path) -> None:  # noqa: ARG001 -- as the others
    """A folder of that name which no process of ours made."""
    (place / FOLDER).mkdir()
    (place / FOLDER / "1").write_bytes(b"mine")


def a_lock_with_something_in_it(place: Path, outside: Path) -> None:  # noqa: ARG001 -- as the others
    """Another program's: ours is empty."""
    (place / FOLDER).mkdir()
    (place / FOLDER / LOCK_NAME).write_bytes(b"4711\n")
    (place / FOLDER / "1").write_bytes(b"mine")


def a_lock_that_is_a_link(place: Path, outside: Path) -> None:
    """It is not followed."""
    (outside / "empty").touch()
    (place / FOLDER).mkdir()
    (place / FOLDER / LOCK_NAME).symlink_to(outside / "empty")
    (place / FOLDER / "1").write_bytes(b"mine")


def a_lock_that_leads_nowhere(place: Path, outside: Path) -> None:
    """Nothing is made at its end."""
    (place / FOLDER).mkdir()
    (place / FOLDER / LOCK_NAME).symlink_to(outside / "absent")
    (place / FOLDER / "1").write_bytes(b"mine")


def a_lock_of_two_names(place: Path, outside: Path) -> None:
    """A hard link to another's file: ours has one name."""
    (outside / "empty").touch()
    (place / FOLDER).mkdir()
    (place / FOLDER / LOCK_NAME).hardlink_to(outside / "empty")
    (place / FOLDER / "1").write_bytes(b"mine")


def a_lock_that_is_a_folder(place: Path, outside: Path) -> None:  # noqa: ARG001 -- as the others
    """Not a file."""
    (place / FOLDER / LOCK_NAME).mkdir(parents=True)
    (place / FOLDER / "1").write_bytes(b"mine")


def a_lock_that_is_a_pipe(place: Path, outside: Path) -> None:  # noqa: ARG001 -- as the others
    """Opening one for writing waits for a reader: a split must not."""
    (place / FOLDER).mkdir()
    os.mkfifo(place / FOLDER / LOCK_NAME)


@pytest.mark.parametrize(
    "lay",
    [
        a_link_to_a_folder, a_link_to_a_leftover, another_name, a_file, no_lock, a_lock_with_something_in_it,
        a_lock_that_is_a_link, a_lock_that_leads_nowhere, a_lock_of_two_names, a_lock_that_is_a_folder,
        a_lock_that_is_a_pipe,
    ],
    ids=lambda lay: lay.__name__,
)  # fmt: skip
def test_what_no_split_left_stays(lay: Callable[[Path, Path], None], tmp_path: Path) -> None:
    """Byte for byte, in the directory and outside; nothing is counted as removed."""
    place, outside = tmp_path / "chunks", tmp_path / "outside"
    place.mkdir()
    outside.mkdir()
    (outside / "1").write_bytes(b"precious")
    lay(place, outside)
    before = tree(tmp_path)
    assert DirectorySink(place).sweep("") == 0
    split(place)
    assert tree(tmp_path) == before


def test_only_what_splitjoin_made_is_removed_from_a_leftover(tmp_path: Path) -> None:
    """Files, links and folders that somebody put in it stay, and with them the folder; what links lead to stays."""
    folder, outside = leave_behind(tmp_path), tmp_path / "outside"
    outside.write_bytes(b"precious")
    (folder / "notes.txt").write_bytes(b"mine")
    (folder / "01").write_bytes(b"mine")
    (folder / "3").symlink_to(outside)
    (folder / "4").mkdir()
    (folder / "4" / "1").write_bytes(b"mine")
    assert DirectorySink(tmp_path).sweep("") == 0
    kept = {"01": b"mine", "3": str(outside), "4": None, "4/1": b"mine", "notes.txt": b"mine"}
    assert tree(folder) == kept
    assert DirectorySink(tmp_path).sweep("") == 0
    assert (tree(folder), outside.read_bytes()) == (kept, b"precious")


def test_a_chunk_of_two_names_keeps_the_other(tmp_path: Path) -> None:
    """A hard link that was made of a staged file is a file of its own."""
    folder = leave_behind(tmp_path)
    (tmp_path / "kept").hardlink_to(folder / "1")
    assert DirectorySink(tmp_path).sweep("") == 1
    assert tree(tmp_path) == {"kept": b"half of it"}


def test_a_close_removes_only_its_own(tmp_path: Path) -> None:
    """What somebody put beside the staged files is not removed, nor is the folder that took its folder's place."""
    sink = DirectorySink(tmp_path)
    sink.stage("acme_20240131-", 1).write_at(0, b"half")
    (folder,) = tmp_path.iterdir()
    (folder / "notes.txt").write_bytes(b"mine")
    sink.close()
    assert tree(folder) == {"notes.txt": b"mine"}
    shutil.rmtree(folder)
    sink.stage("acme_20240131-", 1).write_at(0, b"half")
    (folder,) = tmp_path.iterdir()
    folder.rename(tmp_path / "moved")
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "1").write_bytes(b"precious")
    folder.symlink_to(tmp_path / "victim")
    sink.close()
    assert tree(tmp_path / "victim") == {"1": b"precious"}


def test_a_destination_that_is_a_link_works(tmp_path: Path) -> None:
    """The user's own link is followed: chunks and leftovers are those of the directory that it leads to."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    leave_behind(tmp_path / "link")
    sink = DirectorySink(tmp_path / "link")
    assert sink.sweep("") == 1
    sink.put(NAME, Bytes(b"id\n"), checksum=None)
    sink.close()
    assert tree(tmp_path) == {"link": "real", "real": None, f"real/{NAME}": b"id\n"}


@pytest.fixture
def as_another_user() -> Iterator[Path]:
    """A directory that everybody may write to, with permissions that count (they do not for root).

    Directly in the system's place for temporary files: pytest's own folders are closed to others, and shared by its
    processes, so that one of them could close a folder again while another test is in it.
    """
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        place.chmod(0o777)
        if os.geteuid():
            yield place
            return
        os.seteuid(OTHER_USER)
        try:
            yield place
        finally:
            os.seteuid(0)


@pytest.mark.parametrize("closed", ["folder", "files", "lock"])
def test_another_users_leftovers_stay(closed: str, as_another_user: Path) -> None:
    """What may not be read, removed or locked is left alone, and the split goes on."""
    folder = as_another_user / FOLDER
    folder.mkdir()
    for name in (LOCK_NAME, "1"):
        (folder / name).touch()
    where, mode = {"folder": (folder, 0), "files": (folder, 0o555), "lock": (folder / LOCK_NAME, 0)}[closed]
    where.chmod(mode)
    assert DirectorySink(as_another_user).sweep("") == 0
    split(as_another_user)
    where.chmod(0o755)
    assert sorted(path.name for path in folder.iterdir()) == ["1", LOCK_NAME]


@pytest.mark.parametrize("moment", ["before the folder is opened", "before the lock", "at the lock"])
def test_who_is_swept_while_it_makes_its_folder_makes_another(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between mkdir, open and flock another process may take the folder for a dead one's."""
    sweeper, swept = DirectorySink(tmp_path), list[bool]()
    real: Callable[[int, int], None] = fcntl.flock
    real_open = os.open

    def sweep_once() -> None:
        if not swept:
            swept.append(True)
            monkeypatch.undo()
            swept.append(sweeper.sweep("") == 1)

    def flock(descriptor: int, operation: int) -> None:
        if moment == "at the lock" and not swept:
            sweep_once()
        real(descriptor, operation)

    def opened(path: Path | str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        at = {"before the lock": path == LOCK_NAME, "before the folder is opened": dir_fd is None}
        if at.get(moment):
            sweep_once()
        return real_open(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr("splitjoin_cli.stores.sinks.staging_folder.fcntl.flock", flock)
    monkeypatch.setattr("splitjoin_cli.stores.sinks.staging_folder.os.open", opened)
    sink = DirectorySink(tmp_path)
    sink.put(NAME, Bytes(b"id\n"), checksum=None)
    assert swept == [True, True]
    assert sweeper.sweep("") == 0
    assert len(list(tmp_path.glob(f"{STAGING_PREFIX}*"))) == 1
    sink.close()
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_folder_whose_lock_cannot_be_made_goes_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, or a file system without locks: our error, and nothing stays, neither files nor descriptors."""

    def refuses(*_: object) -> None:
        raise OSError(37, os.strerror(37))

    monkeypatch.setattr("splitjoin_cli.stores.sinks.staging_folder.fcntl.flock", refuses)
    before = sorted(Path("/proc/self/fd").iterdir())
    sink = DirectorySink(tmp_path)
    with pytest.raises(Exception, match=r"^writing in .* failed: No locks available$"):
        sink.put(NAME, Bytes(b"id\n"), checksum=None)
    sink.close()
    assert tree(tmp_path) == {}
    assert sorted(Path("/proc/self/fd").iterdir()) == before
