"""Splits into a directory: every way to size chunks, every kind of input, and what is left when the disk is full."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.csvs import HEADER, bulk, check, export, manifest, records
from tests.stores.sources.http_server import serving

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd
from tests.seldom import seldom

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.command import Splitjoin

EXPORT = export(3000)
SUFFIXES: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd.compress,
}


def write(splitjoin: Splitjoin, data: bytes, name: str = "acme.csv") -> None:
    """Put an export where the command runs."""
    (splitjoin.directory / name).write_bytes(data)


def read(splitjoin: Splitjoin, name: str) -> bytes:
    """A chunk in ``out``, decompressed."""
    data = (splitjoin.directory / "out" / name).read_bytes()
    return SUFFIXES_READ[Path(name).suffix](data)


SUFFIXES_READ: dict[str, Callable[[bytes], bytes]] = {
    ".csv": bytes,
    ".gz": gzip.decompress,
    ".zst": zstd.decompress,
}


def listed(splitjoin: Splitjoin, directory: str = "out") -> list[str]:
    """All names in a directory, hidden ones too, sorted."""
    return sorted(path.name for path in (splitjoin.directory / directory).iterdir())


@pytest.mark.parametrize(
    ("size", "total"),
    [
        (("--chunk-size", "20KB"), 4),
        seldom(("--chunk-size", "1GiB"), 1),
        (("--chunks", "7"), 7),
        seldom(("--chunks", "1"), 1),
        seldom(("--chunks", "12"), 12),
        (("--rows", "1000"), 3),
        seldom(("--rows", "999"), 4),
    ],
)
def test_every_size(splitjoin: Splitjoin, size: tuple[str, str], total: int) -> None:
    """The header in every chunk, no record torn, as many chunks as asked, and names that sort."""
    write(splitjoin, EXPORT)
    result = splitjoin.json("split", "acme.csv", "out", "--date", "20240131", *size)
    check(result, EXPORT, lambda name: read(splitjoin, name))
    assert result["total_parts"] == total
    width = len(str(total))
    names = [f"acme_20240131-{number:0{width}}-{total}.csv" for number in range(1, total + 1)]
    assert [chunk["name"] for chunk in result["chunks"]] == names
    assert listed(splitjoin) == [*names, "acme_20240131.manifest.json"]
    assert result["warnings"] == []


def test_chunks_never_exceed_their_size(splitjoin: Splitjoin) -> None:
    """A chunk, its header included, is never larger than asked, and the next record would not have fitted."""
    write(splitjoin, EXPORT)
    result = splitjoin.json("split", "acme.csv", "out", "--date", "d", "--chunk-size", "1000")
    check(result, EXPORT, lambda name: read(splitjoin, name))
    chunks = result["chunks"]
    assert max(chunk["bytes"] for chunk in chunks) <= 1000
    for chunk, follower in pairwise(chunks):
        first = next(csv.reader(io.StringIO(read(splitjoin, follower["name"])[len(HEADER) :].decode(), newline="")))
        assert chunk["bytes"] + len(",".join(first)) + 1 > 1000 - 4  # up to four bytes of quotes are not in the fields


def test_a_record_that_does_not_fit_is_alone_and_told(splitjoin: Splitjoin) -> None:
    """A record larger than the chunk size is alone in its chunk, and one warning counts all of them."""
    large = b'7,x,"' + b"a\n" * 100_000 + b'"\n'
    data = HEADER + b"1,a,b\n" + large + b"2,a,b\n" + large + b"3,a,b\n"
    write(splitjoin, data)
    ran = splitjoin.ok("split", "acme.csv", "out", "--date", "d", "--chunk-size", "10KB", "--json")
    check(ran.document, data, lambda name: read(splitjoin, name))
    assert [chunk["rows"] for chunk in ran.document["chunks"]] == [1, 1, 1, 1, 1]
    assert ran.document["warnings"] == ["2 records are larger than the chunk size; each is alone in its chunk"]
    assert ran.stderr.count("Warning: 2 records are larger than the chunk size; each is alone in its chunk\n") == 1


@pytest.mark.parametrize(
    ("suffix", "compress", "ending"),
    [("gz", "none", ".csv"), ("bz2", "gzip", ".csv.gz"), ("xz", "zstd", ".csv.zst"), seldom("zst", "none", ".csv")],
)
def test_compressed_input_and_output(splitjoin: Splitjoin, suffix: str, compress: str, ending: str) -> None:
    """A compressed export is split as the one inside it, also by number; chunks are compressed where asked."""
    write(splitjoin, SUFFIXES[suffix](EXPORT), f"acme.csv.{suffix}")
    options = ("--date", "d", "--chunks", "3", "--compress", compress)
    result = splitjoin.json("split", f"acme.csv.{suffix}", "out", *options)
    check(result, EXPORT, lambda name: read(splitjoin, name))
    names = [f"acme_d-{number}-3{ending}" for number in (1, 2, 3)]
    assert listed(splitjoin) == [*names, "acme_d.manifest.json"]
    sizes = [(splitjoin.directory / "out" / name).stat().st_size for name in names]
    assert [chunk["stored_bytes"] for chunk in result["chunks"]] == sizes
    assert splitjoin.json("verify", "out", "--source", f"acme.csv.{suffix}")["ok"] is True
    assert splitjoin.ok("merge", "out", "-").out == EXPORT


def test_compression_is_known_by_content(splitjoin: Splitjoin) -> None:
    """A gzip file of another name, and one through standard input, are decompressed all the same."""
    write(splitjoin, gzip.compress(EXPORT), "export.bin")
    by_name = splitjoin.json("split", "export.bin", "out", "--client", "acme", "--date", "d", "--rows", "1500")
    check(by_name, EXPORT, lambda name: read(splitjoin, name))
    options = ("--client", "piped", "--date", "d", "--rows", "1500")
    piped = splitjoin.json("split", "-", "out", *options, stdin=gzip.compress(EXPORT))
    check(piped, EXPORT, lambda name: read(splitjoin, name))


def test_truncated_gzip_is_an_error_and_leaves_nothing(splitjoin: Splitjoin) -> None:
    """A download that was cut short is bad input and commits no chunk."""
    write(splitjoin, gzip.compress(bulk(2_000_000))[:-20], "acme.csv.gz")
    ran = splitjoin("split", "acme.csv.gz", "out", "--date", "d", "--chunk-size", "100KB")
    assert ran.code == 4
    assert ran.stderr.splitlines()[-2].startswith("Error: acme.csv.gz is cut short: its gzip data breaks off at ")
    assert not (splitjoin.directory / "out").exists() or listed(splitjoin) == []


def test_standard_input_and_pipes(splitjoin: Splitjoin) -> None:
    """What comes through a pipe is split as the same file would be, and the spool is gone afterwards."""
    (splitjoin.directory / "spool").mkdir()
    options = ("--client", "acme", "--date", "d", "--chunk-size", "20KB", "--tmp-dir", "spool")
    result = splitjoin.json("split", "-", "out", *options, stdin=EXPORT)
    check(result, EXPORT, lambda name: read(splitjoin, name))
    assert (result["source"]["uri"], result["source"]["bytes"]) == ("-", len(EXPORT))
    assert listed(splitjoin, "spool") == []


def test_http_source(splitjoin: Splitjoin) -> None:
    """A URL is split, its user, password and query appear nowhere, and its name is the client."""
    with serving(EXPORT) as resource:
        resource.credentials = "me:hush"
        url = resource.url.replace("http://", "http://me:hush@") + "?token=hush"
        refused = splitjoin("split", url, "out", "--date", "d", "--json")
        ran = refused if refused.code == 0 else splitjoin("split", resource.url, "out", "--date", "d", "--json")
        assert "hush" not in refused.stdout + refused.stderr + ran.stdout + ran.stderr
        resource.credentials = None
        result = splitjoin.json("split", f"{resource.url}?token=hush", "out", "--date", "e", "--rows", "1000")
    check(result, EXPORT, lambda name: read(splitjoin, name))
    assert result["source"]["uri"] == resource.url
    assert result["file_name"] == "export_e"
    for name in listed(splitjoin):
        assert b"hush" not in (splitjoin.directory / "out" / name).read_bytes()


@pytest.mark.parametrize("encoding", ["utf-16", seldom("utf-16-le"), seldom("utf-16-be"), seldom("utf-32")])
def test_utf_16_and_32_become_utf_8(splitjoin: Splitjoin, encoding: str) -> None:
    """A wide encoding must be declared; then the chunks are UTF-8 and hold the same text."""
    write(splitjoin, EXPORT.decode().encode(encoding))
    undeclared = splitjoin("split", "acme.csv", "out", "--date", "d", "--json")
    assert undeclared.code == 4
    assert "--encoding" in str(undeclared.error["hint"])
    result = splitjoin.json("split", "acme.csv", "out", "--date", "d", "--encoding", encoding, "--chunks", "3")
    bodies = b"".join(read(splitjoin, c["name"])[result["header_bytes"] :] for c in result["chunks"])
    assert read(splitjoin, "acme_d-1-3.csv")[: result["header_bytes"]].decode("utf-8-sig").encode() == HEADER
    assert HEADER + bodies == EXPORT
    assert splitjoin.json("verify", "out", "--source", "acme.csv", "--encoding", encoding)["ok"] is True


def test_byte_order_mark_stays_with_the_header(splitjoin: Splitjoin) -> None:
    """A UTF-8 byte order mark is in front of every chunk as in front of the export, and is no part of a field."""
    mark = b"\xef\xbb\xbf"
    data = mark + b'"id","name"\n' + b"".join(b'%d,"a\nb"\n' % number for number in range(500))
    write(splitjoin, data)
    result = splitjoin.json("split", "acme.csv", "out", "--date", "d", "--chunks", "4")
    check(result, data, lambda name: read(splitjoin, name), header=mark + b'"id","name"\n')
    for chunk in result["chunks"]:
        assert records(read(splitjoin, chunk["name"]))[0] == ["id", "name"]


@pytest.mark.parametrize("line_end", ["\r\n", "mixed"])
def test_line_ends_are_not_rewritten(splitjoin: Splitjoin, line_end: str) -> None:
    """CRLF, also inside quotes, and a mix of both pass byte for byte, wherever buffers end."""
    rows = [b'%d,"a\nb\r\nc",x\r\n' % n if line_end == "\r\n" or n % 2 else b'%d,"\r\n",x\n' % n for n in range(70_000)]
    data = b"id,a,b\r\n" + b"".join(rows)
    write(splitjoin, data)
    result = splitjoin.json("split", "acme.csv", "out", "--date", "d", "--chunk-size", "100KB")
    check(result, data, lambda name: read(splitjoin, name), header=b"id,a,b\r\n")
    assert result["dialect"]["line_end"] == line_end


def test_fields_beyond_the_csv_modules_limit(splitjoin: Splitjoin) -> None:
    """A field of more than 131,072 characters, where Python's reader gives up, is a field like others."""
    field = b"x" * 300_000 + b'""\n' * 1000
    data = HEADER + b"".join(b'%d,"%b",z\n' % (number, field) for number in range(5))
    write(splitjoin, data)
    result = splitjoin.json("split", "acme.csv", "out", "--date", "d", "--rows", "2", "--strict")
    assert [chunk["rows"] for chunk in result["chunks"]] == [2, 2, 1]
    assert splitjoin.ok("merge", "out", "-").out == data


