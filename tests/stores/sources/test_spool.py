"""Standard input and pipes: kept once, invisible, and gone with the process."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tempfile
import threading
from typing import IO, TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import SourceError
from splitjoin_cli.stores.sources import spool
from splitjoin_cli.stores.sources.open import open_source
from splitjoin_cli.testing.reading import read_through

if TYPE_CHECKING:
    from pathlib import Path

DATA = bytes(range(256)) * 20_000


class _StandardInput:
    def __init__(self, buffer: IO[bytes]) -> None:
        self.buffer = buffer


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``-`` is standard input, kept in the directory asked for under no name at all."""
    monkeypatch.setattr(sys, "stdin", _StandardInput(io.BytesIO(DATA)))
    source = open_source("-", tmp_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert source.properties.uri == "-"
    assert (source.properties.size, source.properties.validator) == (len(DATA), None)
    assert read_through(source) == DATA
    source.close()


def test_closed_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """``<&-`` leaves Python without a standard input."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SourceError) as caught:
        open_source("-")
    assert caught.value.message == "cannot read standard input: it is closed"
    assert caught.value.hint == "pipe a file in, or name one"


@pytest.mark.parametrize("how", ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
@pytest.mark.parametrize("through", ["pipe", "socket", "file"])
def test_names_of_standard_input(how: str, through: str, tmp_path: Path) -> None:
    """A shell's pipe, another program's socket and a redirected file are read whole under each of their names."""
    program = (
        "import sys\n"
        "from splitjoin_cli.stores.sources.open import open_source\n"
        "from splitjoin_cli.testing.reading import read_through\n"
        f"data = read_through(open_source({how!r}))\n"
        "sys.exit(data != bytes(range(256)) * 20_000)\n"
    )
    path = tmp_path / "data"
    path.write_bytes(DATA)
    command = [sys.executable, "-c", program]
    if through == "pipe":
        finished = subprocess.run(command, input=DATA, check=False, capture_output=True)
    elif through == "file":
        with path.open("rb") as file:
            finished = subprocess.run(command, stdin=file, check=False, capture_output=True)
    else:
        finished = _run_with_socket(command)
    assert (finished.returncode, finished.stderr) == (0, b"")


def _run_with_socket(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(command, stdin=theirs.fileno(), stderr=subprocess.PIPE)
        theirs.close()
        ours.sendall(DATA)
        ours.shutdown(socket.SHUT_WR)
        _, stderr = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, b"", stderr)


def test_named_pipe(tmp_path: Path) -> None:
    """A named pipe (and so process substitution) is read once, and again as often as needed."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(DATA,))
    writer.start()
    source = open_source(str(pipe), tmp_dir=tmp_path)
    writer.join()
    assert list(tmp_path.iterdir()) == [pipe]
    assert source.properties.uri == str(pipe)
    assert [read_through(source), read_through(source)] == [DATA, DATA]
    source.close()


def test_empty_device() -> None:
    """A device is read to its end like a pipe: /dev/null is an empty source."""
    source = open_source("/dev/null")
    assert read_through(source) == b""
    source.close()


def test_disk_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk names the directory, what it took, and the option (/dev/full answers as a full disk does)."""
    monkeypatch.setattr(sys, "stdin", _StandardInput(io.BytesIO(DATA)))
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: open("/dev/full", "wb", buffering=0))  # noqa: SIM115, PTH123
    with pytest.raises(SourceError) as caught:
        open_source("-", tmp_dir=tmp_path)
    expected = f"cannot spool standard input to {tmp_path}: no space left after 0 bytes, and all of it must fit"
    assert caught.value.message == expected
    assert caught.value.hint == "pass --tmp-dir DIRECTORY, on a disk with room for the whole input"


def test_file_size_limit(tmp_path: Path) -> None:
    """A limit on the size of files (ulimit -f) is no room either; the bytes that fitted are told."""
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from splitjoin_cli.core.errors import SourceError\n"
        "from splitjoin_cli.stores.sources.open import open_source\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))\n"
        "try:\n"
        "    open_source('-', tmp_dir=Path(sys.argv[1]))\n"
        "except SourceError as exc:\n"
        "    print(exc.message)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    finished = subprocess.run(command, input=DATA, check=True, capture_output=True)
    expected = f"cannot spool standard input to {tmp_path}: no space left after 3000000 bytes, and all of it must fit\n"
    assert finished.stdout.decode() == expected


def test_directory_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A --tmp-dir that is not there is the user's to make."""
    monkeypatch.setattr(sys, "stdin", _StandardInput(io.BytesIO(DATA)))
    with pytest.raises(SourceError) as caught:
        open_source("-", tmp_dir=tmp_path / "none")
    assert caught.value.message == f"cannot spool standard input to {tmp_path / 'none'}: No such file or directory"
    assert caught.value.hint == "pass --tmp-dir DIRECTORY, one that exists and can be written to"


def test_input_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An input that cannot be read to its end is an error, not a short input, and leaves nothing."""

    class BreaksOff(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, _buffer: object) -> int:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(sys, "stdin", _StandardInput(BreaksOff()))  # type: ignore[arg-type]  # enough of a file
    with pytest.raises(SourceError) as caught:
        open_source("-", tmp_dir=tmp_path)
    assert caught.value.message == "cannot read standard input: Input/output error"
    assert list(tmp_path.iterdir()) == []


def test_read_after_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing removes the copy; a late read is an error."""
    monkeypatch.setattr(sys, "stdin", _StandardInput(io.BytesIO(DATA)))
    source = spool.spool_standard_input(tmp_path)
    source.close()
    with pytest.raises(SourceError, match=r"^cannot read the spooled -: "):
        source.read_at(0, memoryview(bytearray(1)))
