"""The report page: what is known is drawn, what is not known is drawn as unknown, and nothing of others' is markup."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.api.page.drawing import WIDTH, Track, lanes_of, rates_of, spread_of, track_of
from splitjoin_cli.api.page.facts import PageFacts
from splitjoin_cli.api.page.file import write_page
from splitjoin_cli.api.page.render import page
from splitjoin_cli.core.errors import NotFoundError, UsageError
from splitjoin_cli.join.operate.advice import advise
from splitjoin_cli.join.operate.status import job_status
from splitjoin_cli.stores.loaders.base import LoadTime
from splitjoin_cli.stores.trackers.jobs import Failure, JobProgress, Join, JoinState

if TYPE_CHECKING:
    from collections.abc import Sequence

START = 1_700_000_000.0
MARKUP = "<img src=x onerror=alert(1)>&amp;\"'"
MOST_BYTES = 2_000_000


def facts(
    total: int = 3,
    *,
    failing: Sequence[int] = (),
    stored: bool = True,
    loads: bool = True,
    began: bool = True,
    error: str = "record 7 has 3 fields",
    **changes: Any,  # noqa: ANN401 -- any of JobProgress's
) -> PageFacts:
    """A job whose chunks were uploaded a second after each other, and loaded in two seconds each, ten seconds later."""
    failures = tuple(Failure(number, error, 3, START + 30, final=True) for number in failing)
    progress = JobProgress(
        file_name="acme_20240131", run_id="r1", generation=1, total_parts=total,
        processed_parts=total - len(failing), unnumbered=0, complete=not failing, missing=tuple(failing),
        failures=failures, duplicates=1, rows=10 * (total - len(failing)), rows_expected=10 * total,
        destination="s3://bucket/in/", created_at=START, counted_at=START + 20, updated_at=START + 20, join=Join(),
    )  # fmt: skip
    status = job_status(replace(progress, **changes), now=START + 40, stuck_seconds=900)
    status = replace(status, advice=advise(status, "dynamodb:jobs"))
    times = [
        LoadTime(number, 10, START + 10 + number if began else None, START + 12 + number)
        for number in range(1, total + 1)
        if number not in failing
    ]
    uploads = {number: START + number for number in range(1, total + 1)}
    return PageFacts(status, uploads if stored else None, times if loads else None, "sqlite:load.db" if loads else None)


class Elements(HTMLParser):
    """The elements of a page, each with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


ASKS = {"src", "href", "xlink:href", "srcset", "action", "data", "poster", "background", "ping", "formaction"}
RUNS = {"script", "link", "iframe", "object", "embed", "img", "image", "video", "audio", "base", "form", "use"}


@pytest.mark.parametrize("name", [f"acme{MARKUP}_1", "</title><script>alert(1)</script>_1", "{{ 7 * 7 }}_1"])
def test_nothing_of_others_is_markup_or_asks_for_anything(name: str) -> None:
    """Names, errors and places are text: no element of theirs, no attribute that fetches or runs anything."""
    join = Join(JoinState.FAILED, owner=MARKUP, attempts=5, error=MARKUP)
    shown = page(facts(failing=[2], error=MARKUP, file_name=name, destination=MARKUP, run_id=MARKUP, join=join))
    assert shown.startswith("<!doctype html>\n")
    elements = Elements(shown).found
    assert not RUNS & {tag for tag, _ in elements}
    assert not ASKS & {attribute for _, attributes in elements for attribute in attributes}
    assert not [attribute for _, attributes in elements for attribute in attributes if attribute.startswith("on")]
    assert "url(" not in shown
    assert "@import" not in shown
    assert "49_1" not in shown
    policy = [attributes["content"] for tag, attributes in elements if attributes.get("http-equiv")]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_control_characters_are_shown() -> None:
    """As on a terminal: none hides or turns what stands beside it."""
    shown = page(facts(failing=[2], error="a \x1b[31mred \u202ebad\u2028 row"))
    assert r"a \x1b[31mred \u202ebad\u2028 row" in shown


def row(shown: str, label: str) -> str:
    """The time-line's row of one kind of happening."""
    found = re.search(rf'<div class="label">{label}</div>(.*?)<div class="row">', shown, re.DOTALL)
    assert found is not None
    return found[1]


def test_all_that_is_known_is_drawn() -> None:
    """Each happening has its bars, and how many, when; nothing is unknown."""
    join = Join(JoinState.JOINED, owner="w", attempts=1, joined_at=START + 21, finished_at=START + 22)
    shown = page(facts(join=join))
    assert 'class="unknown"' not in shown
    assert "3 chunks, within 2.0 s" in row(shown, "uploaded")
    assert row(shown, "delivered").count("<rect") == row(shown, "loaded").count("<rect") == 3
    assert "3 of 3 chunks, the last 2023-11-14 22:13:40 UTC" in row(shown, "counted")
    assert "none; of a counted chunk no failure is kept" in row(shown, "failed")
    assert "done, first claimed 2023-11-14 22:13:41 UTC, finished 2023-11-14 22:13:42 UTC" in shown
    assert "3 loads: half of them within 2.0 s, the longest 2.0 s." in shown
    assert ">joined</span>" in shown