@pytest.mark.parametrize(("delimiter", "option"), [(b";", ";"), (b"\t", "tab"), (b"\t", "\\t"), (b"|", "|")], ids=str)
def test_other_delimiters(splitjoin: Splitjoin, delimiter: bytes, option: str) -> None:
    """Semicolon and tab files: quotes are legal after their delimiter, and fields are counted by it."""
    data = b"".join(delimiter.join([b'"a\n1"', b"2,5", b'"c"']) + b"\n" for _ in range(100))
    write(splitjoin, data)
    options = ("--date", "d", "--rows", "10", "--no-header", "--strict", "--delimiter", option)
    result = splitjoin.json("split", "acme.csv", "out", *options)
    check(result, data, lambda name: read(splitjoin, name), header=b"")
    assert result["dialect"]["delimiter"] == delimiter.decode()
    assert [chunk["rows"] for chunk in result["chunks"]] == [10] * 10


def test_no_header(splitjoin: Splitjoin) -> None:
    """Without a header, chunks are the records alone, and the first record is data."""
    data = export(1000, header=b"")
    write(splitjoin, data)
    result = splitjoin.json("split", "acme.csv", "out", "--date", "d", "--chunks", "3", "--no-header")
    check(result, data, lambda name: read(splitjoin, name), header=b"")
    assert (result["dialect"]["header"], result["header_bytes"], result["rows"]) == (False, 0, 1000)


