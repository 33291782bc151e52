"""The law of exact values: what is refused would have been changed, and what is loaded is what the file says."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import struct
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from splitjoin_cli.core.errors import BadRowError
from splitjoin_cli.join.operate.values import compare_values
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.testing.chunks import JOB, RUN, chunk_of
from splitjoin_cli.testing.loading import TABLE
from tests.laws import examples
from tests.stores.loaders import rigs
from tests.stores.loaders.test_read_back import Loaded, engine

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from splitjoin_cli.stores.loaders.base import ChunkToLoad
    from splitjoin_cli.testing.loading import LoaderRig

rig = rigs.rig
NUMBERS = itertools.count(1)
"""Of chunks: no two are the same."""
TYPES = {
    "SqliteLoader": ("INTEGER", "REAL", "NUMERIC", "TEXT", "BLOB"),
    "DuckdbLoader": (  # its driver needs pytz to read a TIMESTAMPTZ
        *("INTEGER", "DOUBLE", "FLOAT", "DECIMAL(10,2)", "DATE", "TIMESTAMP", "TIME", "VARCHAR", "BOOLEAN"),
        *("UUID", "HUGEINT", "INTEGER[]", "ENUM('a', 'B')"),
    ),
    "MysqlLoader": (
        *("INTEGER", "DOUBLE", "FLOAT", "DECIMAL(10,2)", "DATE", "DATETIME", "DATETIME(3)", "TIME(3)", "VARCHAR(3)"),
        *("CHAR(3)", "UUID", "ENUM('a', 'B')"),
    ),
    "PostgresqlLoader": (
        *("NUMERIC(10,2)", "DOUBLE PRECISION", "REAL", "DATE", "TIMESTAMP", "TIMESTAMP(3)", "TIMESTAMPTZ", "TIME"),
        *("TIME(3)", "VARCHAR(3)", "CHAR(3)", "BOOLEAN", "UUID", "INTEGER[]", "JSONB", "BYTEA"),
    ),
}


@dataclass(frozen=True, slots=True)
class Said:
    """A text, and what it says: a number, or a day, seconds of it and an offset in hours; nothing is NULL.

    ``clock``: the seconds of a time of day without a day. ``value``: of another type; "blanks" fill it up.
    """

    text: str
    number: Fraction | None = None
    day: dt.date | None = None
    seconds: Fraction = Fraction(0)
    offset: int | None = None
    clock: Fraction | None = None
    value: Any = None
    blanks: int = 0

    def is_kept_by(self, kept: Any) -> bool:  # noqa: ANN401, PLR0911 -- what a driver reads back, type by type
        """Whether a value is what the text says, by Python's own types."""
        if self.value is not None:
            filled = self.value.ljust(self.blanks) if self.blanks else self.value
            return type(self.value)(kept) in (self.value, filled)
        if self.clock is not None:
            return self.offset is None and kept is not None and _clock(kept) == self.clock
        if self.number is not None and isinstance(kept, float):
            return any(Fraction(Decimal(f"{kept:.{digits}g}")) == self.number for digits in self._digits(kept))
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

    def _digits(self, kept: float) -> tuple[int, ...]:
        """How many digits the shortest decimal of a float may have; of a 32-bit one that a driver widened, too."""
        single = struct.unpack("f", struct.pack("f", kept))[0] == kept if abs(kept) < LARGEST_SINGLE else False
        shortest = next(digits for digits in range(1, 18) if float(f"{kept:.{digits}g}") == kept)
        if not single:
            return (shortest,)
        also = next(digits for digits in range(1, 10) if _single(f"{kept:.{digits}g}") == kept)
        return (shortest, also)


LARGEST_SINGLE = 3.4e38


def _single(text: str) -> float:
    found: float = struct.unpack("f", struct.pack("f", float(text)))[0]
    return found


