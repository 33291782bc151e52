"""Random exports, made record by record, so that a test knows where records end without asking any parser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from splitjoin_cli.core.model import Dialect

if TYPE_CHECKING:
    from collections.abc import Callable

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Export:
    """Records, each with its line end (the last may have none); a byte order mark is in the first one's bytes."""

    records: tuple[bytes, ...]
    dialect: Dialect

    @property
    def data(self) -> bytes:
        return b"".join(self.records)

    @property
    def header(self) -> bytes:
        return self.records[0] if self.dialect.header else b""

    @property
    def body(self) -> tuple[bytes, ...]:
        return self.records[1:] if self.dialect.header else self.records


DIALECTS = st.builds(
    Dialect,
    delimiter=st.sampled_from([",", "\t", ";"]),
    quotechar=st.sampled_from(['"', "'", None]),
    escapechar=st.sampled_from([None, "\\"]),
    header=st.booleans(),
)


@st.composite
def exports(draw: st.DrawFn, dialects: st.SearchStrategy[Dialect] = DIALECTS) -> Export:
    """An export of at least one byte, of either line end, with or without a last one and a byte order mark."""
    dialect = draw(dialects)
    end = draw(st.sampled_from(["\n", "\r\n"]))
    fields = st.one_of(_bare(dialect), _quoted(dialect)) if dialect.quotechar else _bare(dialect)
    lines = draw(
        st.lists(st.lists(fields, min_size=1, max_size=4).map(dialect.delimiter.join), min_size=1, max_size=12)
    )
    records = [(line + end).encode() for line in lines]
    if draw(st.booleans()) and lines[-1]:
        records[-1] = lines[-1].encode()
    if draw(st.booleans()):
        records[0] = BOM + records[0]
    return Export(tuple(records), dialect)


def _bare(dialect: Dialect) -> st.SearchStrategy[str]:
    others = "".join(c for c in "\"'" if c != dialect.quotechar) if dialect.quotechar else "\"'"
    return st.text("abü 1" + others, max_size=6)


def _quoted(dialect: Dialect) -> st.SearchStrategy[str]:
    quote, escape = dialect.quotechar or "", dialect.escapechar
    doubled: Callable[[str], str] = lambda text: text.replace(quote, quote * 2)  # noqa: E731 -- one of two, by name
    escaped: Callable[[str], str] = lambda text: text.replace(quote, f"{escape}{quote}")  # noqa: E731 -- the other one
    texts = st.text("ab\n\r,;\t" + quote, max_size=8)
    ways = [doubled] if escape is None else [doubled, escaped]
    return st.builds(lambda text, way: f"{quote}{way(text)}{quote}", texts, st.sampled_from(ways))
