"""``splitjoin status FILE_NAME --html FILE``: opened in a browser, from disk, by all who may open it."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.api.page.file import write_page
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker
from tests.api.page.test_page import MARKUP, MOST_BYTES, facts

if TYPE_CHECKING:
    from tests.e2e.command import Splitjoin
    from tests.servers.chromium import Browser

LOOK = ("status", "acme_20240131", "--tracker", "sqlite:jobs.db")
ROWS = 160
DARKEST, LIGHTEST = 60, 200
"""Of a background."""


def pixels(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and the first ROWS rows of an RGB or RGBA picture of 8 bits, as Chromium writes it."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert (depth, kind in {2, 6}) == (8, True)
    at, packed = 8, b""
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        if png[at + 4 : at + 8] == b"IDAT":
            packed += png[at + 8 : at + 8 + size]
        at += size + 12
    step = 3 if kind == 2 else 4
    raw, stride = zlib.decompress(packed), width * step
    rows, before = [], bytes(stride)
    for number in range(min(height, ROWS)):
        start = number * (stride + 1)
        before = unfiltered(raw[start], raw[start + 1 : start + 1 + stride], before, step)
        rows.append(before)
    return width, height, rows


def unfiltered(kind: int, line: bytes, above: bytes, step: int) -> bytes:
    """A row as it was before PNG's filter (RFC 2083, 6)."""
    out = bytearray(line)
    for index in range(len(out) if kind else 0):
        left, up = out[index - step] if index >= step else 0, above[index]
        corner = above[index - step] if index >= step else 0
        guess = left + up - corner
        nearest = min((left, up, corner), key=lambda value: abs(guess - value))
        out[index] = (out[index] + (0, left, up, (left + up) // 2, nearest)[kind]) & 255
    return bytes(out)


@pytest.fixture
def joined(splitjoin: Splitjoin) -> Splitjoin:
    """A job of three chunks that is joined."""
    (splitjoin.directory / "acme.csv").write_text("id,name\n" + "1,a\n" * 9)
    splitjoin.ok("split", "acme.csv", "chunks", "--date", "20240131", "--rows", "3", "--tracker", "sqlite:jobs.db")
    splitjoin.ok("simulate", "chunks", "--into", "sqlite:load.db", "--tracker", "sqlite:jobs.db")
    return splitjoin


def test_the_page_of_a_joined_job(joined: Splitjoin, browser: Browser) -> None:
    """It opens from disk, asks no host for anything, and its console is empty; what the report says is in it."""
    ran = joined.ok(*LOOK, "--dest", "chunks", "--into", "sqlite:load.db", "--html", "report.html", "--json")
    assert (ran.document["state"], ran.document["reconcile"]) == ("joined", None)
    assert ran.stderr == "the page: report.html\n"
    seen = browser.visit(joined.directory / "report.html")
    assert (seen.console, seen.hosts) == ((), frozenset())
    assert "3 of 3 chunks (100 %)" in seen.dom
    assert 'class="unknown"' not in seen.dom
    assert "3 loads: half of them within" in seen.dom


def test_the_browser_would_say_what_is_wrong(joined: Splitjoin, browser: Browser) -> None:
    """A page with an error and a picture from elsewhere is noticed by the test above."""
    page = joined.directory / "bad.html"
    page.write_text("<!doctype html><script>console.error('bad')</script><img src='http://pictures.example/x.png'>")
    seen = browser.visit(page)
    assert len(seen.console) >= 1
    assert "pictures.example" in seen.hosts


def test_a_page_without_anything_beside_the_tracker(joined: Splitjoin, browser: Browser) -> None:
    """What is not known is drawn as unknown, and the page says what shows it."""
    joined.ok(*LOOK, "--html", "report.html")
    dom = browser.visit(joined.directory / "report.html").dom
    assert dom.count('class="unknown"') >= 4
    assert "give --dest, whose listing has it" in dom
    assert "give --into, whose ledger has it" in dom


def test_names_with_markup_are_text(splitjoin: Splitjoin, browser: Browser) -> None:
    """In the browser too: nothing of theirs became an element, or ran."""
    page = splitjoin.directory / "report.html"
    write_page(page, facts(failing=[2], error=MARKUP, file_name=f"{MARKUP}_1", destination=MARKUP))
    seen = browser.visit(page)
    assert (seen.console, "<img" in seen.dom) == ((), False)
    assert "&lt;img src=x onerror=alert(1)&gt;" in seen.dom


@pytest.mark.parametrize(
    ("total", "width", "dark"),
    [
        (100_000, 400, False),
        (3, 1280, False),
        (100_000, 1280, True),
        pytest.param(3, 400, False, marks=pytest.mark.soak),
        pytest.param(100_000, 1280, False, marks=pytest.mark.soak),
        pytest.param(3, 1280, True, marks=pytest.mark.soak),
    ],
)
def test_pictures(splitjoin: Splitjoin, browser: Browser, total: int, width: int, *, dark: bool) -> None:
    """Something is drawn at each width, on a dark or a light ground, and nothing reaches beyond the right edge."""
    page = splitjoin.directory / "report.html"
    write_page(page, facts(total, failing=range(2, total, 1000)))
    assert page.stat().st_size < MOST_BYTES
    png = browser.shoot(page, splitjoin.directory / "page.png", width=width, height=900, dark=dark)
    seen, height, rows = pixels(png)
    assert (seen, height) == (width, 900)
    ground = rows[2][:3]
    assert max(ground) < DARKEST if dark else min(ground) > LIGHTEST
    assert all(row[-3:][:3] == rows[2][-3:][:3] for row in rows)
    assert sum(row != rows[2] for row in rows) > 60


def test_paper(joined: Splitjoin, browser: Browser) -> None:
    """It can be printed."""
    joined.ok(*LOOK, "--html", "report.html")
    paper = browser.print(joined.directory / "report.html", joined.directory / "report.pdf")
    assert paper.startswith(b"%PDF")


def test_usage(splitjoin: Splitjoin) -> None:
    """A page is of one job, and lies in no other file's place; a variable is heeded where it can be."""
    (splitjoin.directory / "export.csv").write_text("id\n1\n")
    SqliteTracker(splitjoin.directory / "jobs.db").open_job(JobSpec(Run("acme_20240131", "r1"), 3))
    without = splitjoin("status", "--tracker", "sqlite:jobs.db", "--html", "report.html", "--json")
    assert (without.code, without.error["message"]) == (2, "--html is for one job")
    other = splitjoin(*LOOK, "--html", "export.csv", "--json")
    assert (other.code, other.error["message"]) == (2, "export.csv is there, and is not an HTML page")
    assert (splitjoin.directory / "export.csv").read_text() == "id\n1\n"
    assert (
        splitjoin(*LOOK, "--html", "-", "--json").error["message"] == "--html writes a file, and - is standard output"
    )
    missing = splitjoin(*LOOK, "--html", "reports/report.html", "--json")
    assert (missing.code, missing.error["message"]) == (1, f"no such directory: {splitjoin.directory}/reports")
    within = splitjoin.within(SPLITJOIN_HTML="report.html")
    within.ok("status", "--tracker", "sqlite:jobs.db")
    assert not (splitjoin.directory / "report.html").exists()
    within.ok(*LOOK)
    assert (splitjoin.directory / "report.html").read_text().startswith("<!doctype html>")
