"""What the user may write as SOURCE, and what becomes of it."""

from __future__ import annotations

import gzip
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import BadInputError, SourceError, UsageError
from splitjoin_cli.stores.sources.local import LocalSource
from splitjoin_cli.stores.sources.memory import MemorySource
from splitjoin_cli.stores.sources.open import open_source, understood
from splitjoin_cli.stores.sources.stream import StreamSource
from splitjoin_cli.testing.reading import PiecewiseStream, read_through

if TYPE_CHECKING:
    from pathlib import Path

    from splitjoin_cli.core.model import SourceProperties
    from splitjoin_cli.core.progress import Moved

TEXT = b"id,name\n1,x\n"


class KnowsWhetherItIsClosed:
    def __init__(self, data: bytes) -> None:
        self._inner = MemorySource(data, "m.csv")
        self.passes: list[PiecewiseStream] = []
        self.closed = False

    @property
    def properties(self) -> SourceProperties:
        return self._inner.properties

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:  # noqa: ARG002 -- Source's
        return self._inner.read_at(offset, buffer)

    def stream(self, came: Moved | None = None) -> PiecewiseStream:  # noqa: ARG002 -- Source's
        self.passes.append(PiecewiseStream(self._inner._data))
        return self.passes[-1]

    def check_unchanged(self) -> None:
        self._inner.check_unchanged()

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("name", ["e.csv", "a b#1?.csv", "50%.csv", "\u6f22\u5b57.csv"])
def test_file_urls_are_local(tmp_path: Path, name: str) -> None:
    """A file:// URL is the path that it says, percent-encoded or not where that is plain."""
    path = tmp_path / name
    path.write_bytes(TEXT)
    for url in (path.as_uri(), f"file://localhost{path.as_uri().removeprefix('file://')}"):
        source = open_source(url)
        assert isinstance(source, LocalSource)
        assert source.properties.uri == str(path)
        source.close()


def test_file_urls_of_other_hosts() -> None:
    """A file:// URL that names a host is not this machine's."""
    with pytest.raises(SourceError) as caught:
        open_source("file://server/e.csv")
    assert caught.value.message == "cannot read file://server/e.csv: a file:// URL of another host"
    assert caught.value.hint == "write file:///ABSOLUTE/PATH, or the path alone"


def test_plain_text_has_no_layers(tmp_path: Path) -> None:
    """Nothing stands between the reader and an ordinary file: this is the path that must be fast."""
    path = tmp_path / "e.csv"
    path.write_bytes(TEXT)
    for encoding in (None, "utf-8", "latin-1", "shift_jis"):
        source = open_source(str(path), encoding=encoding)
        assert isinstance(source, LocalSource)
        source.close()


def test_suffix_without_compression(tmp_path: Path) -> None:
    """Text called .gz (unpacked by whoever fetched it) is read as text."""
    path = tmp_path / "e.csv.gz"
    path.write_bytes(TEXT)
    source = open_source(str(path))
    assert source.properties.compression is None
    assert read_through(source) == TEXT
    source.close()


def test_compression_without_suffix(tmp_path: Path) -> None:
    """Gzip called .csv is unpacked."""
    path = tmp_path / "e.csv"
    path.write_bytes(gzip.compress(TEXT))
    source = open_source(str(path))
    assert source.properties.compression == "gzip"
    assert source.properties.stored_bytes == path.stat().st_size
    assert read_through(source) == TEXT
    source.close()


def test_unknown_encoding_is_refused_before_anything_is_read() -> None:
    """A typing error costs no download."""
    with pytest.raises(UsageError) as caught:
        open_source("/no/such/file", encoding="utf-61")
    assert caught.value.message == "unknown encoding: utf-61"


def test_wide_text_is_refused_at_once(tmp_path: Path) -> None:
    """UTF-16 without --encoding is refused when it is opened, and the hint passes the option."""
    path = tmp_path / "e.csv"
    path.write_bytes(TEXT.decode().encode("utf-16"))
    with pytest.raises(BadInputError) as caught:
        open_source(str(path))
    assert caught.value.message == f"{path} looks like UTF-16"
    assert caught.value.hint == "pass --encoding utf-16 to have it transcoded to UTF-8"