def test_header_only(splitjoin: Splitjoin) -> None:
    """A header and nothing else is one chunk with 0 rows, so that whoever waits for chunks gets one."""
    write(splitjoin, HEADER)
    result = splitjoin.json("split", "acme.csv", "out", "--date", "d")
    assert [(chunk["name"], chunk["rows"], chunk["bytes"]) for chunk in result["chunks"]] == [
        ("acme_d-1-1.csv", 0, len(HEADER))
    ]
    assert read(splitjoin, "acme_d-1-1.csv") == HEADER


def test_escape_character(splitjoin: Splitjoin) -> None:
    """With an escape character, an escaped quote neither opens nor closes, and backslashes pass as they are."""
    data = b"a,b\n" + b'1,"say \\"hi\\"\nand \\\\"\n2,C:\\\\dir\n' * 200
    write(splitjoin, data)
    result = splitjoin.json("split", "acme.csv", "out", "--date", "d", "--rows", "100", "--escapechar", "\\")
    assert [chunk["rows"] for chunk in result["chunks"]] == [100] * 4
    assert splitjoin.ok("merge", "out", "-").out == data


def test_stray_quotes_as_data(splitjoin: Splitjoin) -> None:
    """``literal`` takes a stray quote for a character, as the csv module does."""
    data = HEADER + b'1,5" pipe,"x\ny"\n2,a"b,c\n' * 300
    write(splitjoin, data)
    result = splitjoin.json("split", "acme.csv", "out", "--date", "d", "--rows", "60", "--on-stray-quote", "literal")
    assert [chunk["rows"] for chunk in result["chunks"]] == [60] * 10
    assert splitjoin.ok("merge", "out", "-").out == data


