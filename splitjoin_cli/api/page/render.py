"""From what is known of a job to its page: a template with autoescape, and texts for people."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jinja2

from splitjoin_cli import __version__
from splitjoin_cli.api.page.drawing import Bar, Track, bars_of, lanes_of, rates_of, spread_of, track_of
from splitjoin_cli.api.page.facts import seconds_of
from splitjoin_cli.core.ranges import ranges_text
from splitjoin_cli.core.shown import visible
from splitjoin_cli.core.words import count_text, duration_text
from splitjoin_cli.join.operate.join_words import join_text
from splitjoin_cli.stores.trackers.jobs import JoinState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.api.page.facts import PageFacts
    from splitjoin_cli.join.operate.status import JobStatus

__all__ = ["page"]

FAILURES_SHOWN = 200
LOADS_SHOWN = 40
FIRST_RANGES, RANGES_SHOWN = 8, 500
MANY_LOADS = 20


@dataclass(frozen=True, slots=True)
class Happening:
    """A row of the time-line. ``kind``: its colour. ``text``: how many, and when. ``unknown``: why nothing is drawn."""

    label: str
    kind: str
    text: str
    bars: tuple[Bar, ...] = ()
    unknown: str | None = None


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Chunks by their numbers: the first of them, and all that are listed where those are more."""

    short: str
    long: str | None = None

    @classmethod
    def of(cls, numbers: Sequence[int] | None) -> _Numbers:
        """``None``: it is not known which."""
        if numbers is None:
            return cls("unknown")
        short = ranges_text(numbers, most=FIRST_RANGES)
        if not short.endswith("more ranges"):
            return cls(short or "none")
        return cls(f"{count_text(len(numbers), 'chunk')}: {short}", _ranges(numbers))


def page(facts: PageFacts) -> str:
    """The page, whole."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("splitjoin_cli.api.page", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters.update(count=count_text, duration=_took, moment=_moment, number=_number)
    return environment.get_template("page.html.jinja").render(_context(facts)).lstrip()


def _context(facts: PageFacts) -> dict[str, Any]:
    status, track, durations = facts.status, track_of(facts), facts.durations
    progress = status.progress
    rates = None if track is None else rates_of(facts, track)
    longest = seconds_of(durations[0]) if durations else 0.0
    return {
        "version": __version__,
        "facts": facts,
        "status": status,
        "progress": progress,
        "percent": 100 * progress.processed_parts // progress.total_parts,
        "join": join_text(progress.join, status.at, _moment),
        "track": track,
        "happenings": [] if track is None else _happenings(facts, track),
        "lanes": [] if track is None else lanes_of(facts, track),
        "rates": rates,
        "mean_rate": _mean_rate(facts),
        "spread": spread_of(durations),
        "durations": [
            (one, seconds_of(one), seconds_of(one) / longest if longest else 0.0) for one in durations[:LOADS_SHOWN]
        ],
        "durations_left": max(0, len(durations) - LOADS_SHOWN),
        "failures": progress.failures[:FAILURES_SHOWN],
        "failures_left": _ranges([failure.number for failure in progress.failures[FAILURES_SHOWN:]]),
        "numbers": {
            "Missing": _Numbers.of(progress.missing),
            **({} if status.never_uploaded is None else {"Never uploaded": _Numbers.of(status.never_uploaded)}),
        },
        "many": len(durations) >= MANY_LOADS,
    }


def _happenings(facts: PageFacts, track: Track) -> list[Happening]:
    uploads = None if facts.uploads is None else list(facts.uploads.values())
    ledger, listing = "give --into, whose ledger has it", "give --dest, whose listing has it"
    began = loaded = None
    if facts.loads is not None:
        began = [one.began_at for one in facts.loads if one.began_at is not None]
        loaded = [one.loaded_at for one in facts.loads if one.loaded_at is not None]
    if facts.loads and not began:
        began, ledger = None, "this ledger, of an earlier release, does not note it"
    return [
        _seen("uploaded", "stored", track, uploads, listing),
        _seen("delivered", "delivered", track, began, ledger),
        _seen("loaded", "loaded", track, loaded, ledger),
        _counted(facts.status, track),
        _failed(facts.status, track),
        _joining(facts.status, track),
    ]


def _seen(label: str, kind: str, track: Track, moments: Sequence[float] | None, unknown: str) -> Happening:
    if moments is None:
        return Happening(label, kind, "unknown", unknown=unknown)
    span = f", {_span(min(moments), max(moments))}" if moments else ""
    return Happening(label, kind, f"{count_text(len(moments), 'chunk')}{span}", bars_of(track, moments, "chunks"))


def _counted(status: JobStatus, track: Track) -> Happening:
    """The tracker keeps how many, and when the last one was: what lies between is not known."""
    progress = status.progress
    count = f"{progress.processed_parts:,} of {count_text(progress.total_parts, 'chunk')}"
    if progress.counted_at is None:
        nothing = "" if progress.processed_parts == 0 else ", when is unknown"
        return Happening("counted", "counted", f"{count}{nothing}", unknown=nothing[2:] or None)
    mark = Bar(min(track.place(progress.counted_at), 996.0), 4.0)
    return Happening(
        "counted",
        "counted",
        f"{count}, the last {_moment(progress.counted_at)}; of the others no time is kept",
        (mark,),
    )


def _failed(status: JobStatus, track: Track) -> Happening:
    failures = status.progress.failures
    retried = sum(failure.retried for failure in failures)
    again = f"; {retried:,} sent again since" if retried else ""
    text = (
        f"{count_text(len(failures), 'chunk')} failed, and {'is' if len(failures) == 1 else 'are'} not counted{again}"
    )
    if not failures:
        text = "none; of a counted chunk no failure is kept"
    return Happening("failed", "failed", text, bars_of(track, [one.at for one in failures], "failures"))


def _joining(status: JobStatus, track: Track) -> Happening:
    join = status.progress.join
    text = join_text(join, status.at, _moment)
    if join.joined_at is None:
        return Happening("join", "join", text)
    end = join.finished_at or (status.at if join.state == JoinState.CLAIMED else join.changed_at) or join.joined_at
    x = min(track.place(join.joined_at), 996.0)
    return Happening("join", "join", text, (Bar(x, max(4.0, round(track.place(end) - x, 1))),))


def _mean_rate(facts: PageFacts) -> float | None:
    """Rows a second over all loads; None where their times are not known."""
    durations = facts.durations
    if not durations:
        return None
    begin = min(one.began_at or 0.0 for one in durations)
    end = max(one.loaded_at or 0.0 for one in durations)
    return sum(one.rows for one in durations) / max(end - begin, 0.001)


def _ranges(numbers: Sequence[int]) -> str:
    return ranges_text(numbers, most=RANGES_SHOWN)


def _moment(at: float | None) -> str:
    """``2024-01-31 10:00:00 UTC``."""
    return "unknown" if at is None else f"{dt.datetime.fromtimestamp(at, tz=dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def _took(seconds: float) -> str:
    """``12 ms``, ``0.4 s``, ``1:02 min``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.1 else duration_text(seconds)  # noqa: PLR2004 -- below, tenths say 0


def _span(first: float, last: float) -> str:
    return f"within {_took(last - first)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"  # noqa: PLR2004 -- tenths of hundreds say nothing


def _visible(value: object) -> object:
    """What is others' text, with its control characters shown; the template's own is left as it is."""
    return visible(value) if type(value) is str else value