def test_wide_looking_bytes_can_be_declared_otherwise() -> None:
    """Who says that it is a one-byte code page is believed."""
    data = b"\xff\xfe" + TEXT
    assert read_through(understood(MemorySource(data), encoding="latin-1")) == data


def test_wide_text_inside_compression_is_refused_at_once() -> None:
    """The first block is read when the source is opened, whatever lies around it."""
    with pytest.raises(BadInputError) as caught:
        understood(MemorySource(gzip.compress(TEXT.decode().encode("utf-16")), "m.csv"))
    assert caught.value.message == "m.csv looks like UTF-16"


@pytest.mark.parametrize("wide", ["utf-16le", "utf-32be"])
def test_structure_that_looks_wide_can_be_declared_otherwise(wide: str) -> None:
    """Who says that it is UTF-8 is believed, but where it begins with a mark that UTF-8 cannot have."""
    data = TEXT.decode().encode(wide)
    with pytest.raises(BadInputError) as caught:
        understood(MemorySource(data, "m.csv"))
    assert caught.value.hint == (
        f"pass --encoding {wide} to have it transcoded to UTF-8; or --encoding utf-8 if it is not"
    )
    assert read_through(understood(MemorySource(data, "m.csv"), encoding="utf-8")) == data
    with pytest.raises(BadInputError):
        understood(MemorySource("\ufeff".encode(wide) + data, "m.csv"), encoding="utf-8")


@pytest.mark.parametrize("data", [TEXT, gzip.compress(TEXT)], ids=["text", "gzip"])
def test_closing_reaches_the_bottom(data: bytes) -> None:
    """Whatever is layered over a source, closing it closes the source, and closing a pass closes its passes."""
    base = KnowsWhetherItIsClosed(data)
    source = understood(base)
    assert read_through(source) == TEXT
    assert all(each.closed for each in base.passes)
    source.close()
    assert base.closed


def test_failing_closes_what_was_opened() -> None:
    """A source that turns out to be an archive is closed before the error is raised."""
    base = KnowsWhetherItIsClosed(b"PK\x03\x04....")
    with pytest.raises(BadInputError):
        understood(base)
    assert base.closed


def test_layer_that_fails_closes_the_pass() -> None:
    """A pass whose layer cannot be made is not left open."""

    def refuses(_stream: object) -> PiecewiseStream:
        raise BadInputError("no")

    base = KnowsWhetherItIsClosed(TEXT)
    with pytest.raises(BadInputError):
        StreamSource(base, refuses).stream()
    assert [each.closed for each in base.passes] == [True]


def test_standard_input_is_called_so_in_errors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody has to guess what ``-`` was."""
    pipe = tmp_path / "pipe"
    pipe.write_bytes(gzip.compress(TEXT)[:-4])
    with pipe.open("rb") as file:
        monkeypatch.setattr(sys, "stdin", type("Standard", (), {"buffer": file}))
        source = open_source("-", tmp_dir=tmp_path)
    with pytest.raises(BadInputError) as caught:
        read_through(source)
    size = pipe.stat().st_size
    assert caught.value.message == f"standard input is cut short: its gzip data breaks off at compressed byte {size}"
    source.close()


def test_slow_imports_wait_until_they_are_needed() -> None:
    """A local file is opened without boto3, smart-open or requests."""
    program = (
        "import sys, splitjoin_cli.stores.sources.open\n"
        "print(sorted({'boto3', 'botocore', 'smart_open', 'requests', 'numpy'} & set(sys.modules)))"
    )
    finished = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert finished.stdout == "[]\n"


def test_a_url_that_cannot_be_opened_has_a_next_step() -> None:
    """The library's own words may hold the login of the URL: its kind of error is told, and what to look at."""
    with pytest.raises(SourceError) as caught:
        open_source("ftp://127.0.0.1:9/export.csv")
    assert caught.value.message == "cannot open ftp://127.0.0.1:9/export.csv: the URL is not complete"
    assert caught.value.hint == "name the user: ftp://USER@127.0.0.1:9/export.csv"
