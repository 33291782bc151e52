"""The installed command on what is no table: refused and named, from wherever it comes, with nothing stored."""

from __future__ import annotations

import gzip
import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.e2e.csvs import export
from tests.seldom import seldom
from tests.stores.sources.http_server import serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.command import Ran, Splitjoin
    from tests.servers.s3 import Bucket

PAGE = b"<!DOCTYPE html>\n<html>\n<body>Please sign in: your session has expired.</body>\n</html>\n"


def tar() -> bytes:
    """An export in an archive, without a quote in it: no stray quote gives it away."""
    out, data = io.BytesIO(), b"id,name\n1,x\n" * 200
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("export.csv")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


NO_TABLES = {
    "a tar archive": tar(),
    "gzip data that holds a tar archive": gzip.compress(tar()),
    "gzip data that holds gzip data, compressed once more": gzip.compress(gzip.compress(export(10))),
    "an HTML page": PAGE,
    "a JSON document": b'{"error": "expired"}',
    "an Excel workbook (.xls), or another OLE2 file": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000),
}


CI_TRIES = ("gzip data that holds a tar archive", "a JSON document")


def is_refused(ran: Ran, name: str, what: str) -> bool:
    """Whether it is exit 4, and the message names the source and what it is."""
    assert ran.code == 4, ran
    assert ran.error["message"] == f"{name} is {what}, not delimited text"
    assert ran.error["hint"]
    return True


def is_empty(directory: Path) -> bool:
    """Whether nothing lies there, or it is not there."""
    return not directory.exists() or list(directory.iterdir()) == []


@pytest.mark.parametrize("what", [*CI_TRIES, *map(seldom, sorted(NO_TABLES.keys() - set(CI_TRIES)))])
def test_from_everywhere(splitjoin: Splitjoin, what: str) -> None:
    """A file, standard input, http, and what simulate is given."""
    data = NO_TABLES[what]
    (splitjoin.directory / "acme.csv").write_bytes(data)
    assert is_refused(splitjoin("split", "acme.csv", "out", "--json"), "acme.csv", what)
    assert is_refused(splitjoin("simulate", "acme.csv", "--json", TMPDIR=str(splitjoin.directory)), "acme.csv", what)
    piped = splitjoin("split", "-", "out", "--client", "acme", "--json", stdin=data)
    assert is_refused(piped, "standard input", what)
    with serving(data) as resource:
        assert is_refused(splitjoin("split", resource.url, "out", "--json"), resource.url, what)
    assert is_empty(splitjoin.directory / "out")


@pytest.mark.parametrize("what", ["gzip data that holds a tar archive", seldom("an HTML page")])
def test_on_s3(splitjoin_s3: Splitjoin, bucket: Bucket, what: str) -> None:
    """An object on S3, which would be copied without being read."""
    bucket.client().put_object(Bucket=bucket.name, Key="in/acme.csv", Body=NO_TABLES[what])
    uri = f"{bucket.uri}in/acme.csv"
    ran = splitjoin_s3("split", uri, f"{bucket.uri}out/", "--escapechar", "none", "--json")
    assert is_refused(ran, uri, what)
    listed = bucket.client().list_objects_v2(Bucket=bucket.name, Prefix="out/")
    assert listed["KeyCount"] == 0


@pytest.mark.parametrize("option", [("--delimiter", ","), seldom(("--quotechar", "none"))])
def test_typed_dialect_lets_markup_pass(splitjoin: Splitjoin, option: tuple[str, str]) -> None:
    """Who says how fields are written is believed, with a warning; an archive is an archive all the same."""
    (splitjoin.directory / "acme.csv").write_bytes(PAGE)
    done = splitjoin.json("split", "acme.csv", "out", *option)
    assert done["warnings"][0] == "acme.csv begins like an HTML page: it is split as the text it is"
    assert done["rows"] == 3
    (splitjoin.directory / "acme.csv").write_bytes(tar())
    assert splitjoin("split", "acme.csv", "other", *option).code == 4
    (splitjoin.directory / "acme.csv").write_bytes(PAGE)
    by_environment = splitjoin("split", "acme.csv", "third", SPLITJOIN_DELIMITER=",")
    assert by_environment.code == 4


def test_json_with_commas_is_named(splitjoin: Splitjoin) -> None:
    """It fails at a quote, and the message says why."""
    (splitjoin.directory / "acme.csv").write_bytes(b'[{"id": 1, "name": "x"},\n {"id": 2, "name": "y"}]\n')
    ran = splitjoin("split", "acme.csv", "out", "--json")
    assert ran.code == 4
    assert ran.error["message"].endswith("; acme.csv begins like a JSON document")
    assert is_empty(splitjoin.directory / "out")


def test_nul_is_a_warning(splitjoin: Splitjoin) -> None:
    """It is split, and the warning, with line and byte, is in the result, the manifest and on stderr."""
    (splitjoin.directory / "acme.csv").write_bytes(b"id,name\n1,a\n2,b\0c\n")
    ran = splitjoin.ok("split", "acme.csv", "out", "--date", "d", "--json")
    warning = "acme.csv, line 3 (byte 15): a NUL byte; databases refuse text that holds one"
    assert ran.document["warnings"] == [warning]
    assert warning in ran.stderr
    assert warning in (splitjoin.directory / "out" / "acme_d.manifest.json").read_text()


def test_empty_gzip(splitjoin: Splitjoin) -> None:
    """A compressed nothing is an empty source."""
    (splitjoin.directory / "acme.csv.gz").write_bytes(gzip.compress(b""))
    ran = splitjoin("split", "acme.csv.gz", "out", "--json")
    assert (ran.code, "empty" in ran.error["message"]) == (4, True)
    assert is_empty(splitjoin.directory / "out")
