"""What is no text table is named; what only begins like it is a table."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import sqlite3
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.bytes.kinds import BLOCK_BYTES, binary_kind, markup_kind

if TYPE_CHECKING:
    from pathlib import Path

CSV = b"id,name\n" + b"1,x\n" * 500


def tarred(data: bytes, form: int) -> bytes:
    """One member in a tar archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        member = tarfile.TarInfo("export.csv")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def zipped(**members: bytes) -> bytes:
    """A zip archive; ``_`` in names stands for a dot."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), data)
    return out.getvalue()


def workbook() -> bytes:
    """A zip archive with the parts that every workbook has."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return out.getvalue()


def old_tar(data: bytes) -> bytes:
    """A tar of before POSIX: no ``ustar`` in it, the checksum alone tells."""
    header = bytearray(tarred(data, tarfile.USTAR_FORMAT))
    header[257:265] = bytes(8)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return bytes(header)


NO_TABLES = {
    "a zip archive": zipped(export_csv=CSV),
    "an Excel workbook (.xlsx), or another Office document": workbook(),
    "an OpenDocument spreadsheet (.ods), or another OpenDocument file": zipped(
        mimetype=b"application/vnd.oasis.opendocument.spreadsheet", content_xml=b"<a/>"
    ),
    "a 7z archive": b"7z\xbc\xaf\x27\x1c\x00\x04",
    "a RAR archive": b"Rar!\x1a\x07\x01\x00",
    "an lz4 file": b"\x04\x22\x4d\x18\x64",
    "a compress (.Z) file": b"\x1f\x9d\x90",
    "an Excel workbook (.xls), or another OLE2 file": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "an old Excel workbook (.xls)": b"\x09\x08\x08\x00\x00\x05\x10\x00",
    "a Parquet file": b"PAR1\x15\x04\x15\x10",
    "an ORC file": b"ORC\x1f\x00\x00\xe3\x12",
    "an Avro file": b"Obj\x01\x04\x16avro.schema",
    "a PDF document": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "an Arrow or Feather file": b"ARROW1\x00\x00\xff\xff\xff\xff",
    "a Python pickle": pickle.dumps([{"id": 1}]),
    "an RTF document": b"{\\rtf1\\ansi a,b}",
    "an HDF5 file": b"\x89HDF\r\n\x1a\n",
    "a Git LFS pointer, not the file": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "what macOS keeps beside a file, not the file": b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X",
    "a file that is encrypted with PGP": b"-----BEGIN PGP MESSAGE-----\n\nhQEMA\n",
}


@pytest.mark.parametrize("what", NO_TABLES)
def test_no_table(what: str) -> None:
    """Each format is named by its first bytes, and its hint is a next step."""
    kind = binary_kind(NO_TABLES[what][:BLOCK_BYTES])
    assert kind is not None
    assert kind.what == what
    assert kind.way_out


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar(form: int) -> None:
    """Every form of tar is one, whatever lies in it."""
    for data in (CSV, b""):
        kind = binary_kind(tarred(data, form))
        assert kind is not None
        assert kind.what == "a tar archive"


def test_tar_of_old() -> None:
    """A header without a magic is known by its checksum; one bit off, it is none."""
    data = old_tar(CSV)
    kind = binary_kind(data)
    assert kind is not None
    assert kind.what == "a tar archive"
    assert binary_kind(b"f" + data[1:]) is None


def test_database(tmp_path: Path) -> None:
    """A database of SQLite itself."""
    with sqlite3.connect(tmp_path / "d.db") as database:
        database.execute("create table t (a)")
    database.close()
    kind = binary_kind((tmp_path / "d.db").read_bytes())
    assert kind is not None
    assert kind.what == "an SQLite database"


@pytest.mark.parametrize(("pack", "name"), [(gzip.compress, "gzip"), (bz2.compress, "bz2"), (lzma.compress, "xz")])
def test_compressed_twice(pack: object, name: str) -> None:
    """Compression inside compression is named; the outer one is not its business."""
    data = pack(CSV)  # type: ignore[operator]  # one of three functions of one shape
    kind = binary_kind(data, inside="gzip")
    assert kind is not None
    assert kind.what == f"{name} data, compressed once more"
    assert binary_kind(data) is None


@pytest.mark.parametrize(
    "start",
    [
        b"",
        CSV,
        b"PK,name\n1,x\n",
        b"PAR1,PAR2\n1,2\n",
        b"ORC,name\n1,2\n",
        b"ORCID\n0000-0001\n",
        b"Obj,name\n",
        b"GIF89,x\n",
        b"BZh9,next\n",
        b"%PDF,x\n",
        b"\xef\xbb\xbfid,name\n",
        b"\tid\tname\n",
        b"0000644,0000000,0000000\n" * 40,
        "\u20ac,\u20ac\n".encode("cp1252"),
    ],
)
def test_tables_that_begin_like_something_else(start: bytes) -> None:
    """A header of plain text is a header, whatever magic its letters are."""
    assert binary_kind(start) is None


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300))
def test_text_is_never_binary(text: str) -> None:
    """No text that begins with a letter or digit, a quote or a mark is taken for a binary file."""
    assert binary_kind(b"id," + text.encode()) is None
    assert binary_kind(b'"' + text.encode()) is None


@pytest.mark.parametrize(
    ("start", "markup"),
    [
        (b'{"error": "expired"}', "a JSON document"),
        (b'\xef\xbb\xbf \n[ {"id": 1} ]', "a JSON document"),
        (b"[1]\n", "a JSON document"),
        (b"{}", "a JSON document"),
        (b"<!DOCTYPE html>\n<p>", "an HTML page"),
        (b"\n<!doctype HTML PUBLIC>", "an HTML page"),
        (b"<HTML lang=en>", "an HTML page"),
        (b"<!-- saved -->\n<html>", "an HTML page"),
        (b"<table><tr>", "an HTML page"),
        (b'<?xml version="1.0"?>', "an XML document"),
        (b"<!DOCTYPE rows>", "an XML document"),
        (b"<rows><row/></rows>", "an XML document"),
        (b"<name>,<value>\n1,2\n", None),
        (b"<5,>6\n", None),
        (b"[name],[value]\n", None),
        (b"{name},x\n", None),
        (b"id,name\n", None),
        (b"", None),
    ],
)
def test_markup(start: bytes, markup: str | None) -> None:
    """Markup is known by how it must begin; brackets alone make none."""
    assert markup_kind(start) == markup
