"""The law of exact values: what is refused would have been changed, and what is loaded is what the file says."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from splitjoin_cli.core.errors import BadRowError
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.testing.chunks import chunk_of
from splitjoin_cli.testing.loading import TABLE
from tests.laws import examples
from tests.stores.loaders import rigs

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from splitjoin_cli.testing.loading import LoaderRig

rig = rigs.rig
NUMBERS = itertools.count(1)
"""Of chunks: no two are the same."""
TYPES = {
    "SqliteLoader": ("INTEGER", "REAL", "NUMERIC"),
    "DuckdbLoader": ("INTEGER", "DOUBLE", "DECIMAL(10,2)", "DATE", "TIMESTAMP"),
    "MysqlLoader": ("INTEGER", "DOUBLE", "DECIMAL(10,2)", "DATE", "DATETIME", "DATETIME(3)"),
    "PostgresqlLoader": ("NUMERIC(10,2)", "DOUBLE PRECISION", "DATE", "TIMESTAMP", "TIMESTAMP(3)", "TIMESTAMPTZ"),
}


@dataclass(frozen=True, slots=True)
class Said:
    """A text, and what it says: a number, or a day, seconds of it and an offset in hours; nothing is NULL."""

    text: str
    number: Fraction | None = None
    day: dt.date | None = None
    seconds: Fraction = Fraction(0)
    offset: int | None = None

    def is_kept_by(self, kept: Any) -> bool:  # noqa: ANN401 -- what a driver reads back
        """Whether a value is what the text says, by Python's own types."""
        if self.number is not None:
            return kept is not None and Fraction(Decimal(str(kept))) == self.number
        if self.day is None:
            return kept is None
        if not isinstance(kept, dt.datetime):
            return kept == self.day and not self.seconds and self.offset is None
        at = kept.replace(tzinfo=None)
        if self.offset is None:
            return _since(at) == _since(self.day) + self.seconds
        utc = kept.astimezone(dt.UTC).replace(tzinfo=None)
        return kept.tzinfo is not None and _since(utc) == _since(self.day) + self.seconds - self.offset * 3600


def _since(moment: dt.date | dt.datetime) -> Fraction:
    seconds = Fraction(moment.toordinal() * 86400)
    if isinstance(moment, dt.datetime):
        seconds += moment.hour * 3600 + moment.minute * 60 + moment.second + Fraction(moment.microsecond, 10**6)
    return seconds


@st.composite
def numbers(draw: DrawFn) -> Said:
    """A number, plain or with an exponent, with zeros that say nothing."""
    digits = draw(st.integers(0, 10 ** draw(st.sampled_from([1, 3, 8, 18]))))
    scale = draw(st.integers(0, 4))
    sign = draw(st.sampled_from(["", "-"]))
    number = (-1 if sign else 1) * Fraction(digits, 10**scale)
    if draw(st.booleans()):
        return Said(f"{sign}{digits}e-{scale}", number)
    zeros, whole = draw(st.sampled_from(["", "0", "00"])), str(digits).zfill(scale + 1)
    point = f".{whole[len(whole) - scale :]}{zeros}" if scale else ""
    return Said(f"{sign}{zeros}{whole[: len(whole) - scale]}{point}", number)


@st.composite
def moments(draw: DrawFn) -> Said:
    """A day, with or without a time of day, its fraction and an offset."""
    day = draw(st.dates(dt.date(2000, 1, 1), dt.date(2030, 12, 31)))
    spelled = draw(st.sampled_from(["%Y-%m-%d", "%Y%m%d"]))
    if draw(st.booleans()):
        return Said(day.strftime(spelled), day=day)
    clock = draw(st.sampled_from([0, 0, 36900, 86399]))
    fraction = draw(st.sampled_from(["", "", ".0", ".5", ".123", ".123456", ".1234567"]))
    offset = draw(st.sampled_from([None, None, 0, 2]))
    text = f"{day} {clock // 3600:02}:{clock // 60 % 60:02}:{clock % 60:02}{fraction}"
    zone = "" if offset is None else f"+{offset:02}:00"
    return Said(text + zone, None, day, clock + Fraction(fraction or "0"), offset)


@st.composite
def tables(draw: DrawFn, kinds: tuple[str, ...]) -> tuple[list[str], list[list[Said]]]:
    """Some columns, and some rows of them."""
    columns = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3))
    drawn = [moments() if "DATE" in kind or "TIME" in kind else numbers() for kind in columns]
    return columns, draw(
        st.lists(st.tuples(*(st.just(Said("")) | one for one in drawn)).map(list), min_size=1, max_size=4)
    )


def loaded(rig: LoaderRig, columns: list[str], rows: list[list[Said]], *, exact: bool) -> list[tuple[Any, ...]] | None:
    """What is in the table; None where the rows are refused."""
    names = [f"c{place}" for place in range(len(columns))]
    made = ", ".join(f"{name} {kind}" for name, kind in zip(names, columns, strict=True))
    rig.query(f"CREATE TABLE {TABLE} (id INTEGER, {made})")
    data = "".join(f"{place},{','.join(said.text for said in row)}\n" for place, row in enumerate(rows))
    header = f"id,{','.join(names)}\n".encode()
    try:
        with contextlib.closing(cast("rigs.Rig", rig).made(LoadTarget(TABLE, exact_values=exact))) as loader:
            loader.load(chunk_of(data.encode(), header=header, number=next(NUMBERS)))
        return rig.query(f"SELECT {', '.join(names)} FROM {TABLE} ORDER BY id")
    except BadRowError:
        return None
    finally:
        rig.query(f"DROP TABLE {TABLE}")


@settings(examples(5), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_exact_values(rig: LoaderRig, data: st.DataObject) -> None:
    """Refused is what the plain load refuses, or changes; the rest is loaded as the plain load does it."""
    kinds = TYPES[type(cast("rigs.Rig", rig).made(LoadTarget(TABLE))).__name__]
    columns, rows = data.draw(tables(kinds))
    plain = loaded(rig, columns, rows, exact=False)
    exact = loaded(rig, columns, rows, exact=True)
    kept = plain is not None and all(
        said.is_kept_by(value)
        for row, values in zip(rows, plain, strict=True)
        for said, value in zip(row, values, strict=True)
    )
    assert exact == (plain if kept else None)
