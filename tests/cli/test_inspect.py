"""``inspect`` as a command: its report, and what it refuses."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from benchmarks.exports import make
from tools.exporters.variants import LIVE, Places

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ran
    from tools.exporters.variants import Variant

    Command = Callable[..., Ran]

HERE = [one for one in LIVE if one.name.startswith(("Python", "DuckDB")) and not one.refused]
EXPORT = (
    "Umsätze je Kunde\r\n\r\nNr;Name;Ort;Betrag;Notiz\r\n"
    + "".join(f'{n};Müller {n};Köln;{n},50;"a;b {n}"\r\n' for n in range(1, 41))
    + "\r\n(40 rows affected)\r\n"
).encode("cp1252")


def test_what_is_no_text_table_is_refused(splitjoin: Command, tmp_path: Path) -> None:
    """Exit 4, with what it is, for archives, binaries, markup without a delimiter, and nothing at all."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", "id\n1\n")
    for data, said in (
        (packed.getvalue(), "is a zip archive, not delimited text"),
        (bytes(9000) + bytes(range(256)) * 40, "is a binary file, not delimited text"),
        (b'{"a": 1}\n', "is a JSON document, not delimited text"),
        (b"", "is empty; expected a header or a record"),
    ):
        path = tmp_path / "export.csv"
        path.write_bytes(data)
        ran = splitjoin("inspect", str(path), "--json")
        assert ran.code == 4
        assert ran.document["error"]["message"] == f"{path} {said}"


@pytest.mark.parametrize("variant", HERE, ids=lambda variant: variant.name)
def test_what_is_proposed_for_real_exporters_splits(splitjoin: Command, tmp_path: Path, variant: Variant) -> None:
    """The file of each exporter that needs no server, as awkward as its table is."""
    path, made = tmp_path / "export.csv", str(tmp_path / "made")
    variant.write(path, Places(None, None, tmp_path))  # type: ignore[arg-type]  # these need none
    found = splitjoin("inspect", str(path), "--json").document
    ran = splitjoin("split", str(path), made, "-q", "--json", "--date", "20240101", *found["options"])
    assert (ran.code, ran.document["rows"]) == (0, found["records"])
    assert splitjoin("verify", made, "--source", str(path)).code == 0


@pytest.mark.parametrize("kind", ["preamble-", "trailer-", "-sep", "-blank", "-repeated", "odd-", "-cp1251", "-utf-16"])
def test_what_is_around_the_records_is_left_out(splitjoin: Command, tmp_path: Path, kind: str) -> None:
    """The command that is proposed makes the rows that were counted, and its chunks are the source's bytes."""
    export = next(one for one in make(7) if kind in one.name)
    path, made = tmp_path / "export.csv", str(tmp_path / "made")
    path.write_bytes(export.data)
    found = splitjoin("inspect", str(path), "--json").document
    ran = splitjoin("split", str(path), made, "-q", "--json", "--date", "20240101", *found["options"])
    assert (ran.code, ran.document["rows"]) == (0, found["records"])
    encoding = ["--encoding", "utf-16"] if kind == "-utf-16" else []
    assert splitjoin("verify", made, "--source", str(path), *encoding).code == 0


def test_the_report_names_what_was_found(splitjoin: Command, tmp_path: Path) -> None:
    """Every line of it, the command last."""
    path = tmp_path / "Account Export.csv"
    path.write_bytes(EXPORT)
    ran = splitjoin("inspect", str(path), "-q")
    lines = dict(line.split(None, 1) for line in ran.stdout.splitlines()[:-1])
    assert (ran.code, ran.stderr) == (0, "")
    assert lines["delimiter"] == ";"
    assert lines["columns"] == "Nr, Name, Ort, Betrag, Notiz"
    assert "after it    1 line: (40 rows affected)" in ran.stdout
    assert ran.stdout.splitlines()[-1] == (
        f"splitjoin split '{path}' DEST --delimiter ';' --encoding cp1252 --skip-lines 2 --skip-trailer 1 "
        "--client Account_Export"
    )


def test_the_progress_says_what_is_read(splitjoin: Command, tmp_path: Path) -> None:
    """The parts that are looked at, and with ``--full`` all of it once more."""
    path = tmp_path / "export.csv"
    path.write_bytes(b"id,text\n" + (b"7," + b"x" * 4000 + b"\n") * 5000)
    ran = splitjoin("inspect", str(path), "--full")
    assert [line for line in ran.stderr.splitlines() if " done: " not in line and "," not in line] == [
        "inspecting 8.0 MiB",
        "counting 19.1 MiB",
    ]
    assert "inspecting done: 8.0 MiB in" in ran.stderr
    assert "counting done: 19.1 MiB in" in ran.stderr
