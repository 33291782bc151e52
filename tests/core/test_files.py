"""What has the name of a file of splitjoin's and is none."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from splitjoin_cli.core.errors import NotAFileError
from splitjoin_cli.core.files import (
    check_ordinary,
    in_the_way,
    is_directory,
    is_file,
    is_missing,
    mode_of,
    open_ordinary,
    status_of,
)

KINDS = {
    "itself": "a symbolic link to nothing (Too many levels of symbolic links)",
    "nowhere": "a symbolic link to a missing file",
    "file/below": "a symbolic link to a missing file",
    "x" * 300: "a symbolic link to nothing (File name too long)",
}


@pytest.mark.parametrize(("target", "kind"), KINDS.items(), ids=["itself", "nowhere", "below a file", "too long"])
def test_a_link_that_leads_nowhere_is_no_file_and_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, kind: str
) -> None:
    """It has no status, from a directory that is open too, and what needs its name says what it is."""
    monkeypatch.chdir(tmp_path)
    Path("file").write_bytes(b"")
    link = Path("itself")
    link.symlink_to(target)
    directory = os.open(".", os.O_RDONLY)
    try:
        assert (status_of(link), status_of("itself", directory=directory)) == (None, None)
    finally:
        os.close(directory)
    assert str(in_the_way(link)) == f"itself is {kind}, and splitjoin needs that name for a file"


def test_what_is_no_link_fails_as_it_does(tmp_path: Path) -> None:
    """A directory that is none is the system's error, not an absent file."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        status_of(tmp_path / "file" / "below")
    assert (status_of(tmp_path / "absent"), in_the_way(tmp_path / "absent")) == (None, None)
    assert in_the_way(tmp_path / "file") is None


def test_a_socket_and_a_link_to_itself_are_named_where_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system only says that there is no such device, or that there are too many levels."""
    monkeypatch.chdir(tmp_path)  # a socket's path may have 107 bytes
    Path("link").symlink_to("link")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
    for name, kind in (("socket", "a socket"), ("link", KINDS["itself"])):
        with pytest.raises(NotAFileError) as caught:
            open_ordinary(name)
        assert caught.value.message == f"{name} is {kind}, and splitjoin needs that name for a file"
    with pytest.raises(NotAFileError):
        check_ordinary("socket", Path("socket").stat())


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(36, "File name too long")])
def test_what_may_not_be_looked_at_is_not_missing(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    """Path.exists raises there. Whoever opens it says why it cannot be used."""

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(os, "stat", refuse)
    assert (mode_of("x"), is_directory("x"), is_file("x"), is_missing("x")) == (None, False, False, False)


def test_what_a_path_leads_to(tmp_path: Path) -> None:
    """A file, a directory, nothing, nothing below a file; a name that holds what no path does."""
    file = tmp_path / "file"
    file.write_bytes(b"")
    assert (is_file(file), is_directory(file), is_missing(file)) == (True, False, False)
    assert (is_file(tmp_path), is_directory(tmp_path), is_missing(tmp_path)) == (False, True, False)
    assert is_missing(tmp_path / "none")
    assert is_missing(file / "below")
    assert (mode_of("a\0b"), is_missing("a\0b")) == (None, False)