UNKNOWN: dict[str, tuple[dict[str, Any], str, str]] = {
    "no listing": ({"stored": False}, "uploaded", "give --dest, whose listing has it"),
    "no ledger": ({"loads": False}, "loaded", "give --into, whose ledger has it"),
    "no ledger, delivered": ({"loads": False}, "delivered", "give --into, whose ledger has it"),
    "an old ledger": ({"began": False}, "delivered", "this ledger, of an earlier release, does not note it"),
    "the published counter": ({"counted_at": None}, "counted", "when is unknown"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_is_not_known_is_drawn_as_unknown(case: str) -> None:
    """With the reason, and without a bar that would say that nothing happened."""
    given, label, reason = UNKNOWN[case]
    drawn = row(page(facts(**given)), label)
    assert 'class="unknown"' in drawn
    assert reason in drawn
    assert "<svg" not in drawn


def test_durations_of_an_old_ledger_are_unknown() -> None:
    """Said where they would be."""
    assert "this ledger, of an earlier release, does not note when they began" in page(facts(began=False))


def test_failures_and_remedies() -> None:
    """Each failing chunk with its error, and what is to be typed, in the words of ``status``."""
    given = facts(failing=[2, 3])
    shown = page(given)
    assert "2 failures, each the last one of a chunk that is not counted." in shown
    assert shown.count("record 7 has 3 fields") >= 3
    for step in given.status.advice.steps:
        assert step.text.replace("'", "&#39;") in shown
    assert "1 failure, each" in page(facts(failing=[2]))


def test_a_hundred_thousand_chunks_are_two_megabytes_at_most() -> None:
    """All of them failed with the longest error, and of as many every tenth failed: ranges of chunks have a lane."""
    worst = page(facts(100_000, failing=range(1, 100_001), error="<" * 500))
    assert len(worst.encode()) < MOST_BYTES
    many = facts(100_000, failing=range(1, 100_001, 10), error="'" * 500)
    shown = page(many)
    assert len(shown.encode()) < MOST_BYTES
    assert '<div class="label">97,501–100,000 <span class="faint">(250 missing)</span></div>' in shown
    assert "10,000 failures" in shown
    assert "90,000 loads: half of them within 2.0 s, nineteen of twenty within 2.0 s, the longest 2.0 s." in shown


def test_places_on_the_track() -> None:
    """From the first moment at the left to the last at the right; a job that goes on lasts until the look."""
    given = facts(failing=[3])
    track = track_of(given)
    assert track == Track(START, START + 40)
    assert [track.place(START + at) for at in (0, 20, 40, 60)] == [0.0, WIDTH / 2, WIDTH, WIDTH]
    first, second, third = lanes_of(given, track)
    (bar,) = first.loaded
    assert (bar.x, bar.width) == (275.0, 50.0)
    assert (second.missing, third.missing, third.failed, third.loaded) == (0, 1, (750.0,), ())


def test_rows_are_spread_over_their_load() -> None:
    """The sum of all bins is what was loaded."""
    given = facts(300)
    track = track_of(given)
    assert track is not None
    bars, most = rates_of(given, track) or ((), 0.0)
    rows = sum(bar.share for bar in bars) * most * track.bin_seconds
    assert rows == pytest.approx(3000, rel=0.01)


def test_spread_of_durations() -> None:
    """The middle, nineteen of twenty, the longest; every load is in a bin."""
    loads = [LoadTime(number, 1, START, START + number) for number in range(100, 0, -1)]
    spread = spread_of(loads)
    assert spread is not None
    assert (spread.median, spread.most, spread.longest) == (50.0, 95.0, 100.0)
    assert [bar.share for bar in spread.bars] == [0.6, *[0.8] * 23, 1.0]
    assert spread_of([]) is None


JOINS = {
    "not begun": Join(),
    "given back, 2 tries": Join(attempts=2),
    "held by w, whose lease ends 2023-11-14 22:14:20 UTC, 1 try": Join(
        JoinState.CLAIMED, owner="w", lease_until=START + 60, attempts=1
    ),
    "the lease of w ended 2023-11-14 22:13:40 UTC, 1 try": Join(
        JoinState.CLAIMED, owner="w", lease_until=START + 20, attempts=1
    ),
    "failed, the next try may begin 2023-11-14 22:14:20 UTC, 2 tries": Join(
        JoinState.WAITING, lease_until=START + 60, attempts=2
    ),
    "failed, the next try may begin now, 2 tries": Join(JoinState.WAITING, lease_until=START + 20, attempts=2),
    "failed permanently, 5 tries": Join(JoinState.FAILED, attempts=5),
    "held by splitjoin clear; if it was killed, type it again": Join(JoinState.CLEARING, changed_at=START + 30),
}


@pytest.mark.parametrize("text", JOINS)
def test_every_state_of_the_join_has_its_words(text: str) -> None:
    """On the time-line and in its own section."""
    assert page(facts(join=JOINS[text])).count(text) >= 2


def test_a_job_without_any_time() -> None:
    """Only the published counter wrote it: a page all the same."""
    given = facts(stored=False, loads=False, created_at=None, counted_at=None, updated_at=None, run_id=None)
    assert "No time is known of this job." in page(given)


def test_a_file_that_is_no_page_is_never_lost(tmp_path: Path) -> None:
    """An earlier page is replaced, whole; another file stays, and no other file is left."""
    path = tmp_path / "report.html"
    write_page(path, facts())
    write_page(path, facts(failing=[2]))
    assert ">failed</span>" in path.read_text()
    (tmp_path / "export.csv").write_text("id\n1\n")
    with pytest.raises(UsageError, match=r"export\.csv is there, and is not an HTML page"):
        write_page(tmp_path / "export.csv", facts())
    with pytest.raises(UsageError, match="is a directory"):
        write_page(tmp_path, facts())
    with pytest.raises(NotFoundError, match="no such directory"):
        write_page(tmp_path / "missing" / "report.html", facts())
    assert sorted(one.name for one in tmp_path.iterdir()) == ["export.csv", "report.html"]
    assert path.stat().st_mode & 0o444 == 0o444


def test_the_template_is_in_the_package() -> None:
    """An installed splitjoin has it."""
    import splitjoin_cli.api.page as package  # noqa: PLC0415 -- its folder is what is asked for

    assert Path(package.__path__[0], "page.html.jinja").exists()