def test_ragged_records_warn(splitjoin: Splitjoin) -> None:
    """A record with a field more is located in a warning; with --strict it is bad input and nothing is stored."""
    write(splitjoin, HEADER + b"1,a,b\n2,a,b,c\n3,a,b\n")
    strict = splitjoin("split", "acme.csv", "strict", "--date", "d", "--strict", "--json")
    assert strict.code == 4
    assert "line 3" in strict.error["message"]
    assert not (splitjoin.directory / "strict").exists() or listed(splitjoin, "strict") == []
    result = splitjoin.json("split", "acme.csv", "out", "--date", "d")
    assert result["warnings"] == ["line 3 (byte 19) has 4 fields, the first has 3; such records are in 1 of 1 chunk"]
    assert manifest(splitjoin.directory / "out")["warnings"] == result["warnings"]


def test_fsync_stores_the_same(splitjoin: Splitjoin) -> None:
    """Chunks that survive a power cut are the same chunks."""
    write(splitjoin, EXPORT)
    result = splitjoin.json("split", "acme.csv", "out", "--date", "d", "--chunks", "5", "--fsync")
    check(result, EXPORT, lambda name: read(splitjoin, name))


def test_modes_are_those_of_new_files(splitjoin: Splitjoin) -> None:
    """Chunks get the permissions that cp would give them, so that a loader of another account can read them."""
    write(splitjoin, EXPORT)
    splitjoin.ok("split", "acme.csv", "out", "--date", "d")
    usual = splitjoin.directory / "usual"
    usual.touch()
    expected = stat.S_IMODE(usual.stat().st_mode)
    modes = {stat.S_IMODE((splitjoin.directory / "out" / name).stat().st_mode) for name in listed(splitjoin)}
    assert modes == {expected}


