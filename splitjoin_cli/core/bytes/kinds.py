"""What a file is that is no text table: told by its first bytes, as file(1) does, and by nothing else.

Two sorts: what can be no table at all (archives, workbooks, databases), and markup, whose first record may still be a
table's. A magic that is plain ASCII counts only where bytes follow that no text has, so that a header that begins with
``ORC`` or ``PAR1`` is a header.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["BLOCK_BYTES", "Kind", "binary_kind", "markup_kind"]

BLOCK_BYTES = 64 * 1024
"""The first block: as many first bytes as anyone needs to say what a file is."""

_AS_CSV = "export it as CSV, and split that"
_CONTROLS = frozenset(range(0x20)) - frozenset(b"\t\n\r")
_TAR_BLOCK = 512
_MARKS = (b"\xef\xbb\xbf",)


class Kind(NamedTuple):
    """What a file is, as a noun with its article, and what to do with it."""

    what: str
    way_out: str


def _unpacked(what: str, command: str) -> Kind:
    return Kind(what, f"unpack it: {command} | splitjoin split - DEST --client NAME")


def _exported(what: str) -> Kind:
    return Kind(what, _AS_CSV)


_ZIP = _unpacked("a zip archive", "unzip -p FILE")
_TAR = _unpacked("a tar archive", "tar -xOf FILE MEMBER")
_RAR = _unpacked("a RAR archive", "unrar p -inul FILE")
_OLE2 = _exported("an Excel workbook (.xls), or another OLE2 file")
_OLD_EXCEL = _exported("an old Excel workbook (.xls)")
_PARQUET, _ORC = _exported("a Parquet file"), _exported("an ORC file")
_ARROW, _PICKLE = _exported("an Arrow or Feather file"), _exported("a Python pickle")
_PICTURE = _exported("a picture")
_R_DATA, _SPSS = _exported("an R data file"), _exported("an SPSS file")
_APPLE_DOUBLE = Kind("what macOS keeps beside a file, not the file", "split the file whose name has no ._ before it")
_LFS_POINTER = Kind("a Git LFS pointer, not the file", "fetch it: git lfs pull")
_PACKED = "compressed once more"

_MAGICS: tuple[tuple[bytes, Kind], ...] = (
    (b"PK\x03\x04", _ZIP),
    (b"PK\x05\x06", _ZIP),  # an empty one
    (b"PK\x07\x08", _ZIP),  # in several pieces
    (b"7z\xbc\xaf\x27\x1c", _unpacked("a 7z archive", "7z x -so FILE")),
    (b"Rar!\x1a\x07", _RAR),
    (b"\x04\x22\x4d\x18", _unpacked("an lz4 file", "lz4 -dc FILE")),
    (b"\x02\x21\x4c\x18", _unpacked("an lz4 file", "lz4 -dc FILE")),
    (b"\x1f\x9d", _unpacked("a compress (.Z) file", "gzip -dc FILE")),
    (b"\x89LZO\x00\r\n\x1a\n", _unpacked("an lzop file", "lzop -dc FILE")),
    (b"LZIP\x01", _unpacked("an lzip file", "lzip -dc FILE")),
    (b"\xff\x06\x00\x00sNaPpY", _unpacked("a snappy file", "snzip -dc FILE")),
    (b"MSCF\x00\x00\x00\x00", _unpacked("a cabinet archive", "cabextract -p FILE")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _OLE2),
    (b"\x09\x00\x04\x00", _OLD_EXCEL),  # BIFF 2, 3, 4, and 5 without OLE2
    (b"\x09\x02\x06\x00", _OLD_EXCEL),
    (b"\x09\x04\x06\x00", _OLD_EXCEL),
    (b"\x09\x08\x08\x00", _OLD_EXCEL),
    (b"\x09\x08\x10\x00", _OLD_EXCEL),
    (b"Obj\x01", _exported("an Avro file")),
    (b"SQLite format 3\x00", _exported("an SQLite database")),
    (b"\x00\x01\x00\x00Standard ", _exported("an Access database")),
    (b"ARROW1\x00\x00", _ARROW),
    (b"\xff\xff\xff\xff", _ARROW),  # a stream of record batches
    (b"\x89HDF\r\n\x1a\n", _exported("an HDF5 file")),
    (b"\x93NUMPY", _exported("a NumPy array")),
    *((b"\x80" + bytes([protocol]), _PICKLE) for protocol in (2, 3, 4, 5)),
    (b"RDX2\n", _R_DATA),
    (b"RDX3\n", _R_DATA),
    (b"X\n\x00\x00\x00", _R_DATA),
    (b"$FL2@(#)", _SPSS),
    (b"$FL3@(#)", _SPSS),
    (b"<stata_dta>", _exported("a Stata file")),
    (b"\x00" * 12 + b"\xc2\xea\x81\x60\xb3\x14\x11\xcf", _exported("a SAS data set")),
    (b"\x89PNG\r\n\x1a\n", _PICTURE),
    (b"\xff\xd8\xff", _PICTURE),
    (b"{\\rtf1", _exported("an RTF document")),
    (b"-----BEGIN PGP MESSAGE-----", _unpacked("a file that is encrypted with PGP", "gpg -d FILE")),
    (b"age-encryption.org/v1\n", _unpacked("a file that is encrypted with age", "age -d FILE")),
    (b"version https://git-lfs.github.com/spec/v1\n", _LFS_POINTER),
    (b"\x00\x05\x16\x07", _APPLE_DOUBLE),
    (b"!<arch>\n", _unpacked("an ar archive", "ar p FILE")),
)
"""First bytes that no table has."""

_ASCII_MAGICS: tuple[tuple[bytes, Kind], ...] = (
    (b"PAR1", _PARQUET),
    (b"PARE", _PARQUET),  # encrypted
    (b"ORC", _ORC),
    (b"FEA1", _ARROW),
    (b"GIF8", _PICTURE),
    (b"Salted__", Kind("a file that is encrypted with OpenSSL", "decrypt it: openssl enc -d, with its cipher")),
)
"""First bytes that a header may have: what follows them decides."""

_COMPRESSED: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)


def binary_kind(start: bytes, *, inside: str | None = None) -> Kind | None:
    """What a file that begins with ``start`` (BLOCK_BYTES, or all of it) is, if it can be no text table.

    ``inside``: the compression that was undone to get there, None where there was none: once is all that is undone.
    """
    for magic, kind in _MAGICS:
        if start.startswith(magic):
            return _office_kind(start) or kind if kind is _ZIP else kind
    for magic, kind in _ASCII_MAGICS:
        if start.startswith(magic) and _CONTROLS.intersection(start[len(magic) : len(magic) + 16]):
            return kind
    if start.startswith(b"%PDF-") and start[5:6].isdigit():
        return _exported("a PDF document")
    if _is_tar(start):
        return _TAR
    if inside is not None:
        for magic, name in _COMPRESSED:
            if start.startswith(magic) and (name != "bz2" or start[4:10] in (b"1AY&SY", b"\x17rE8P\x90")):
                return Kind(f"{name} data, {_PACKED}", "undo one compression, and split that")
    return None


def _office_kind(start: bytes) -> Kind | None:
    """Which document a zip archive is. Its parts' names come before each of them (Ecma 376-2, 6.2; ODF 1.3-2, 3.3)."""
    if b"[Content_Types].xml" in start or b"xl/" in start:
        return _exported("an Excel workbook (.xlsx), or another Office document")
    if start[30:38] == b"mimetype" and b"opendocument" in start[38:128]:
        return _exported("an OpenDocument spreadsheet (.ods), or another OpenDocument file")
    return None


