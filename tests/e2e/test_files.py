"""What the installed command touches in a directory: its own files, and through no symbolic link another's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.e2e.csvs import export

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.command import Splitjoin

EXPORT = export(3000)
MOVE = "Hint: move it away, or choose another directory, then run the same command again\n"


def names(place: Path) -> list[str]:
    """All names in a directory, hidden ones too, sorted."""
    return sorted(path.name for path in place.iterdir())


def test_links_and_folders_of_a_destination_are_not_ours(splitjoin: Splitjoin) -> None:
    """A link named like a leftover, to a folder elsewhere, and a user's hidden folder: both stay, with all in them."""
    here = splitjoin.directory
    (here / "acme.csv").write_bytes(EXPORT)
    for folder in ("out/.splitjoin-notes/old", "elsewhere"):
        (here / folder).mkdir(parents=True)
        (here / folder / "precious").write_bytes(b"mine")
    hidden = [".splitjoin-0", ".splitjoin-0123456789abcdef", ".splitjoin-notes"]
    for name in hidden[:2]:
        (here / "out" / name).symlink_to("../elsewhere")
    result = splitjoin.json("split", "acme.csv", "out", "--date", "d", "--chunks", "3")
    chunks = [chunk["name"] for chunk in result["chunks"]]
    assert names(here / "out") == [*hidden, *chunks, "acme_d.manifest.json"]
    assert names(here / "elsewhere") == ["precious"]
    assert (here / "out" / ".splitjoin-notes" / "old" / "precious").read_bytes() == b"mine"


def test_links_under_the_names_of_chunks_are_replaced_not_followed(splitjoin: Splitjoin) -> None:
    """``--force`` takes the names, and leaves what the links lead to; so does the removal of chunks without use."""
    here = splitjoin.directory
    (here / "acme.csv").write_bytes(EXPORT)
    (here / "precious").write_bytes(b"mine")
    (here / "out").mkdir()
    for name in ("acme_d-1-2.csv", "acme_d-3-9.csv"):
        (here / "out" / name).symlink_to("../precious")
    refused = splitjoin("split", "acme.csv", "out", "--date", "d", "--chunks", "2")
    assert refused.code == 11
    splitjoin.ok("split", "acme.csv", "out", "--date", "d", "--chunks", "2", "--force")
    assert names(here / "out") == ["acme_d-1-2.csv", "acme_d-2-2.csv", "acme_d.manifest.json"]
    assert not (here / "out" / "acme_d-1-2.csv").is_symlink()
    assert (here / "precious").read_bytes() == b"mine"
    assert splitjoin.ok("merge", "out", "-", "-q").out == EXPORT


def test_destination_that_is_a_link(splitjoin: Splitjoin) -> None:
    """The user's own link is followed; every command takes it."""
    here = splitjoin.directory
    (here / "acme.csv").write_bytes(EXPORT)
    (here / "real").mkdir()
    (here / "out").symlink_to("real")
    splitjoin.ok("split", "acme.csv", "out", "--date", "d", "--chunks", "2")
    assert names(here / "real") == ["acme_d-1-2.csv", "acme_d-2-2.csv", "acme_d.manifest.json"]
    assert splitjoin.json("verify", "out", "--source", "acme.csv")["ok"] is True


def test_two_splits_at_once_leave_each_other_alone(splitjoin: Splitjoin) -> None:
    """In one directory, of two clients and of one: each is whole, and nothing else is left."""
    here = splitjoin.directory
    (here / "acme.csv").write_bytes(EXPORT)
    command = ("split", "acme.csv", "out", "--date", "d", "--chunks", "40", "--client")
    running = [splitjoin.begin(*command, client) for client in ("a", "b", "b", "c")]
    for process in running:
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
    for client in ("a", "b", "c"):
        assert splitjoin.json("verify", "out", "--source", "acme.csv", "--name", f"{client}_d")["ok"] is True
    assert len(names(here / "out")) == 3 * 41


@pytest.mark.parametrize("kind", ["named pipe", "directory", "device", "symbolic link to a missing file"])
@pytest.mark.parametrize("document", ["plan", "manifest"])
def test_what_is_no_file_under_a_documents_name_is_named(splitjoin: Splitjoin, kind: str, document: str) -> None:
    """No command waits for a pipe, reads a device without end, or takes a folder for another process."""
    here = splitjoin.directory
    (here / "acme.csv").write_bytes(EXPORT)
    splitjoin.ok("split", "acme.csv", "out", "--date", "d", "--chunks", "2")
    (here / "out" / "acme_d.manifest.json").unlink()
    path = here / "out" / f"acme_d.{document}.json"
    put_in_the_way(path, kind)
    before = names(here / "out")
    ran = splitjoin("split", "acme.csv", "out", "--date", "d", "--chunks", "2", "-q")
    said = f"Error: {path} is a {kind}, and splitjoin needs that name for a file\n{MOVE}"
    assert (ran.code, ran.stderr) == (1, said)
    if kind != "symbolic link to a missing file":  # what only reads finds nothing behind it
        assert names(here / "out") == before
        for command in [("simulate", "out", "-q"), *([("merge", "out", "-", "-q")] if document == "manifest" else [])]:
            assert f"is a {kind}, and splitjoin needs that name for a file" in splitjoin(*command).stderr


@pytest.mark.parametrize("kind", ["named pipe", "directory", "device", "symbolic link to a missing file"])
def test_a_claim_that_cannot_be_a_file_names_what_is_in_its_place(splitjoin: Splitjoin, kind: str) -> None:
    """It was said that other processes come and go; waiting for them would never help."""
    here = splitjoin.directory
    (here / "acme.csv").write_bytes(EXPORT)
    (here / "out").mkdir()
    path = here / "out" / "acme_d.plan.json"
    put_in_the_way(path, kind)
    for force in ((), ("--force",)):
        ran = splitjoin("split", "acme.csv", "out", "--date", "d", "-q", *force)
        assert (ran.code, ran.stderr) == (
            1,
            f"Error: {path} is a {kind}, and splitjoin needs that name for a file\n{MOVE}",
        )
    assert names(here / "out") == [path.name]


def test_a_folder_under_a_finished_name_is_named(splitjoin: Splitjoin) -> None:
    """A chunk's, and the manifest's: nothing is left behind but what was there."""
    here = splitjoin.directory
    (here / "acme.csv").write_bytes(EXPORT)
    for name in ("acme_d-1-1.csv", "acme_d.manifest.json"):
        (here / "out" / name).mkdir(parents=True)
        ran = splitjoin("split", "acme.csv", "out", "--date", "d", "-q")
        said = f"Error: {here}/out/{name} is a directory, and splitjoin needs that name for a file\n{MOVE}"
        assert (ran.code, ran.stderr) == (1, said)
        assert names(here / "out") == [name]
        (here / "out" / name).rmdir()


def put_in_the_way(path: Path, kind: str) -> None:
    """Something that is no ordinary file."""
    if kind == "named pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "device" else "nowhere")