def test_full_disk_leaves_nothing_half_written(splitjoin: Splitjoin) -> None:
    """Where writing stops (here at a limit on file sizes), no chunk and no temporary file is left, and exit is 1."""
    write(splitjoin, bulk(3_000_000))
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000000, 1000000)); "
        "from splitjoin_cli.cli.run import run; sys.exit(run(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "split", "acme.csv", "out", "--date", "d", "--chunk-size", "2MB"],
        cwd=splitjoin.directory, env=splitjoin.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert not (splitjoin.directory / "out").exists() or listed(splitjoin) == []


def test_manifest_is_the_same_bytes(splitjoin: Splitjoin) -> None:
    """Twice the same split, with more or less parallelism, is twice the same manifest and the same chunks."""
    write(splitjoin, EXPORT)
    for directory, jobs in (("one", "1"), ("two", "8")):
        splitjoin.ok("split", "acme.csv", directory, "--date", "d", "--chunk-size", "5KB", "--jobs", jobs)
    assert listed(splitjoin, "one") == listed(splitjoin, "two")
    for name in listed(splitjoin, "one"):
        first, second = (splitjoin.directory / place / name for place in ("one", "two"))
        assert first.read_bytes() == second.read_bytes()


def test_nothing_to_do_leaves_everything_alone(splitjoin: Splitjoin) -> None:
    """The same command again skips every chunk and touches no file."""
    write(splitjoin, EXPORT)
    command = ("split", "acme.csv", "out", "--date", "d", "--chunks", "3")
    splitjoin.ok(*command)
    before = {name: (splitjoin.directory / "out" / name).stat().st_mtime_ns for name in listed(splitjoin)}
    again = splitjoin.json(*command)
    assert (again["uploaded"], again["skipped"]) == (0, 3)
    assert before == {name: (splitjoin.directory / "out" / name).stat().st_mtime_ns for name in listed(splitjoin)}


def test_other_content_is_not_overwritten(splitjoin: Splitjoin) -> None:
    """The name of other content stays its own: exit 11 names both; --force replaces it, old chunks and all."""
    write(splitjoin, EXPORT)
    splitjoin.ok("split", "acme.csv", "out", "--date", "d", "--chunks", "9")
    old = manifest(splitjoin.directory / "out")["run_id"]
    write(splitjoin, export(500, seed=2))
    refused = splitjoin("split", "acme.csv", "out", "--date", "d", "--chunks", "4", "--json")
    assert refused.code == 11
    assert old in refused.error["message"]
    assert "--force" in refused.error["hint"]
    assert manifest(splitjoin.directory / "out")["run_id"] == old
    assert splitjoin.json("verify", "out")["ok"] is True
    result = splitjoin.json("split", "acme.csv", "out", "--date", "d", "--chunks", "4", "--force")
    check(result, export(500, seed=2), lambda name: read(splitjoin, name))
    assert listed(splitjoin) == [*(f"acme_d-{n}-4.csv" for n in range(1, 5)), "acme_d.manifest.json"]


def test_run_label_makes_another_run(splitjoin: Splitjoin) -> None:
    """The same content on purpose once more is another run, and needs --force as other content does."""
    write(splitjoin, EXPORT)
    first = splitjoin.json("split", "acme.csv", "out", "--date", "d")
    assert splitjoin("split", "acme.csv", "out", "--date", "d", "--run-label", "again").code == 11
    second = splitjoin.json("split", "acme.csv", "out", "--date", "d", "--run-label", "again", "--force")
    assert first["run_id"] != second["run_id"]


def test_names_of_neighbours_are_left_alone(splitjoin: Splitjoin) -> None:
    """--force removes the replaced run's chunks by parsed name: a job whose name begins alike keeps its own."""
    write(splitjoin, EXPORT)
    splitjoin.ok("split", "acme.csv", "out", "--client", "acme", "--date", "1", "--chunks", "3")
    splitjoin.ok("split", "acme.csv", "out", "--client", "acme", "--date", "1-2", "--chunks", "3")
    write(splitjoin, export(10))
    splitjoin.ok("split", "acme.csv", "out", "--client", "acme", "--date", "1", "--chunks", "2", "--force")
    assert splitjoin.json("verify", "out", "--name", "acme_1-2")["ok"] is True
    assert splitjoin.json("verify", "out", "--name", "acme_1")["ok"] is True
    assert len(listed(splitjoin)) == 3 + 2 + 2