def _clock(kept: dt.time | dt.timedelta) -> Fraction:
    if isinstance(kept, dt.timedelta):
        return Fraction(kept // dt.timedelta(microseconds=1), 10**6)
    return kept.hour * 3600 + kept.minute * 60 + kept.second + Fraction(kept.microsecond, 10**6)


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
def clocks(draw: DrawFn) -> Said:
    """A time of day, with or without seconds, a fraction and an offset."""
    clock = draw(st.sampled_from([0, 36900, 86399]))
    fraction = draw(st.sampled_from(["", "", ".0", ".5", ".123", ".123456", ".1234567"]))
    offset = draw(st.sampled_from([None, None, None, 2]))
    text = f"{clock // 3600:02}:{clock // 60 % 60:02}:{clock % 60:02}{fraction}"
    return Said(
        text + ("" if offset is None else f"+{offset:02}"), clock=clock + Fraction(fraction or "0"), offset=offset
    )


@st.composite
def documents(draw: DrawFn) -> Said:
    """A JSON object, its keys in any order, spaces between; or one with a key twice, which is no value."""
    value = draw(
        st.dictionaries(
            st.sampled_from("abc"), st.integers(-9, 9) | st.booleans() | st.text("xy", max_size=2), min_size=1
        )
    )
    text = json.dumps(
        dict(draw(st.permutations(list(value.items())))), separators=draw(st.sampled_from([(",", ":"), (", ", " : ")]))
    )
    return Said('"' + text.replace('"', '""') + '"', value=value)


TRUTHS = {"t": 1, "true": 1, "TRUE": 1, "1": 1, "f": 0, "False": 0, "0": 0, "2": 2, "maybe": 3}
WORDS = st.text("ab é🎌", min_size=1, max_size=5)


def others(kind: str) -> st.SearchStrategy[Said]:
    """Texts of types that are neither numbers nor moments."""
    if kind == "BOOLEAN":
        return st.sampled_from(sorted(TRUTHS)).map(lambda text: Said(text, value=TRUTHS[text]))
    if kind == "UUID":
        spelled = st.tuples(st.uuids().map(str), st.booleans(), st.sampled_from(["-", ""]))
        return spelled.map(
            lambda found: Said((found[0].upper() if found[1] else found[0]).replace("-", found[2]), value=found[0])
        )
    if kind.startswith("ENUM"):
        return st.sampled_from(["a", "B", "1", "2", "c"]).map(lambda text: Said(text, value=text))
    if kind == "BYTEA":
        return st.binary(min_size=1, max_size=4).map(lambda data: Said(f"\\x{data.hex()}", value=data))
    if kind == "INTEGER[]":
        return st.lists(st.integers(-9, 9), min_size=1, max_size=3).map(
            lambda found: Said(f'"[{",".join(map(str, found))}]"', value=found)
        )
    return WORDS.map(
        lambda text: Said(f'"{text}"', value=text, blanks=3 if kind == "CHAR(3)" and len(text) <= 3 else 0)
    )


def drawn(kind: str) -> st.SearchStrategy[Said]:
    """Texts of a type."""
    if "DATE" in kind or "TIMESTAMP" in kind:
        return moments()
    if kind.startswith("TIME"):
        return clocks()
    if kind == "JSONB":
        return documents()
    is_number = (
        kind.startswith(("INTEGER", "NUMERIC", "DECIMAL", "DOUBLE", "FLOAT", "REAL", "HUGEINT")) and "[" not in kind
    )
    return numbers() if is_number else others(kind)


@st.composite
def tables(draw: DrawFn, kinds: tuple[str, ...]) -> tuple[list[str], list[list[Said]]]:
    """Some columns, and some rows of them."""
    columns = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3))
    each = [drawn(kind) if is_text(kind) else st.just(Said("")) | drawn(kind) for kind in columns]
    return columns, draw(st.lists(st.tuples(*each).map(list), min_size=1, max_size=4))


def is_text(kind: str) -> bool:
    """Whether an empty field may be an empty text there."""
    return kind.startswith(("TEXT", "VARCHAR", "CHAR", "BLOB", "ENUM"))


def loaded(rig: LoaderRig, columns: list[str], rows: list[list[Said]], *, exact: bool) -> list[tuple[Any, ...]] | None:
    """What is in the table; None where the rows are refused."""
    names = [f"c{place}" for place in range(len(columns))]
    made = ", ".join(f"{name} {kind}" for name, kind in zip(names, columns, strict=True))
    rig.query(f"CREATE TABLE {TABLE} (id INTEGER, {made})")
    data = "".join(f"{place},{','.join(said.text for said in row)}\n" for place, row in enumerate(rows))
    header = f"id,{','.join(names)}\n".encode()
    if "PostgreSQL" in str(getattr(cast("rigs.Rig", rig).made(LoadTarget(TABLE)), "product", "")):
        data = data.replace("[", "{").replace("]", "}")
    chunk = chunk_of(data.encode(), header=header, number=next(NUMBERS))
    try:
        with contextlib.closing(cast("rigs.Rig", rig).made(LoadTarget(TABLE, exact_values=exact))) as loader:
            loader.load(chunk)
        if exact:
            assert is_found_equal(rig, chunk)
        read = (read_exactly(rig, name, kind) for name, kind in zip(names, columns, strict=True))
        return rig.query(f"SELECT {', '.join(read)} FROM {TABLE} ORDER BY id")
    except BadRowError:
        return None
    finally:
        rig.query(f"DROP TABLE {TABLE}")


def read_exactly(rig: LoaderRig, name: str, kind: str) -> str:
    """The expression of a column's value: MariaDB and MySQL send a FLOAT with six digits, whatever it has."""
    is_rounded = kind == "FLOAT" and type(cast("rigs.Rig", rig).made(LoadTarget(TABLE))).__name__ == "MysqlLoader"
    return f"{name} + 0e0" if is_rounded else name


def is_found_equal(rig: LoaderRig, chunk: ChunkToLoad) -> bool:
    """What the comparison of table and chunk says."""
    with engine(rig).read_values(JOB, RUN) as table:
        table.begin(chunk)
        sides = Loaded(table, [chunk]), Loaded(table, None)
        return compare_values(table.rules, [0], *sides, converted=table.converted).agree


def test_a_single_of_seven_digits_is_what_its_text_says(rig: LoaderRig) -> None:
    """Loaded exactly, and read as it is."""
    said = Said("1000001e-0", number=Fraction(1000001))
    found = loaded(rig, ["FLOAT"], [[said]], exact=True)
    assert found is not None
    assert said.is_kept_by(found[0][0])


@settings(examples(5), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_exact_values(rig: LoaderRig, data: st.DataObject) -> None:
    """Refused is what the plain load refuses, or changes; the rest is loaded as that does it, and found equal."""
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