def _is_tar(start: bytes) -> bool:
    """By the checksum of the first header (POSIX.1-2017, pax, "ustar Interchange Format"); older tars have it too."""
    header = start[:_TAR_BLOCK]
    field = header[148:156].strip(b" \x00")
    if len(header) < _TAR_BLOCK or not header[0] or not field or field.strip(b"01234567"):
        return False
    return int(field, 8) == sum(header[:148]) + 8 * 0x20 + sum(header[156:])


def markup_kind(start: bytes) -> str | None:
    """Which markup ``start`` begins like, as a noun with its article: a table's first field may begin so, too."""
    text = start
    for mark in _MARKS:
        text = text.removeprefix(mark)
    text = text.lstrip()
    first = text[:1]
    if first in (b"{", b"["):
        return "a JSON document" if _is_json(text) else None
    return _tag_kind(text) if first == b"<" else None


def _is_json(text: bytes) -> bool:
    """Whether an object's or an array's first bytes are what RFC 8259 lets follow."""
    inner = text[1:64].lstrip()
    if text[:1] == b"{":
        return inner[:1] in (b'"', b"}")
    literal = inner.startswith((b"true", b"false", b"null"))
    return literal or inner[:1] in (b"{", b"[", b"]", b'"', b"-") or inner[:1].isdigit()


_HTML = frozenset(
    b"html head body title meta link script style base div table thead tbody tr td th p h1 h2 h3 h4 h5 h6 a b i br hr "
    b"pre span center font form img ul ol li nav main header footer section article iframe".split()
)


def _tag_kind(text: bytes) -> str | None:
    head = text[:64].lower()
    if head.startswith(b"<?xml"):
        return "an XML document"
    if head.startswith(b"<!doctype"):
        return "an HTML page" if head[9:].lstrip().startswith(b"html") else "an XML document"
    if head.startswith(b"<!--"):
        rest = text.partition(b"-->")[2].lstrip()
        return _tag_kind(rest) if rest.startswith(b"<") and not rest.startswith(b"<!--") else None
    name = text[1:64].split(b">")[0].split()[:1]
    if not name or not name[0][:1].isalpha():
        return None
    tag = name[0].rstrip(b"/")
    if tag.lower() in _HTML:
        return "an HTML page"
    return "an XML document" if b"</" + tag + b">" in text or b"/>" in text else None
